package udpchat

import (
	"fmt"
	"math"
	"testing"
	"time"

	"wirelab/internal/impair"
)

// The link of the books: L = 1,500 bytes at R = 10 Mb/s, and a round trip of
// 40 ms. So a = (RTT/2)/(L/R) = 16.7.
const (
	bookFrame = 1200 * time.Microsecond // L/R
	bookTrip  = 40 * ms
	bookA     = float64(bookTrip) / 2 / float64(bookFrame)
)

func TestBook(t *testing.T) {
	if math.Abs(bookA-16.7) > 0.05 {
		t.Errorf("a = %.2f, the book says 16.7", bookA)
	}
	if u := 1 / (1 + 2*bookA); math.Abs(u-0.0291) > 0.00005 {
		t.Errorf("U = %.2f %%, the book says 2.91 %%", u*100)
	}
}

// utilisation returns which share of the time the link of the books carries
// something new, when it loses a share p.
func utilisation(t *testing.T, mode Mode, window int, p float64, parcels int) float64 {
	t.Helper()
	arq := Textbook(window, bookFrame, bookTrip)
	l := line{mode: mode, sending: arq, taking: arq, frame: bookFrame, delay: bookTrip / 2, loss: p, seed: 1}
	took, _, err := l.run(parcels)
	if err != nil {
		t.Fatalf("%v, window %d, loss %v: %v", mode, window, p, err)
	}
	return float64(parcels) * float64(bookFrame) / float64(took)
}

// about fails unless got is within 5 % of the formula's want.
func about(t *testing.T, what string, got, want float64) {
	t.Helper()
	say := t.Logf
	if !(math.Abs(got/want-1) <= 0.05) {
		say = t.Errorf
	}
	say("%s: utilisation %.2f %%, the formula says %.2f %%", what, got*100, want*100)
}

// TestUtilisation holds the three disciplines against the closed forms. With
// 20,000 parcels at p = 1 % some 200 are lost, give or take 14: 7 % of what the
// losses cost, which is 2 % of go-back-N's utilisation, and far less elsewhere.
func TestUtilisation(t *testing.T) {
	const parcels = 20_000
	one := 1 / (1 + 2*bookA)
	for _, p := range []float64{0, 0.01, 0.05, 0.2} {
		about(t, fmt.Sprintf("stop-and-wait, p = %v", p), utilisation(t, StopAndWait, 1, p, parcels), one*(1-p))
	}
	for w := 1; w <= 40; w++ {
		for _, mode := range []Mode{GoBackN, SelectiveRepeat} {
			about(t, fmt.Sprintf("%v, W = %d", mode, w), utilisation(t, mode, w, 0, 4000), min(1, float64(w)*one))
		}
	}
	for p, book := range map[float64]float64{0.01: 0.742, 0.05: 0.356} {
		want := (1 - p) / (1 + 2*bookA*p)
		if math.Abs(want-book) > 0.0005 {
			t.Errorf("the formula says %.3f for p = %v, the book %.3f", want, p, book)
		}
		about(t, fmt.Sprintf("go-back-n, p = %v", p), utilisation(t, GoBackN, 35, p, 2*parcels), want)
		about(t, fmt.Sprintf("selective-repeat, p = %v", p), utilisation(t, SelectiveRepeat, 128, p, 2*parcels), 1-p)
	}
}

// TestUtilisationImpaired is the same over the emulated link that labs use.
func TestUtilisationImpaired(t *testing.T) {
	const parcels = 20_000
	one := 1 / (1 + 2*bookA)
	for _, tt := range []struct {
		mode   Mode
		window int
		p      float64
		want   float64
	}{
		{StopAndWait, 1, 0, one},
		{StopAndWait, 1, 0.05, one * 0.95},
		{GoBackN, 17, 0, 17 * one},
		{GoBackN, 35, 0.01, 0.742},
		{GoBackN, 35, 0.05, 0.356},
		{SelectiveRepeat, 35, 0, 1},
		{SelectiveRepeat, 128, 0.01, 0.99},
		{SelectiveRepeat, 128, 0.05, 0.95},
	} {
		link, err := impair.New(impair.Config{
			Delay: bookTrip / 2, Rate: 10_000_000, Loss: impair.Loss{Model: impair.Random, P: tt.p},
		}, 1, epoch)
		if err != nil {
			t.Fatal(err)
		}
		arq := Textbook(tt.window, bookFrame, bookTrip)
		l := line{mode: tt.mode, sending: arq, taking: arq, delay: bookTrip / 2, carry: func(now time.Time) (all []time.Time) {
			for _, a := range link.Plan(now, impair.Packet{Size: 1500, Class: impair.UDP | impair.Data, Flow: 1}).Arrivals {
				all = append(all, a.At)
			}
			return all
		}}
		took, _, err := l.run(parcels)
		if err != nil {
			t.Fatalf("%v: %v", tt.mode, err)
		}
		about(t, fmt.Sprintf("%v, W = %d, p = %v", tt.mode, tt.window, tt.p), parcels*float64(bookFrame)/float64(took), tt.want)
	}
}

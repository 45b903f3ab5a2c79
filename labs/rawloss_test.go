package labs

import (
	"fmt"
	"math"
	"testing"
	"time"

	"wirelab/internal/pcapng"
)

func udp(link string, size, times int, every string) string {
	return fmt.Sprintf(`
states off
host ana
  up %s
host bo
run bo
  udp 7000 as s
  receive s
run ana
  udp 7000 as s
  sendto s bo:7000 %d x %d every %s
`, link, size, times, every)
}

// N datagrams are N receives; of them (1−p)·N ± 1.96·√(N·p·(1−p)) arrive (here
// with 4 instead of 1.96: one run in 16,000 is outside).
func datagrams(t *testing.T, e *Engine) {
	o := perform(t, e, 1, udp("delay 20ms", 100, 50, "1ms"))
	if got := o.did("bo", "received"); len(got) != 50 || got[9].N != 10 || got[9].From != "ana" || got[9].Size != 100 {
		t.Errorf("%d of 50 datagrams were received", len(got))
	}
	const n, p = 600, 0.1
	o = perform(t, e, 5, udp("delay 20ms loss 10%", 100, n, "1ms"))
	near(t, "delivered", float64(len(o.did("bo", "received"))), n*(1-p), 4*math.Sqrt(n*p*(1-p))/(n*(1-p)))

	o = perform(t, e, 1, udp("delay 20ms", 65_507, 1, "1ms"))
	if got := o.one("bo", "received"); got.Size != 65_507 {
		t.Errorf("received %d bytes, want 65507", got.Size)
	}
	if got := len(o.at("ana", pcapng.Out)); got != 45 { // ⌈65,515/1,480⌉
		t.Errorf("%d fragments of 65,507 bytes, want 45", got)
	}
	o = perform(t, e, 1, udp("delay 20ms", 65_508, 1, "1ms"))
	o.one("ana", "error")
}

// A datagram is lost if one of its n = ⌈(payload+8)/1480⌉ fragments is: 1−(1−p)^n.
func fragments(t *testing.T, e *Engine) {
	const n, p = 300, 0.05
	o := perform(t, e, 1, udp("delay 20ms loss 5%", 8192, n, "10ms"))
	if got := len(o.at("ana", pcapng.Out)); got != 6*n {
		t.Errorf("%d fragments of %d datagrams, want 6 of each", got, n)
	}
	lost := 1 - math.Pow(1-p, 6)
	near(t, "lost", 1-float64(len(o.did("bo", "received")))/n, lost, 4*math.Sqrt(lost*(1-lost)/n)/lost)
}

// A queue of 64 packets of 1,500 B at 10 Mb/s adds 76.8 ms: to a datagram behind a
// burst of so many, and to one beside a TCP whose window is the BDP of 33.3 packets
// and 64 more.
func bufferbloat(t *testing.T, e *Engine) {
	o := perform(t, e, 1, `
host ana
host bo
  down delay 20ms rate 10mbit
  up   delay 20ms
run bo
  udp 7001 as u
  receive u
run ana
  udp 7001 as u
  sendto u bo:7001 1472 x 65
`)
	d := o.did("bo", "received")
	near(t, "added by a burst", (d[64].T - d[0].T).Seconds(), 76.8e-3, 1e-6)
	o = perform(t, e, 1, `
states off
host ana
  reno
host cy
host bo
  down delay 20ms rate 10mbit
  up   delay 20ms
  receive-buffer 281874
record bo
run bo
  listen 7000 as door
  serve door sink
run bo
  udp 7001 as u
  echo u
run ana
  connect bo:7000 as c
  send c 14480 x 100 until 1100ms
run cy
  until 600ms
  udp 7001 as u
  request u bo:7001 20 x 10 every 50ms until 1s
`)
	sent := make(map[int]time.Duration)
	for _, ev := range o.did("cy", "sent") {
		sent[ev.N] = ev.T
	}
	answers := o.did("cy", "answered")
	sum := time.Duration(0)
	for _, ev := range answers {
		sum += ev.T - sent[ev.N]
	}
	near(t, "added beside TCP", sum.Seconds()/float64(len(answers))-40e-3, 76.8e-3, 0.05)
}

// Three flows of equal RTT share a bottleneck: Jain's (Σx)²/(nΣx²) is near 1.
func fairness(t *testing.T, e *Engine) {
	text := `
states off
record none
host bo
  down delay 20ms rate 5mbit limit 30
  up   delay 20ms
run bo
  listen 7000 as door
  serve door sink
`
	for _, name := range []string{"ana", "cy", "di"} {
		text += fmt.Sprintf(`
host %s
run %s
  connect bo:7000 as c
  send c 14480 until 5s
`, name, name)
	}
	o := perform(t, e, 1, text)
	total := make(map[string]float64)
	for _, ev := range o.did("bo", "received") {
		if ev.T > time.Second && ev.T < 5*time.Second {
			total[ev.Sock] += float64(ev.Size)
		}
	}
	sum, squares := 0.0, 0.0
	for name, x := range total {
		t.Logf("%s: %.2f Mb/s", name, x*8/4/1e6)
		sum += x
		squares += x * x
	}
	if len(total) != 3 {
		t.Fatalf("%d flows, want 3", len(total))
	}
	near(t, "Jain", sum*sum/(3*squares), 1, 0.1)
	near(t, "sum in Mb/s", sum*8/4/1e6, 5*1448.0/1500, 0.05)
}

// Two 16-bit words that change places leave RFC 1071's sum as it is: the stack
// hands the datagram over. A flipped bit it finds.
func swapped(t *testing.T, e *Engine) {
	text := func(rule string) string {
		return `
host ana
  up delay 20ms ` + rule + `
host bo
run bo
  udp 7000 as s
  receive s
run ana
  udp 7000 as s
  sendto s bo:7000 "pay 1000 to bo"
`
	}
	if got := perform(t, e, 1, text("swap udp 1")).one("bo", "received"); got.Text != "y pa1000 to bo" {
		t.Errorf("with two words swapped it is %q, want %q", got.Text, "y pa1000 to bo")
	}
	if got := perform(t, e, 1, text("corrupt udp 1")).did("bo", "received"); len(got) != 0 {
		t.Errorf("with a bit flipped it is %q, want nothing", got[0].Text)
	}
}

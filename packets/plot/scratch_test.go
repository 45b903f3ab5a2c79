package plot_test

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"testing"
	"wirelab/internal/style"
	"wirelab/packets"
	"wirelab/packets/plot"
)

func TestScratch(t *testing.T) {
	f := os.Getenv("CAP")
	if f == "" {
		t.Skip()
	}
	w, _ := strconv.Atoi(os.Getenv("W"))
	h, _ := strconv.Atoi(os.Getenv("H"))
	n, _ := strconv.Atoi(os.Getenv("FLOW"))
	for _, k := range plot.Kinds() {
		r, err := packets.Open(f, nil)
		if err != nil {
			t.Fatal(err)
		}
		tg, err := plot.Choose(r, plot.Choice{Kind: k, Flow: n, Direction: os.Getenv("DIR")})
		if err != nil {
			fmt.Println(err)
			if tg == nil {
				continue
			}
		}
		r.Close()
		r, _ = packets.Open(f, nil)
		p, err := tg.Plot(r)
		if err != nil {
			fmt.Println(err)
		}
		fmt.Print(p.Text(w, h, style.NewPalette(io.Discard, true)))
		if o := os.Getenv("OUT"); o != "" {
			x, _ := os.Create(o + string(k) + ".svg")
			p.SVG(x)
			x.Close()
		}
	}
}

package filter

import (
	"bufio"
	_ "embed"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/bpf"
)

//go:embed testdata/expressions.txt
var expressions string

// listed returns the expressions of the file; each begins with the link types that
// it is for: all, ether or ip.
func listed() (out []struct{ links, expr string }) {
	for s := bufio.NewScanner(strings.NewReader(expressions)); s.Scan(); {
		links, expr, ok := strings.Cut(s.Text(), "\t")
		if ok && !strings.HasPrefix(links, "#") {
			out = append(out, struct{ links, expr string }{links, expr})
		}
	}
	return out
}

var links = []uint16{1, 101, 113, 276, 0}

// Each expression takes the packets that tcpdump takes, on each link type.
func TestTcpdumpTakesTheSame(t *testing.T) {
	needTcpdump(t)
	list := listed()
	if len(list) < 150 {
		t.Errorf("%d expressions, want at least 150", len(list))
	}
	for _, link := range links {
		t.Run(fmt.Sprint(link), func(t *testing.T) {
			t.Parallel()
			d := write(t, link)
			for i, e := range list {
				if e.links == "ether" && link != 1 || link != 1 && i%5 != int(link)%5 {
					continue // all on Ethernet, a fifth on each of the others
				}
				f, err := Compile(e.expr, link)
				if err != nil {
					t.Errorf("Compile(%q, %d): %v", e.expr, link, err)
					continue
				}
				d.agree(t, e.expr, f, "-O")
				if i%8 == int(link)%8 {
					d.agree(t, e.expr, f)
				}
				d.machine(t, f)
			}
		})
	}
}

// machine compares with the machine of x/net, which runs what the kernel gets. It
// takes the bytes kept for the length.
func (d *dump) machine(t *testing.T, f *Filter) {
	t.Helper()
	if _, err := f.Raw(); err != nil {
		t.Fatalf("%q: %v", f, err)
	}
	vm, err := bpf.NewVM(f.Instructions())
	if err != nil {
		t.Fatalf("%q: %v", f, err)
	}
	for i, s := range d.samples {
		n, err := vm.Run(s.data)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Match(s.data, len(s.data)); got != (n > 0) {
			t.Fatalf("link %d: %q.Match of packet %d = %v, but x/net's machine gives %d", d.link, f, i, got, n)
		}
	}
}

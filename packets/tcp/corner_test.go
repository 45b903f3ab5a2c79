package tcp_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"wirelab/packets"
	"wirelab/packets/tcp"
)

var update = flag.Bool("update", false, "rewrite the flags in testdata/corners.txt from tshark's")

const corners = "testdata/corners.txt"

// A corner is a case of testdata/corners.txt.
type corner struct {
	name, options string
	at            []int // lines of the file
	dir           []int
	segments      []tcp.Segment
	want          []string
}

// readCorners returns the cases and the lines of the file.
func readCorners(t *testing.T) (all []*corner, lines []string) {
	t.Helper()
	text, err := os.ReadFile(corners)
	if err != nil {
		t.Fatal(err)
	}
	lines = strings.Split(string(text), "\n")
	for i, line := range lines {
		if name, ok := strings.CutPrefix(line, "-- "); ok {
			all = append(all, &corner{name: name, options: name})
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		c := all[len(all)-1]
		left, want, ok := strings.Cut(line, "=")
		if strings.HasSuffix(left, "scale") { // the first = is the option's
			n, rest, _ := strings.Cut(want, "=")
			left, want = left+"="+n, rest
		}
		var s tcp.Segment
		var ms float64
		var from, control string
		scale := -1
		if _, err := fmt.Sscan(left, &ms, &from, &control, &s.Seq, &s.Ack, &s.Len, &s.Window); err != nil || !ok {
			t.Fatalf("%s:%d: %q: %v", corners, i+1, line, err)
		}
		if _, n, ok := strings.Cut(left, "scale="); ok {
			scale, err = strconv.Atoi(strings.TrimSpace(n))
			if err != nil {
				t.Fatalf("%s:%d: %v", corners, i+1, err)
			}
		}
		s.Scale = int8(scale)
		s.Time = start + int64(ms*1e6+0.5)
		for _, letter := range strings.Trim(control, "-") {
			s.Control |= 1 << strings.IndexRune("FSRPAUEC", letter)
		}
		c.at = append(c.at, i)
		c.dir = append(c.dir, strings.Index("ab", from))
		c.segments = append(c.segments, s)
		c.want = append(c.want, strings.TrimSpace(want))
	}
	return all, lines
}

// write returns a capture of the case.
func (c *corner) write(t *testing.T) string {
	t.Helper()
	has := func(option string) bool { return strings.Contains(c.options, " "+option) }
	link := uint16(0)
	var vlans []uint16
	switch {
	case has("vlan"):
		link, vlans = 1, []uint16{7}
	case has("qinq"):
		link, vlans = 1, []uint16{7, 8}
	}
	out := newCapture(t, link)
	if _, n, ok := strings.Cut(c.options, "snap="); ok {
		out.snap, _ = strconv.Atoi(n)
	}
	e := endpoints{v6: has("ipv6")}
	for i := range c.segments {
		ip := e.packet(c.dir[i], &c.segments[i])
		if link == 1 {
			ip = ether(ip, vlans...)
		}
		out.write(c.segments[i].Time, ip)
	}
	return out.done()
}

func TestCorners(t *testing.T) {
	all, lines := readCorners(t)
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			file := c.write(t)
			var got []string
			var conv tcp.Conversation
			read(t, file, func(_ *packets.Packet, _ pair, dir int, s *tcp.Segment) {
				r := conv.Add(dir, s)
				got = append(got, r.Flags.String())
			})
			if len(got) != len(c.want) {
				t.Fatalf("%d segments read of %d", len(got), len(c.want))
			}
			if *update {
				said := oracle(t, file)
				for i, at := range c.at {
					cut := strings.LastIndex(lines[at], "=")
					lines[at] = strings.TrimRight(lines[at][:cut]+"= "+said[i+1].flags.String(), " ")
				}
				return
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("%s:%d: flags %q, want %q", corners, c.at[i]+1, got[i], c.want[i])
				}
			}
		})
	}
	if *update {
		if err := os.WriteFile(corners, []byte(strings.Join(lines, "\n")), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// The file's flags are tshark's. The cases are one capture, with addresses of
// their own, where they can be: tshark takes long to start.
func TestCornersAreTsharks(t *testing.T) {
	tshark(t)
	all, _ := readCorners(t)
	whole := newCapture(t, 0)
	var want []string
	for i, c := range all {
		if strings.Contains(c.options, "snap=") || strings.Contains(c.options, "vlan") || strings.Contains(c.options, "qinq") {
			file := c.write(t)
			compare(t, file, false)
			continue
		}
		e := endpoints{id: i + 1, v6: strings.Contains(c.options, "ipv6")}
		for j := range c.segments {
			whole.write(c.segments[j].Time, e.packet(c.dir[j], &c.segments[j]))
		}
		want = append(want, c.want...)
	}
	file := whole.done()
	sum := compare(t, file, true)
	said := oracle(t, file)
	for i, w := range want {
		if got := said[i+1].flags.String(); got != w {
			t.Errorf("packet %d: tshark says %q, %s has %q", i+1, got, corners, w)
		}
	}
	t.Log(sum.String())
	if i := slices.Index(sum.flags[:], 0); i >= 0 {
		t.Errorf("no case has %s", tcp.Names()[i])
	}
}

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
			name, options, _ := strings.Cut(name, " | ")
			all = append(all, &corner{name: name, options: options})
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

// write adds the case to a capture; id tells its addresses from others.
func (c *corner) write(out *capture, id int) {
	var vlans []uint16
	e := endpoints{id: id}
	out.snap = 0
	for _, option := range strings.Fields(c.options) {
		switch n, isSnap := strings.CutPrefix(option, "snap="); {
		case isSnap:
			out.snap, _ = strconv.Atoi(n)
		case option == "ipv6":
			e.v6 = true
		case option == "vlan":
			vlans = []uint16{7}
		case option == "qinq":
			vlans = []uint16{7, 8}
		case option == "stamps":
			e.opts = []byte{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1}
		}
	}
	for i := range c.segments {
		out.write(c.segments[i].Time, e.packet(c.dir[i], &c.segments[i]), vlans...)
	}
}

// one returns a capture of all cases.
func one(t *testing.T, all []*corner) string {
	out := newCapture(t)
	for i, c := range all {
		c.write(out, i+1)
	}
	return out.done()
}

// The file has the flags for those who have no tshark.
func TestCorners(t *testing.T) {
	all, _ := readCorners(t)
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			i := 0
			var conv tcp.Conversation
			read(t, one(t, []*corner{c}), func(_ *packets.Packet, _ pair, dir int, s *tcp.Segment) {
				if got := conv.Add(dir, s).Flags.String(); got != c.want[i] {
					t.Errorf("%s:%d: flags %q, want %q", corners, c.at[i]+1, got, c.want[i])
				}
				i++
			})
			if i != len(c.want) {
				t.Errorf("%d segments read of %d", i, len(c.want))
			}
		})
	}
}

// The flags in the file are tshark's.
func TestCornersAreTsharks(t *testing.T) {
	tshark(t)
	all, lines := readCorners(t)
	file := one(t, all)
	said := oracle(t, file)
	n := 0
	for _, c := range all {
		for i, at := range c.at {
			n++
			got := said[n].flags.String()
			if *update {
				cut := strings.LastIndex(lines[at], "=")
				lines[at] = strings.TrimRight(lines[at][:cut]+"= "+got, " ")
			} else if got != c.want[i] {
				t.Errorf("%s:%d: tshark says %q, not %q", corners, at+1, got, c.want[i])
			}
		}
	}
	if *update {
		if err := os.WriteFile(corners, []byte(strings.Join(lines, "\n")), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	sum := compare(t, file, false)
	t.Log(sum.String())
	if i := slices.Index(sum.flags[:], 0); i >= 0 {
		t.Errorf("no case has %s", tcp.Names()[i])
	}
}

package view

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"wirelab/internal/cells"
	"wirelab/labs"
	"wirelab/labs/sheet"
	"wirelab/packets/ladder"
)

func ladderFor(t *testing.T, v *sheet.View, from, to *float64) *ladder.Ladder {
	t.Helper()
	d, err := ladderOf(v, talk(t), from, to)
	if err != nil {
		t.Fatal(err)
	}
	return d.(*rungs).l
}

func value(v float64) *float64 { return &v }

// By default it is the first link, and the conversation with a loss. Both links
// saw each packet; each is drawn once, from where it was sent to where the link
// handed it on.
func TestLadderIsOfOneLink(t *testing.T) {
	l := ladderFor(t, &sheet.View{}, nil, nil)
	if len(l.Arrows) != 6 {
		t.Fatalf("%d arrows, want the connection's 6", len(l.Arrows))
	}
	if got := strings.Join(l.Lifelines, " "); got != "ana link bo" {
		t.Errorf("lifelines %q, want ana, its link, and whom it talks to", got)
	}
	for i, a := range l.Arrows {
		if a.Arrived.Sub(a.Sent) != hop {
			t.Errorf("arrow %d takes %v over ana's link, want %v", i, a.Arrived.Sub(a.Sent), hop)
		}
	}
	if want := labs.Start.Add(time.Second); !l.Begin.Equal(want) {
		t.Errorf("times count from %v, want from when the workload began, %v", l.Begin, want)
	}
}

// On the other host's link, who did not speak first, the host is still at the
// left, and what is sent to it points left.
func TestLadderOfTheOtherEnd(t *testing.T) {
	l := ladderFor(t, &sheet.View{Link: "bo"}, nil, nil)
	if got := strings.Join(l.Lifelines, " "); got != "bo link ana" {
		t.Errorf("lifelines %q", got)
	}
	if len(l.Arrows) != 6 || l.Lost() != 1 {
		t.Fatalf("%d arrows, %d lost, want 6 and the 1 that bo's link lost", len(l.Arrows), l.Lost())
	}
	if a := l.Arrows[0]; a.From != 2 || a.To != 0 || a.Kind != ladder.Handshake {
		t.Errorf("the SYN is %+v, want it to point to the left", a)
	}
	if a := l.Arrows[3]; !a.Lost || a.Why != "lost: random" {
		t.Errorf("the first data is %+v, want it lost, and why", a)
	}
	if !strings.HasPrefix(l.Title, "TCP 192.0.2.2:5000 → 192.0.2.3:7000, 6 packets, 1 lost") {
		t.Errorf("title %q", l.Title)
	}
}

// "from/to/packets": an arrow is in it if it was on its way then.
func TestLadderIsCut(t *testing.T) {
	for _, test := range []struct {
		name     string
		v        sheet.View
		from, to *float64
		want     int
	}{
		{"from the second on", sheet.View{}, value(1), nil, 2},
		{"up to the first data", sheet.View{}, nil, value(0.5), 4},
		{"between", sheet.View{}, value(0.05), value(0.5), 3},
		{"packets", sheet.View{Packets: 2}, nil, nil, 2},
		{"more packets than there are", sheet.View{Packets: 99}, nil, nil, 6},
		{"the second conversation", sheet.View{Flow: 2}, nil, nil, 3},
	} {
		if l := ladderFor(t, &test.v, test.from, test.to); len(l.Arrows) != test.want {
			t.Errorf("%s: %d arrows, want %d", test.name, len(l.Arrows), test.want)
		}
	}
	l := ladderFor(t, &sheet.View{Packets: 2}, nil, nil)
	if about := strings.Join(l.About, " "); !strings.Contains(about, "first 2 of 6 packets") {
		t.Errorf("what was left out is not told: %q", about)
	}
}

func TestWhatCannotBeDrawnSaysWhy(t *testing.T) {
	for _, test := range []struct {
		name string
		v    sheet.View
		from *float64
		want string
	}{
		{"no such link", sheet.View{Link: "eve"}, nil, `link of "eve": not recorded, want that of ana or bo`},
		{"no such flow", sheet.View{Flow: 3}, nil, "flow 3: the link has 2 conversations"},
		{"nothing then", sheet.View{}, value(9), "no packet of the conversation is between from and to"},
	} {
		if _, err := ladderOf(&test.v, talk(t), test.from, nil); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
	if _, err := flowPlot(&sheet.View{Plot: "rtt", Flow: 2}, talk(t), nil, nil); err == nil || !strings.Contains(err.Error(), "UDP") {
		t.Errorf("round trips of UDP: error %v", err)
	}
}

// A plot of a flow is seen where it is sent, and counts from when the workload
// began, as the ladder does.
func TestPlotCountsFromTheWorkload(t *testing.T) {
	d, err := flowPlot(&sheet.View{Plot: "sequence"}, talk(t), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := d.(*graph).p
	if !strings.HasSuffix(p.Title, "at ana") {
		t.Errorf("title %q, want it seen at ana, who sends", p.Title)
	}
	last := 0.0
	for _, s := range p.Series {
		for _, q := range s.Points {
			last = max(last, q.X)
		}
	}
	if last < 1.08 || last > 1.17 {
		t.Errorf("the last point is at %g s, want the resend at 1.081 s, its ACK at 1.161 s", last)
	}
	late, err := flowPlot(&sheet.View{Plot: "throughput", Flow: 2}, talk(t), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if x := late.(*graph).p.X; x.Min < 1.19 || x.Min > 1.21 {
		t.Errorf("the datagrams begin at %g s, want 1.2 s", x.Min)
	}
	for _, s := range late.(*graph).p.Series {
		for _, q := range s.Points {
			if q.X < 1.19 {
				t.Errorf("series %s has a point at %g s, before its flow began", s.Name, q.X)
			}
		}
	}
	text := (&Picture{drawing: late}).Text(80, 20, colourless())
	if lines := strings.Split(strings.TrimRight(text, "\n"), "\n"); len(lines) != 20 {
		t.Errorf("a plot for 20 lines has %d", len(lines))
	}
}

// Each picture's markup is sound XML, whatever the capture holds, and its scoped
// form leaves other pictures alone.
func TestMarkupIsSound(t *testing.T) {
	run := talk(t)
	ladder, err := ladderOf(&sheet.View{}, run, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	plot, err := flowPlot(&sheet.View{Plot: "window"}, run, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	bars := &chart{title: hostile, bars: []bar{{hostile, 1, "time", hostile}, {"b", 2, "time", "2 s"}}}
	table := &Table{Heads: []string{"a", hostile}, Rows: [][]Cell{rowOf(hostile, "b")}}
	for i, d := range []drawing{ladder, plot, bars, table} {
		p := &Picture{Caption: hostile, drawing: d}
		var b bytes.Buffer
		if err := p.Figure(&b, "view-1"); err != nil {
			t.Fatal(err)
		}
		if err := wellFormed(b.Bytes()); err != nil {
			t.Errorf("picture %d: %v\n%s", i, err, b.Bytes())
		}
		s := b.String()
		for _, not := range []string{":root", "<script", `"area"`, "#area"} {
			if strings.Contains(s, not) {
				t.Errorf("picture %d has %q", i, not)
			}
		}
		if p.IsSVG() && !strings.Contains(s, "<style>#view-1{") {
			t.Errorf("picture %d: its rules are not below its id", i)
		}
	}
}

func wellFormed(b []byte) error {
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestPicturesFitTheirWidth(t *testing.T) {
	run := talk(t)
	ladder, _ := ladderOf(&sheet.View{Link: "bo"}, run, nil, nil)
	plot, _ := flowPlot(&sheet.View{Plot: "sequence"}, run, nil, nil)
	for _, d := range []drawing{ladder, plot} {
		for _, width := range []int{60, 79, 80, 120, 200} {
			for line := range strings.SplitSeq((&Picture{drawing: d}).Text(width, 22, colourless()), "\n") {
				if w := cells.Width(line); w > width {
					t.Errorf("%T for %d columns: %d: %q", d, width, w, line)
				}
			}
		}
	}
}

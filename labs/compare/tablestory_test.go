package compare

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/lipgloss"

	"wirelab/internal/style"
)

func sampleExplanation() *Explanation {
	return &Explanation{Fault: "loss-10", Seed: 7, Message: 17, Stories: []Story{
		{Transport: "udp", Outcome: "lost", Lines: []Line{
			{At: 1613400 * time.Microsecond, Where: "ana", What: "the program emits message 17, 212 bytes of text"},
			{At: 1618500 * time.Microsecond, Where: "bo.link", What: "a packet of 280 bytes carries it in: lost: random loss, as the link would have it for one packet in ten", Lost: true},
		}},
		{Transport: "tcp+queue", Outcome: "delivered once", Lines: []Line{
			{At: 1613400 * time.Microsecond, Where: "ana", What: "the program emits message 17, 212 bytes of text"},
			{At: 101613400 * time.Microsecond, Where: "bo", What: "handed to the program as number 17 of the room, marked as redelivered"},
		}},
	}}
}

func sampleWhatIf() *WhatIf {
	r := rand.New(rand.NewPCG(1, 1))
	before, after := sampleRun(r, 7, "loss-10", "udp"), sampleRun(r, 7, "loss-10", "udp")
	after.Delivered++
	after.Lost--
	same := sampleRun(r, 7, "none", "tcp")
	return &WhatIf{Rule: "spare data 7", Fault: "loss-10", Seed: 7, Changes: []Change{
		{Transport: "udp", Before: before, After: after, Differ: true, At: 1618500 * time.Microsecond,
			Was: "a packet of 280 bytes in at bo.link: lost: random loss", Is: "a packet of 280 bytes in at bo.link"},
		{Transport: "tcp", Before: same, After: same},
		{Transport: "tcp+queue", Before: same, After: after, Differ: true, At: 2 * time.Second, Was: "ana is told that message 9 was not taken: the room is full"},
	}}
}

func TestStoryGolden(t *testing.T) {
	golden(t, "explain.80.txt", sampleExplanation().Text(View{Command: "wirelab compare --seed 7 --fault loss-10 --explain 17"}))
	golden(t, "whatif.80.txt", sampleWhatIf().Text(View{Command: "wirelab compare --seed 7 --fault loss-10 --what-if 'spare data 7'"}))
	golden(t, "whatif.120.txt", sampleWhatIf().Text(View{Width: 120}))
}

func TestStoryFitsTheWidth(t *testing.T) {
	check := func(text string, width int) {
		t.Helper()
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			if got := lipgloss.Width(line); got > width {
				t.Fatalf("a line of %d columns at width %d:\n%s", got, width, text)
			}
			if style.Visible(line) != line {
				t.Fatalf("a terminal does not show %q as it is", line)
			}
		}
	}
	for width := 20; width <= 200; width += 9 {
		v := View{Width: width}
		check(sampleExplanation().Text(v), width)
		check(sampleWhatIf().Text(v), width)
		for _, word := range hostile {
			v.Command = "wirelab compare " + word
			e, w := sampleExplanation(), sampleWhatIf()
			e.Fault, e.Stories[0].Transport, e.Stories[0].Outcome = word, word, word
			e.Stories[1].Lines[0].Where, e.Stories[1].Lines[1].What = word, word
			w.Rule, w.Fault, w.Changes[0].Transport, w.Changes[0].Was, w.Changes[0].Is = word, word, word, word, word
			check(e.Text(v), width)
			check(w.Text(v), width)
		}
	}
}

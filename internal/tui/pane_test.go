package tui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// lines makes a block that renders text in lines of width.
func lines(text string) *block {
	return &block{make: func(width int) []string {
		var out []string
		text := text
		for len(text) > width {
			out, text = append(out, text[:width]), text[width:]
		}
		return append(out, text)
	}}
}

func shown(p *pane) []string {
	var out []string
	for _, l := range p.view(">") {
		out = append(out, strings.TrimRight(l, " "))
	}
	return out
}

func numbered(n int) *pane {
	p := &pane{width: 10, height: 3}
	for i := range n {
		p.add(lines(fmt.Sprint(i + 1)))
	}
	return p
}

func TestPane(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(p *pane)
		want []string
	}{
		{"follows", func(*pane) {}, []string{" 4", " 5", " 6"}},
		{"scrolls back", func(p *pane) { p.scroll(2) }, []string{" 2", " 3", " 4"}},
		{"stops at the top", func(p *pane) { p.scroll(99) }, []string{" 1", " 2", " 3"}},
		{"stays in place while it grows", func(p *pane) { p.scroll(2); p.add(lines("7")); p.add(lines("8")) }, []string{" 2", " 3", " 4"}},
		{"follows again", func(p *pane) { p.scroll(2); p.add(lines("7")); p.bottom() }, []string{" 5", " 6", " 7"}},
		{"stays while a hidden block grows", func(p *pane) {
			p.scroll(2)
			b := p.blocks[5]
			p.change(b, func() { b.make = lines("1234567890123456789").make })
		}, []string{" 2", " 3", " 4"}},
		{"stays while a hidden block goes", func(p *pane) { p.scroll(2); p.remove(p.blocks[5]) }, []string{" 2", " 3", " 4"}},
		{"a shown block goes", func(p *pane) { p.remove(p.blocks[5]) }, []string{" 3", " 4", " 5"}},
		{"chooses the newest", func(p *pane) { p.choose(-1, all) }, []string{" 4", " 5", ">6"}},
		{"scrolls to the chosen", func(p *pane) {
			for range 5 {
				p.choose(-1, all)
			}
		}, []string{">2", " 3", " 4"}},
		{"chooses no further than the first", func(p *pane) {
			for range 50 {
				p.choose(-1, all)
			}
			p.choose(1, all)
		}, []string{" 1", ">2", " 3"}},
		{"keeps its place when narrower", func(p *pane) {
			p.add(lines("123456789"))
			p.scroll(1)
			p.resize(4, 3)
		}, []string{" 4", " 5", " 6"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := numbered(6)
			tt.do(p)
			if diff := cmp.Diff(tt.want, shown(p)); diff != "" {
				t.Errorf("view (-want +got):\n%s", diff)
			}
		})
	}
}

func all(*block) bool { return true }

func TestPaneBeginsAtTheTop(t *testing.T) {
	if diff := cmp.Diff([]string{" 1", "", ""}, shown(numbered(1))); diff != "" {
		t.Errorf("view (-want +got):\n%s", diff)
	}
}

func TestPaneIsBounded(t *testing.T) {
	p := &pane{width: 10, height: 3, max: 100}
	for i := range 10_000 {
		p.add(lines(fmt.Sprint(i)))
		if i == 5_000 {
			p.scroll(50)
		}
	}
	if len(p.blocks) > 125 || p.dropped+len(p.blocks) != 10_000 {
		t.Errorf("%d blocks kept and %d dropped, want at most 125 and 10000 in all", len(p.blocks), p.dropped)
	}
	if got := shown(p); got[0] == "" {
		t.Errorf("scrolled past what is kept: %q", got)
	}
}

package framing

import (
	"fmt"
	"slices"
	"strconv"

	"wirelab/internal/cells"
)

// A band is a part of a stream on one line of a picture: rows of boxes, one under
// the other, in which the same column is the same offset.
type band struct {
	width int
	ticks []tick
	rows  []row
}

// A tick is an offset at a column.
type tick struct {
	x  int
	at uint64
}

type row struct {
	name  string
	boxes []box
}

// A box is a segment or a frame from column x0 to before column x1.
type box struct {
	x0, x1      int
	label       string
	long        string // for a tooltip
	kind        boxKind
	index       int   // of the frame
	cuts        []int // columns where another segment goes on
	open, close bool  // it goes on in the band before or after
}

type boxKind int

const (
	plainBox boxKind = iota
	lateBox          // a segment that filled a hole
	lostBox
	againBox
	frameBox
	badBox
	waitBox // what a frame waited
	blockedBox
)

// A run is a part of the stream that one packet brought.
type run struct {
	from, to uint64
	number   int
	kind     boxKind
}

// runs joins the pieces of frames to what each packet brought.
func runs(frames []Message) []run {
	var all []run
	for i := range frames {
		for _, p := range frames[i].Pieces {
			if p.Again {
				continue
			}
			k := plainBox
			if p.Fills {
				k = lateBox
			}
			end := p.At + uint64(p.Len)
			if n := len(all); n > 0 && all[n-1].number == p.Number && all[n-1].to == p.At && all[n-1].kind == k {
				all[n-1].to = end
				continue
			}
			all = append(all, run{p.At, end, p.Number, k})
		}
	}
	return all
}

// segmentRuns are the parts of segments that lie among the frames.
func segmentRuns(list []Segment, from, to uint64, kind boxKind) []run {
	var all []run
	for _, s := range list {
		x, y := max(s.Start, from), min(s.Start+uint64(s.Len), to)
		if x < y {
			all = append(all, run{x, y, s.Number, kind})
		}
	}
	slices.SortStableFunc(all, func(a, b run) int {
		switch {
		case a.from < b.from:
			return -1
		case a.from > b.from:
			return 1
		}
		return 0
	})
	return all
}

// A picture of a direction's kept frames. It is not to scale: every part between
// two boundaries is wide enough to be seen.
type picture struct {
	d       *Direction
	frames  []Message
	brought []run
	lost    []run
	again   []run
	bounds  []uint64
	widths  []int // of the part after each bound but the last
}

// maxDrawn is how many copies and losses are drawn; the table and the counts have
// all.
const maxDrawn = 500

func newPicture(d *Direction, most int) *picture {
	p := &picture{d: d, frames: d.Kept}
	if len(p.frames) == 0 {
		return nil
	}
	from, to := p.frames[0].Start, p.frames[len(p.frames)-1].End
	p.brought = runs(p.frames)
	p.lost = segmentRuns(d.Lost, from, to, lostBox)
	p.again = segmentRuns(d.Copies, from, to, againBox)
	p.lost, p.again = p.lost[:min(len(p.lost), maxDrawn)], p.again[:min(len(p.again), maxDrawn)]
	p.bounds = append(p.bounds, from, to)
	for i := range p.frames {
		p.bounds = append(p.bounds, p.frames[i].Start, p.frames[i].End)
	}
	for _, list := range [][]run{p.brought, p.lost, p.again} {
		for _, r := range list {
			p.bounds = append(p.bounds, r.from, r.to)
		}
	}
	slices.Sort(p.bounds)
	p.bounds = slices.Compact(p.bounds)
	p.scale(most)
	return p
}

// scale gives each part a width: by its bytes, and as the labels need.
func (p *picture) scale(most int) {
	mean := max(1, (p.bounds[len(p.bounds)-1]-p.bounds[0])/uint64(len(p.frames)))
	for i := range len(p.bounds) - 1 {
		n := p.bounds[i+1] - p.bounds[i]
		p.widths = append(p.widths, 4+int(min(n, 2*mean)*8/mean))
	}
	need := func(from, to uint64, label string) {
		i, j := p.index(from), p.index(to)
		sum, widest := 0, i
		for k := i; k < j; k++ {
			sum += p.widths[k]
			if p.widths[k] > p.widths[widest] {
				widest = k
			}
		}
		// The label goes into the widest part: no cut goes through it.
		if w := cells.Width(label) + 2; p.widths[widest] < w {
			p.widths[widest] = w
		}
	}
	for i := range p.frames {
		f := &p.frames[i]
		need(f.Start, f.End, cells.Cut(p.frameLabel(i), 16))
		if f.Hole != nil {
			need(f.Start, f.End, waitLabel(f))
		}
	}
	for _, list := range [][]run{p.brought, p.lost, p.again} {
		for _, r := range list {
			need(r.from, r.to, runLabel(r))
		}
	}
	for i := range p.widths {
		p.widths[i] = min(p.widths[i], max(8, most))
	}
}

func (p *picture) index(at uint64) int {
	i, _ := slices.BinarySearch(p.bounds, at)
	return i
}

func (p *picture) frameLabel(i int) string {
	return strconv.Itoa(i+1) + " " + p.frames[i].Kind
}

func waitLabel(f *Message) string {
	if f.Own {
		return span(f.Waited)
	}
	return "behind " + span(f.Waited)
}

func runLabel(r run) string {
	s := "#" + strconv.Itoa(r.number)
	switch r.kind {
	case lateBox:
		return s + " late"
	case lostBox:
		return "✗ " + s
	case againBox:
		return "↺ " + s
	}
	return s
}

// bands breaks the picture into lines of at most width columns.
func (p *picture) bands(width int) []band {
	var all []band
	for i := 0; i < len(p.widths); {
		j, w := i, 0
		for j < len(p.widths) && (j == i || w+p.widths[j] <= width) {
			w += p.widths[j]
			j++
		}
		all = append(all, p.band(i, j))
		i = j
	}
	return all
}

// band draws the parts i to before j.
func (p *picture) band(i, j int) band {
	b := band{}
	columns := make([]int, 0, j-i+1)
	for k := i; k <= j; k++ {
		columns = append(columns, b.width)
		b.ticks = append(b.ticks, tick{b.width, p.bounds[k]})
		if k < j {
			b.width += p.widths[k]
		}
	}
	from, to := p.bounds[i], p.bounds[j]
	place := func(x, y uint64) (c box, ok bool) {
		if y <= from || to <= x || x == y {
			return c, false
		}
		c.open, c.close = x < from, y > to
		c.x0, c.x1 = columns[p.index(max(x, from))-i], columns[p.index(min(y, to))-i]
		return c, true
	}
	add := func(name string, list []run) {
		r := row{name: name}
		for _, s := range list {
			c, ok := place(s.from, s.to)
			if !ok {
				continue
			}
			if n := len(r.boxes); n > 0 && c.x0 < r.boxes[n-1].x1 {
				// Copies of copies: one place, one box.
				r.boxes[n-1].label += fmt.Sprintf(" #%d", s.number)
				continue
			}
			c.label, c.kind = runLabel(s), s.kind
			c.long = fmt.Sprintf("packet %d, bytes %d to %d of the stream", s.number, s.from, s.to)
			r.boxes = append(r.boxes, c)
		}
		if len(r.boxes) > 0 {
			b.rows = append(b.rows, r)
		}
	}
	add("lost", p.lost)
	add("segments", p.brought)
	add("copies", p.again)
	frames, waits := row{name: "frames"}, row{name: "waited"}
	for k := range p.frames {
		f := &p.frames[k]
		c, ok := place(f.Start, f.End)
		if !ok {
			continue
		}
		c.label, c.kind, c.index, c.long = p.frameLabel(k), frameBox, k, f.Summary
		if f.Err != "" {
			c.kind, c.long = badBox, f.Summary+": "+f.Err
			c.label += " !"
		}
		for _, s := range p.brought {
			if s.from > f.Start && s.from < f.End && s.from > from && s.from < to {
				c.cuts = append(c.cuts, columns[p.index(s.from)-i])
			}
		}
		frames.boxes = append(frames.boxes, c)
		if f.Hole != nil {
			w := c
			w.cuts, w.kind, w.label = nil, waitBox, waitLabel(f)
			if !f.Own {
				w.kind = blockedBox
			}
			waits.boxes = append(waits.boxes, w)
		}
	}
	b.rows = append(b.rows, frames)
	if len(waits.boxes) > 0 {
		b.rows = append(b.rows, waits)
	}
	return b
}

// room returns the widest part of a box between its edges and cuts.
func (c *box) room() (x, width int) {
	last := c.x0
	for _, cut := range append(slices.Clone(c.cuts), c.x1) {
		if cut-last-1 > width {
			x, width = last+1, cut-last-1
		}
		last = cut
	}
	return x, width
}

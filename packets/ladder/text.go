package ladder

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"

	"wirelab/internal/cells"
	"wirelab/internal/style"
)

// Options are how a ladder is drawn in a terminal.
type Options struct {
	Width   int            // columns; if less than 60, 60
	Palette *style.Palette // required
	Rows    int            // lines that may be used for slants to have room; if 0, 60
}

// A picture is a ladder under way to a terminal. Its columns are
//
//	time  ruler │ label │ slants │ label │ strip  notes
type picture struct {
	l    *Ladder
	o    Options
	rows []row
	c    *canvas

	clock           int // columns of the time and the ruler after it
	zone            int // columns of a label beside a lifeline
	left, right     int // columns of the lifelines in the canvas
	wide            bool
	strip           int // columns of the senders' state; 0 is none
	notes           int // columns
	inks            [kinds]lipgloss.Style
	dim, lost, bold lipgloss.Style
	decimals        int
	beside          [][]note
	ruler           [2]int // rows of its begin and end
}

// A note is a line of the column at the right.
type note struct {
	text string
	ink  *lipgloss.Style
}

// Text draws l for a terminal: a row for each departure and each arrival, in
// order of time, the slants between them. Rows that are one after the other are
// not equally far apart in time, so that ten segments in flight at once stay
// readable; a round trip and longer is folded.
func (l *Ladder) Text(w io.Writer, o Options) error {
	o.Width = max(o.Width, 60)
	if o.Rows == 0 {
		o.Rows = 60
	}
	p := picture{l: l, o: o}
	p.rows = l.spaced(l.rows(), o.Rows)
	p.measure()
	p.ruler = p.span()
	p.draw()
	out := bufio.NewWriter(w)
	p.head(out)
	for y := range p.rows {
		out.WriteString(strings.TrimRight(p.gutter(y)+p.c.line(y)+p.side(y), " "))
		out.WriteByte('\n')
	}
	p.legend(out)
	return out.Flush()
}

// measure shares the columns out.
func (p *picture) measure() {
	pal := p.o.Palette
	for k := range kinds {
		p.inks[k] = k.ink(pal)
	}
	p.dim, p.lost, p.bold = pal.Dim, pal.Error, pal.Name
	p.decimals = p.precision()
	p.clock = 9
	for _, r := range p.rows {
		p.clock = max(p.clock, len(p.time(r.at))+2)
	}
	p.wide = p.o.Width >= 120
	if len(p.l.Samples) > 0 && p.o.Width >= 140 {
		p.strip = 34
	}
	longest := 0
	for i := range p.l.Arrows {
		longest = max(longest, cells.Width(p.label(&p.l.Arrows[i])))
	}
	most := 18
	if p.wide {
		most = 40
	}
	p.zone = min(max(longest+3, 12), most)
	rest := p.o.Width - p.clock - p.strip
	p.notes = max(min(rest/3, 70), 14)
	if !p.noted() {
		p.notes = 0
	}
	area := rest - p.notes - 3
	if area < 2*p.zone+10 {
		p.notes = max(p.notes-(2*p.zone+10-area), min(p.notes, 12))
		area = rest - p.notes - 3
		p.zone = min(p.zone, max((area-8)/2, 4))
	}
	area = min(area, 2*p.zone+64)
	p.notes = rest - area - 3
	p.left, p.right = 0, area+1
	p.c = newCanvas(area+2, len(p.rows))
}

// noted reports whether anything stands in the column of notes.
func (p *picture) noted() bool {
	for i := range p.l.Arrows {
		if len(p.l.notes(&p.l.Arrows[i])) > 0 {
			return true
		}
	}
	return len(p.l.Samples) > 0 && p.strip == 0
}

// precision is how many digits of a second tell neighbours apart, at most 6.
func (p *picture) precision() int {
	least := time.Duration(math.MaxInt64)
	for i := 1; i < len(p.rows); i++ {
		if d := p.rows[i].at.Sub(p.rows[i-1].at); d > time.Microsecond {
			least = min(least, d)
		}
	}
	switch {
	case least >= time.Millisecond:
		return 3
	case least >= 100*time.Microsecond:
		return 4
	}
	return 6
}

// time returns t as seconds since the ladder's begin.
func (p *picture) time(t time.Time) string {
	return fmt.Sprintf("%.*f", p.decimals, t.Sub(p.l.begin()).Seconds())
}

// label is what stands beside the tail of a.
func (p *picture) label(a *Arrow) string {
	s := a.Kind.Sign() + " " + a.Label
	if p.wide && a.Detail != "" {
		s += " " + a.Detail
	}
	return cells.Visible(s)
}

// fit shortens a label: a length in parentheses goes first.
func fit(s string, width int) string {
	if cells.Width(s) <= width {
		return s
	}
	if i := strings.IndexByte(s, '('); i > 0 && cells.Width(s[:i]) <= width {
		return s[:i]
	}
	return cells.Cut(s, width)
}

// head writes the title and the names of the lifelines.
func (p *picture) head(out *bufio.Writer) {
	if p.l.Title != "" {
		for _, line := range cells.Wrap(cells.Visible(p.l.Title), p.o.Width, p.o.Width) {
			fmt.Fprintln(out, p.bold.Render(line))
		}
		out.WriteByte('\n')
	}
	c := newCanvas(p.o.Width, 1)
	c.put(max(p.clock-2-len("seconds"), 0), 0, "seconds", &p.dim)
	if len(p.l.Lifelines) > 0 {
		first := cells.Cut(cells.Visible(p.l.Lifelines[0]), (p.right-p.left)/2-2)
		c.put(p.clock, 0, first, &p.bold)
		last := cells.Cut(cells.Visible(p.l.Lifelines[p.l.last()]), (p.right-p.left)/2-2)
		c.put(p.clock+p.right+1-cells.Width(last), 0, last, &p.bold)
		if len(p.l.Lifelines) > 2 {
			name := cells.Cut(cells.Visible(p.l.Lifelines[1]), 12)
			x := p.clock + p.mid(1) - cells.Width(name)/2
			if x > p.clock+cells.Width(first)+1 && x+cells.Width(name)+1 < p.clock+p.right-cells.Width(last) {
				c.put(x, 0, name, &p.dim)
			}
		}
	}
	x := p.clock + p.right + 2
	if p.strip > 0 {
		c.put(x, 0, "cwnd/ssthresh", &p.dim)
		c.put(x+24, 0, "RTO", &p.dim)
		x += p.strip
	}
	out.WriteString(strings.TrimRight(c.line(0), " "))
	out.WriteByte('\n')
}

// mid is the column of lifeline i.
func (p *picture) mid(i int) int {
	n := max(p.l.last(), 1)
	return p.left + (p.right-p.left)*min(max(i, 0), n)/n
}

// draw fills the canvas.
func (p *picture) draw() {
	c := p.c
	p.beside = make([][]note, len(p.rows))
	from, to := make([]int, len(p.l.Arrows)), make([]int, len(p.l.Arrows))
	for y, r := range p.rows {
		switch r.moment {
		case leaves:
			from[r.arrow] = y
		case arrives:
			to[r.arrow] = y
		}
	}
	for y, r := range p.rows {
		mark := "│"
		if r.moment == folds {
			mark = "┆"
		}
		for i := 1; i < p.l.last(); i++ {
			c.put(p.mid(i), y, "┊", &p.dim)
		}
		c.put(p.left, y, mark, nil)
		c.put(p.right, y, mark, nil)
	}
	for y, r := range p.rows { // slants first: text lies above
		if r.moment == arrives {
			p.slant(&p.l.Arrows[r.arrow], from[r.arrow], y)
		}
	}
	for y, r := range p.rows {
		switch r.moment {
		case leaves:
			p.tail(&p.l.Arrows[r.arrow], y, to[r.arrow] > 0)
			p.note(y, &p.l.Arrows[r.arrow])
		case arrives:
			p.tip(&p.l.Arrows[r.arrow], y)
		case both:
			a := &p.l.Arrows[r.arrow]
			p.flat(a, y)
			p.note(y, a)
		case folds:
			text := " ⋮ " + short(r.gap) + " "
			c.put((p.left+p.right)/2-cells.Width(text)/2, y, text, &p.dim)
		case bundles:
			p.bundle(&p.l.Bundles[r.bundle], y)
		}
	}
	p.state()
}

// place returns the columns between which the line of a runs and where its
// label stands, for an arrow that goes to the right or to the left.
func (p *picture) slant(a *Arrow, y0, y1 int) {
	ink := &p.inks[a.Kind]
	every := 1
	if a.Kind == Ack {
		every = 2
	}
	x0, x1 := p.inner(a.From, rightward(a)), p.inner(a.To, !rightward(a))
	p.c.slant(x0, y0, x1, y1, every, ink)
}

// inner is the column where a slant meets the flat end beside lifeline i, which
// lies to its left if before is set.
func (p *picture) inner(i int, before bool) int {
	switch {
	case i <= 0:
		return p.left + 1 + p.zone
	case i >= p.l.last():
		return p.right - p.zone
	case before:
		return p.mid(i) + 1
	}
	return p.mid(i)
}

// flatMark is what the flat parts of an arrow are drawn with.
func flatMark(k Kind) string {
	if k == Ack {
		return "╌"
	}
	return "─"
}

// tail draws where a leaves, with its label, and, if it goes nowhere, its end.
func (p *picture) tail(a *Arrow, y int, goes bool) {
	ink := &p.inks[a.Kind]
	right := rightward(a)
	mark := flatMark(a.Kind)
	x := p.mid(a.From)
	start, stop := x+1, p.inner(a.From, right)
	if !right {
		start, stop = p.inner(a.From, right), x
	}
	if a.From > 0 && a.From < p.l.last() { // from the link: no room beside it
		p.c.put(x, y, a.Kind.Sign(), ink)
		return
	}
	label := fit(p.label(a), p.zone-2)
	if !goes {
		end, ink := p.mid(a.LostAt), &p.lost
		if !a.Lost || a.LostAt < 0 || a.LostAt == a.From {
			end = (p.left + p.right) / 2
		}
		sign := lostSign
		if !a.Lost {
			sign, ink = "?", &p.dim
		}
		if right {
			stop = end
		} else {
			start = end + 1
		}
		p.c.fill(start, stop, y, mark, &p.inks[a.Kind])
		p.c.put(end, y, sign, ink)
	} else {
		p.c.fill(start, stop, y, mark, ink)
	}
	if right {
		p.c.put(x, y, "├", nil)
		p.c.put(x+1, y, label+" ", ink)
	} else {
		p.c.put(x, y, "┤", nil)
		p.c.put(x-cells.Width(label)-1, y, " "+label, ink)
	}
}

// tip draws where a arrives.
func (p *picture) tip(a *Arrow, y int) {
	ink := &p.inks[a.Kind]
	x, mark, end := p.mid(a.To), flatMark(a.Kind), p.inner(a.To, !rightward(a))
	head := "▶"
	if !rightward(a) {
		head = "◀"
	}
	headInk := ink
	if a.Lost {
		head, headInk = lostSign, &p.lost
	}
	if rightward(a) {
		p.c.fill(end, x-1, y, mark, ink)
		p.c.put(x-1, y, head, headInk)
	} else {
		p.c.fill(x+2, end, y, mark, ink)
		p.c.put(x+1, y, head, headInk)
	}
}

// flat draws an arrow that takes no time.
func (p *picture) flat(a *Arrow, y int) {
	ink := &p.inks[a.Kind]
	p.tail(a, y, true)
	x0, x1 := p.inner(a.From, rightward(a)), p.inner(a.To, !rightward(a))
	p.c.fill(min(x0, x1), max(x0, x1), y, flatMark(a.Kind), ink)
	p.tip(a, y)
}

// bundle draws what was counted.
func (p *picture) bundle(b *Bundle, y int) {
	room := p.right - p.left - 1
	text := b.counts()
	if cells.Width(text) > room {
		text = strings.ReplaceAll(text, " data ", "× ")
	}
	text = cells.Cut(text, room)
	p.c.fill(p.left+1, p.right, y, " ", nil)
	p.c.put(p.left, y, "┆", nil)
	p.c.put(p.right, y, "┆", nil)
	p.c.put(p.left+1+(room-cells.Width(text))/2, y, text, &p.bold)
	if s := b.trouble(); s != "" {
		p.beside[y] = append(p.beside[y], note{s, &p.lost})
	}
	p.beside[y] = append(p.beside[y], note{b.where(), &p.dim})
}

package grade

import (
	"fmt"
	"strings"

	"wirelab/internal/cells"
	"wirelab/internal/style"
)

// A View says how to show a result.
type View struct {
	Width   int            // columns of the terminal
	Palette *style.Palette //
}

// Bounds of columns, in cells.
const (
	leastWidth  = 40
	learnerMost = 28
	columnGap   = 2
)

// none stands where there is nothing.
const none = "–"

// Table shows the totals of all learners, and below them what bundles are named
// for. A ! marks a lab whose bundle is named for a fault. Where the labs do not
// fit beside each other they follow each other.
func (r *Result) Table(v View) string {
	v.Width = max(v.Width, leastWidth)
	var b strings.Builder
	if len(r.Learners) > 0 {
		if !r.wide(&b, v) {
			r.long(&b, v)
		}
		b.WriteByte('\n')
	}
	r.named(&b, v)
	return b.String()
}

// wide draws a column for each lab, or reports that they do not fit.
func (r *Result) wide(b *strings.Builder, v View) bool {
	name := r.nameWidth()
	width := name
	columns := make([]int, len(r.Labs))
	for i, lab := range r.Labs {
		columns[i] = cells.Width(lab.Name)
		for j := range r.Learners {
			columns[i] = max(columns[i], cells.Width(r.score(&r.Learners[j], i)))
		}
		columns[i] = max(columns[i], cells.Width(r.mean(i)))
		width += columnGap + columns[i]
	}
	totals, total := make([]string, len(r.Learners)), cells.Width("total")
	for i := range r.Learners {
		totals[i] = r.Learners[i].total()
		total = max(total, cells.Width(totals[i]))
	}
	if width+columnGap+total > v.Width {
		return false
	}
	gap := strings.Repeat(" ", columnGap)
	head := cells.Pad("learner", name)
	for i, lab := range r.Labs {
		head += gap + cells.PadLeft(lab.Name, columns[i])
	}
	b.WriteString(v.Palette.Dim.Render(head+gap+cells.PadLeft("total", total)) + "\n")
	for i := range r.Learners {
		l := &r.Learners[i]
		b.WriteString(v.Palette.Name.Render(cells.Pad(shortName(l.Name, name), name)))
		for j := range r.Labs {
			b.WriteString(gap + v.ink(l.Marks[j], cells.PadLeft(r.score(l, j), columns[j])))
		}
		b.WriteString(gap + cells.PadLeft(totals[i], total) + "\n")
	}
	if len(r.Learners) > 1 {
		foot := cells.Pad("mean", name)
		for i := range r.Labs {
			foot += gap + cells.PadLeft(r.mean(i), columns[i])
		}
		b.WriteString(v.Palette.Dim.Render(foot) + "\n")
	}
	return true
}

// long draws the labs of each learner one after the other.
func (r *Result) long(b *strings.Builder, v View) {
	name := r.nameWidth()
	total := 0
	for i := range r.Learners {
		total = max(total, cells.Width(r.Learners[i].total()))
	}
	gap := strings.Repeat(" ", columnGap)
	indent := name + columnGap + total + columnGap
	for i := range r.Learners {
		l := &r.Learners[i]
		b.WriteString(v.Palette.Name.Render(cells.Pad(shortName(l.Name, name), name)) + gap + cells.PadLeft(l.total(), total))
		at := indent
		b.WriteString(gap)
		for j, lab := range r.Labs {
			entry := lab.Name + " " + r.score(l, j)
			if at > indent && at+columnGap+cells.Width(entry) > v.Width {
				b.WriteString("\n" + strings.Repeat(" ", indent))
				at = indent
			}
			if at > indent {
				b.WriteString(gap)
				at += columnGap
			}
			b.WriteString(v.ink(l.Marks[j], entry))
			at += cells.Width(entry)
		}
		b.WriteByte('\n')
	}
}

// ink colours what a mark is shown as.
func (v View) ink(m *Mark, text string) string {
	switch {
	case m == nil:
		return v.Palette.Dim.Render(text)
	case m.Faulty():
		return v.Palette.Error.Render(text)
	}
	return text
}

// score is what a learner has in a lab.
func (r *Result) score(l *Learner, lab int) string {
	m := l.Marks[lab]
	if m == nil {
		return none
	}
	text := number(m.Points) + "/" + number(r.Labs[lab].Of)
	if m.Faulty() {
		return text + "!"
	}
	return text
}

// mean is what those who handed a lab in have on average.
func (r *Result) mean(lab int) string {
	n, sum := 0, 0.0
	for i := range r.Learners {
		if m := r.Learners[i].Marks[lab]; m != nil {
			n++
			sum += m.Points
		}
	}
	if n == 0 {
		return none
	}
	return number(sum / float64(n))
}

func (l *Learner) total() string {
	return fmt.Sprintf("%s/%s %3.0f%%", number(l.Points), number(l.Of), 100*l.Share())
}

func (r *Result) nameWidth() int {
	width := cells.Width("learner")
	for i := range r.Learners {
		width = max(width, cells.Width(shortName(r.Learners[i].Name, learnerMost)))
	}
	return width
}

// shortName is a learner's name as the table shows it: what is in a bundle may be
// anything.
func shortName(name string, width int) string {
	return cells.Cut(cells.Visible(strings.Join(strings.Fields(name), " ")), width)
}

// named lists what bundles are named for: faults, then notes.
func (r *Result) named(b *strings.Builder, v View) {
	faults, notes := 0, 0
	for _, fault := range []bool{true, false} {
		for _, m := range r.Bundles {
			for _, f := range m.Findings {
				if f.Fault != fault {
					continue
				}
				sign, ink := "· ", v.Palette.Dim
				if fault {
					sign, ink = "! ", v.Palette.Error
				}
				text := cells.Visible(m.File) + ": " + f.Text
				for i, line := range cells.Wrap(text, v.Width-2, v.Width-2) {
					if i > 0 {
						sign = "  "
					}
					b.WriteString(ink.Render(sign) + line + "\n")
				}
			}
		}
	}
	for _, m := range r.Bundles {
		switch {
		case m.Faulty():
			faults++
		case len(m.Findings) > 0:
			notes++
		}
	}
	if faults+notes > 0 {
		b.WriteByte('\n')
	}
	text := fmt.Sprintf("%s of %s: %d named for a fault (!), %d with a note alone (·)",
		plural(len(r.Bundles), "bundle", "bundles"), plural(len(r.Learners), "learner", "learners"), faults, notes)
	for _, line := range cells.Wrap(text, v.Width, v.Width) {
		b.WriteString(line + "\n")
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

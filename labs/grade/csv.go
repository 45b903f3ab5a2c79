package grade

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
)

// csvHead names the columns of WriteCSV.
var csvHead = []string{"learner", "lab", "file", "points", "of", "weight", "right", "steps", "hints", "tries", "named"}

// WriteCSV writes a line for each learner and lab, with a head. A lab that was
// not handed in has no file and no points. A text that a spreadsheet would take
// for a formula begins with an apostrophe.
func (r *Result) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	if err := c.Write(csvHead); err != nil {
		return err
	}
	for i := range r.Learners {
		l := &r.Learners[i]
		for j, lab := range r.Labs {
			line := []string{cell(l.Name), cell(lab.Name), "", "0", number(lab.Of), number(lab.Weight), "0", "", "0", "0", ""}
			if m := l.Marks[j]; m != nil {
				hints, tries := 0, 0
				for k := range m.Steps {
					hints += m.Steps[k].Hints
					tries += m.Steps[k].Tries
				}
				line[2], line[3] = cell(m.File), number(m.Points)
				line[6], line[7] = strconv.Itoa(m.Right()), strconv.Itoa(len(m.Steps))
				line[8], line[9] = strconv.Itoa(hints), strconv.Itoa(tries)
				line[10] = cell(m.Faults())
			}
			if err := c.Write(line); err != nil {
				return err
			}
		}
	}
	for _, m := range r.Lost() {
		if err := c.Write([]string{cell(m.Learner), cell(m.Lab), cell(m.File), "", "", "", "", "", "", "", cell(m.Faults())}); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// cell keeps a spreadsheet from reading a text as a formula (OWASP, CSV
// injection).
func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// Faults returns the faults that a bundle is named for, in one line.
func (m *Mark) Faults() string {
	var all []string
	for _, f := range m.Findings {
		if f.Fault {
			all = append(all, string(f.Kind)+": "+f.Text)
		}
	}
	return strings.Join(all, "; ")
}

// Lost returns the marks of files that could not be marked, and so stand for
// nobody in the table.
func (r *Result) Lost() []*Mark {
	var all []*Mark
	for _, m := range r.Bundles {
		if m.has(Unreadable) || m.has(Unmarkable) {
			all = append(all, m)
		}
	}
	return all
}

// number writes points with at most two decimals, and none that it does not need.
func number(v float64) string {
	s := strconv.FormatFloat(v, 'f', 2, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

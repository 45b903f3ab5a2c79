package view

import "wirelab/labs/attempt"

// Words returns the sign and the word for how far a step is. Each is one cell,
// a blank and a word.
func Words(s attempt.Status) (string, Ink) {
	switch s {
	case attempt.Right:
		return "✓ right", Good
	case attempt.Wrong:
		return "✗ wrong", Bad
	case attempt.GivenUp:
		return "– given up", Dim
	case attempt.Skipped:
		return "– skipped", Dim
	case attempt.Locked:
		return "· locked", Plain
	}
	return "· open", Dim
}

// Checks returns the table that closes a lab: a line for each number that was
// asked for, with what the learner said, what theory says, and what the run gave.
func Checks(list []attempt.Check) *Table {
	t := &Table{
		Heads: []string{"step", "", "you", "theory", "the run", "allowed", "source"},
		Right: []bool{false, false, true, true, true, true, false},
		Empty: "The lab asked for no numbers.",
		Wrap:  true,
		Under: true,
	}
	apart := false
	for i := range list {
		c := &list[i]
		word, ink := Words(c.Status)
		given := Cell{Text: c.Given, Ink: ink}
		if c.Given == "" {
			given = Cell{missing, Dim}
		}
		ran := Cell{missing, Dim}
		if c.HasMeasured {
			ran = Cell{"≈ " + attempt.Show(c.Measured), Plain}
			if !c.Agrees {
				ran = Cell{"≠ " + attempt.Show(c.Measured), Bad}
				apart = true
			}
		}
		allowed := c.Tolerance
		if allowed != "" && allowed != "exact" {
			allowed = "± " + allowed
		}
		t.Rows = append(t.Rows, []Cell{{Text: c.Name()}, {word, ink}, given, {Text: attempt.Show(c.Expected)}, ran, {allowed, Dim}, {c.Step.Source, Dim}})
	}
	if apart {
		t.Note = "≠ is farther from theory than the lab allows for chance."
	}
	return t
}

// Turned returns the table that sets the predictions' formulas beside what was
// measured, with one value of the knob and with another; was and is are these,
// such as "rtt = 40 ms".
func Turned(before, after []attempt.Pair, was, is string) *Table {
	t := &Table{
		Heads: []string{"step", was + ": theory", "run", is + ": theory", "run"},
		Right: []bool{false, true, true, true, true},
		Empty: "The lab has no prediction to compare.",
		Wrap:  true,
	}
	for i := range after {
		row := []Cell{{Text: after[i].Step}, {missing, Dim}, {missing, Dim}, {Text: after[i].Expected}, measured(&after[i])}
		for k := range before {
			if before[k].Step == after[i].Step {
				row[1], row[2] = Cell{Text: before[k].Expected}, measured(&before[k])
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// measured writes what a run gave, and whether theory says so, too.
func measured(p *attempt.Pair) Cell {
	switch {
	case p.Measured == "":
		return Cell{missing, Dim}
	case p.Agrees:
		return Cell{"≈ " + p.Measured, Plain}
	}
	return Cell{"≠ " + p.Measured, Bad}
}

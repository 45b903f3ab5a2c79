package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"wirelab/internal/cells"
	"wirelab/labs/attempt"
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
	"wirelab/labs/view"
)

// maxAnswers is how many bytes of a file with answers are read.
const maxAnswers = 1 << 20

// knobWord is what a file with answers calls the knob.
const knobWord = "knob"

// answers are those of a file.
type answers struct {
	file string
	all  []answerLine
}

// An answerLine is one of them.
type answerLine struct {
	line       int
	step, part string
	text       string
}

// of returns the answer to a part of a step.
func (g *answers) of(st *sheet.Step, part int) (answerLine, bool) {
	for _, l := range g.all {
		if l.step == st.Name && partOf(st, l.part) == part {
			return l, true
		}
	}
	return answerLine{}, false
}

// partOf returns which part of a step a word names; −1: none.
func partOf(st *sheet.Step, word string) int {
	if word == "" && st.Parts() == 1 {
		return 0
	}
	return slices.IndexFunc(st.Blanks, func(b sheet.Blank) bool { return word != "" && b.Name == word })
}

// readAnswers reads a file with answers for a lab; - is in.
func readAnswers(path string, in io.Reader, s *sheet.Sheet) (*answers, error) {
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, cannot("want a file with lines 'step = answer'", "--answers: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxAnswers+1))
	switch {
	case err != nil:
		return nil, cannot("want a file with lines 'step = answer'", "--answers %s: %w", path, err)
	case len(data) > maxAnswers:
		return nil, cannot("want a file with lines 'step = answer'", "--answers %s: more than %d MiB", path, maxAnswers>>20)
	}
	all, err := parseAnswers(string(data), s)
	if err != nil {
		return nil, cannot("want lines 'step = answer'; the steps are "+strings.Join(stepWords(s), ", "), "%s:%w", path, err)
	}
	return &answers{path, all}, nil
}

// stepWords lists what a file with answers for a lab may hold.
func stepWords(s *sheet.Sheet) []string {
	var words []string
	for _, st := range s.Steps {
		if st.Parts() == 1 {
			words = append(words, st.Name)
			continue
		}
		for _, b := range st.Blanks {
			words = append(words, st.Name+"."+b.Name)
		}
	}
	if s.Knob != nil {
		words = append(words, knobWord)
	}
	return words
}

// parseAnswers reads the lines. The error begins with the number of the line.
func parseAnswers(text string, s *sheet.Sheet) ([]answerLine, error) {
	var all []answerLine
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		if line == "" || line[0] == '#' {
			continue
		}
		if !utf8.ValidString(line) {
			return nil, fmt.Errorf("%d: this is no text in UTF-8", n)
		}
		name, text, found := strings.Cut(line, "=")
		if !found {
			return nil, fmt.Errorf("%d: %q has no '='", n, shortWords(line))
		}
		l := answerLine{line: n, text: strings.TrimSpace(text)}
		l.step, l.part, _ = strings.Cut(strings.TrimSpace(name), ".")
		st := s.Step(l.step)
		switch {
		case st == nil && l.step == knobWord && l.part == "" && s.Knob != nil:
		case st == nil:
			return nil, fmt.Errorf("%d: no step %q", n, shortWords(l.step))
		case partOf(st, l.part) < 0:
			return nil, fmt.Errorf("%d: step %s has no %q", n, l.step, shortWords(l.part))
		}
		if i := slices.IndexFunc(all, func(o answerLine) bool { return o.step == l.step && o.part == l.part }); i >= 0 && st != nil {
			return nil, fmt.Errorf("%d: %s was answered in line %d", n, strings.TrimSpace(name), all[i].line)
		}
		all = append(all, l)
	}
	return all, nil
}

// shortWords is as much of a text as an error repeats.
func shortWords(s string) string { return cells.Cut(cells.Visible(s), 40) }

// A labVerdict is what --json says of a file with answers.
type labVerdict struct {
	Lab     string          `json:"lab"`
	Learner attempt.Learner `json:"learner"`
	Seed    uint64          `json:"seed"`
	Points  float64         `json:"points"`
	Of      float64         `json:"of"`
	Steps   []stepVerdict   `json:"steps"`
	Turns   []attempt.Turn  `json:"turns,omitempty"`
}

type stepVerdict struct {
	Step     string `json:"step"`
	Part     string `json:"part,omitempty"`
	Line     int    `json:"line,omitempty"` // of the file; 0: no answer
	Input    string `json:"input,omitempty"`
	Given    string `json:"given,omitempty"` // as it was understood
	Verdict  string `json:"verdict"`         // right, wrong, missing or unreadable
	Feedback string `json:"feedback,omitempty"`
	Expected string `json:"expected,omitempty"`
	Measured string `json:"measured,omitempty"`
}

// judge works through the lab with the answers of a file, from the beginning.
func (s *labSession) judge(ctx context.Context, given *answers, asJSON bool) error {
	att := attempt.New(s.sheet, s.learner, nil, time.Now())
	verdict := labVerdict{Lab: s.sheet.Name, Learner: s.learner, Seed: att.Variant.Seed}
	if err := s.answerAll(ctx, att, given, &verdict); err != nil {
		return err
	}
	if err := s.turnAll(ctx, att, given); err != nil {
		return err
	}
	_ = att.Go(len(att.Stops())-1, time.Now()) // it was run: nothing is in the way
	record := att.Record()
	s.book.save(record)
	verdict.Points, verdict.Of = att.Points()
	verdict.Turns = record.Turns
	bad := 0
	for _, v := range verdict.Steps {
		if v.Verdict != "right" {
			bad++
		}
	}
	if err := s.printVerdict(att, &verdict, asJSON); err != nil {
		return err
	}
	if err := s.handIn(att); err != nil {
		return err
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d answers are wrong or missing", bad, len(verdict.Steps))
	}
	return nil
}

// answerAll answers the predictions, plays the run and answers the rest.
func (s *labSession) answerAll(ctx context.Context, att *attempt.Attempt, given *answers, verdict *labVerdict) error {
	unread := map[string]error{}
	answer := func(st *sheet.Step) error {
		for part := range st.Parts() {
			l, ok := given.of(st, part)
			if !ok {
				break // parts are answered in order
			}
			reply, err := att.AnswerStep(st, chosen(att, st, l.text), time.Now())
			if bad := (*measure.Unreadable)(nil); errors.As(err, &bad) {
				unread[fmt.Sprint(st.Name, part)] = err
				break
			} else if err != nil {
				return fmt.Errorf("step %s: %w", st.Name, err)
			}
			if !reply.Locked && !reply.Verdict.Right {
				break
			}
		}
		att.SkipStep(st, time.Now())
		return nil
	}
	for _, st := range s.sheet.Steps {
		if st.Kind == sheet.Predict {
			if err := answer(st); err != nil {
				return err
			}
		}
	}
	runs, err := s.player.play(ctx, att.Variant)
	if err != nil {
		return err
	}
	if err := att.Played(runs, time.Now()); err != nil {
		return err
	}
	for _, st := range s.sheet.Steps {
		if st.Kind != sheet.Predict {
			if err := answer(st); err != nil {
				return err
			}
		}
	}
	for _, st := range s.sheet.Steps {
		for part := range st.Parts() {
			verdict.Steps = append(verdict.Steps, verdictOf(att, st, part, given, unread[fmt.Sprint(st.Name, part)]))
		}
	}
	return nil
}

// chosen returns the letter of the one option of a choice that begins with a
// text, and any other answer as it is.
func chosen(att *attempt.Attempt, st *sheet.Step, text string) string {
	if st.Kind != sheet.Choice || len(text) < 2 {
		return text
	}
	shown, err := st.Choices(att.Variant, att.Runs())
	if err != nil {
		return text
	}
	letters := []string{}
	for _, o := range shown {
		if strings.HasPrefix(strings.ToLower(o.Text), strings.ToLower(text)) {
			letters = append(letters, o.Letter)
		}
	}
	if len(letters) == 1 {
		return letters[0]
	}
	return text
}

// sentences joins two, the first of which may have no full stop.
func sentences(a, b string) string {
	switch {
	case b == "":
		return a
	case strings.HasSuffix(a, "."), strings.HasSuffix(a, "?"), strings.HasSuffix(a, "!"):
		return a + " " + b
	}
	return a + ". " + b
}

// verdictOf says what became of an answer.
func verdictOf(att *attempt.Attempt, st *sheet.Step, part int, given *answers, unread error) stepVerdict {
	v := stepVerdict{Step: st.Name, Verdict: "missing"}
	if len(st.Blanks) > part {
		v.Part = st.Blanks[part].Name
	}
	l, ok := given.of(st, part)
	if !ok {
		return v
	}
	v.Line, v.Input = l.line, l.text
	if unread != nil {
		v.Verdict, v.Feedback = "unreadable", unread.Error()
		return v
	}
	// A blank behind one that is wrong was not asked: it is judged all the same.
	judged, err := st.Judge(part, chosen(att, st, l.text), att.Variant, att.Runs())
	if err != nil {
		v.Verdict, v.Feedback = "unreadable", err.Error()
		return v
	}
	v.Verdict, v.Given = "wrong", judged.Given
	if judged.Right {
		v.Verdict = "right"
	} else {
		v.Feedback = judged.Feedback
	}
	for _, c := range att.Checks() {
		if c.Step == st && c.Part == part && (judged.Right || st.Kind == sheet.Predict) {
			v.Expected = c.Expected.String()
			if c.HasMeasured {
				v.Measured = c.Measured.String()
			}
		}
	}
	return v
}

// turnAll turns the knob to the values of the file.
func (s *labSession) turnAll(ctx context.Context, att *attempt.Attempt, given *answers) error {
	for _, l := range given.all {
		if l.step != knobWord || s.sheet.Step(l.step) != nil {
			continue
		}
		v, err := att.Turn(l.text)
		if err != nil {
			return cannot("", "%s:%d: knob: %w", given.file, l.line, err)
		}
		runs, err := s.player.play(ctx, v)
		if err != nil {
			return err
		}
		if _, err := att.Turned(v, runs, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// printVerdict writes it as lines, or as JSON.
func (s *labSession) printVerdict(att *attempt.Attempt, verdict *labVerdict, asJSON bool) error {
	out := bufio.NewWriter(s.app.out)
	if asJSON {
		return errors.Join(writeJSON(out, verdict, "  "), out.Flush())
	}
	fmt.Fprintf(out, "%s, for %s\n\n", cells.Visible(s.sheet.Title), learnerWords(s.learner))
	names := 0
	for _, v := range verdict.Steps {
		names = max(names, cells.Width(v.name()))
	}
	names = min(names, 24)
	for _, v := range verdict.Steps {
		sign, grade := "✗", 3
		switch v.Verdict {
		case "right":
			sign, grade = "✓", 0
		case "missing":
			sign, grade = "·", 2
		}
		text := v.Verdict
		if v.Given != "" {
			text += ": " + v.Given
		}
		text = sentences(text, v.Feedback)
		head := sign + " " + cells.Pad(v.name(), names) + "  "
		room := max(s.width-cells.Width(head), 20)
		for i, line := range cells.Wrap(cells.Visible(text), room, room) {
			if i > 0 {
				head = strings.Repeat(" ", names+4)
			}
			fmt.Fprintln(out, s.palette.Grade(grade).Render(head+line))
		}
	}
	fmt.Fprintln(out)
	for _, line := range view.Checks(att.Checks()).Text(s.width, s.palette) {
		fmt.Fprintln(out, line)
	}
	for _, t := range verdict.Turns {
		fmt.Fprintln(out)
		s.printTurn(out, att, t)
	}
	fmt.Fprintf(out, "\n%s of %s points\n", number(verdict.Points), number(verdict.Of))
	return out.Flush()
}

// name is the step, and the blank if it has several.
func (v *stepVerdict) name() string {
	if v.Part != "" {
		return cells.Visible(v.Step + "." + v.Part)
	}
	return cells.Visible(v.Step)
}

// printTurn writes what a turn of the knob changed.
func (s *labSession) printTurn(out io.Writer, att *attempt.Attempt, t attempt.Turn) {
	name := s.sheet.Knob.Variable + " = "
	table := view.Turned(att.Before(), t.Pairs, name+att.KnobText(), name+t.Text)
	for _, line := range table.Text(s.width, s.palette) {
		fmt.Fprintln(out, line)
	}
}

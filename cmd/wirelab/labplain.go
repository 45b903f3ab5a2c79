package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"wirelab/internal/cells"
	"wirelab/internal/style"
	"wirelab/labs/attempt"
	"wirelab/labs/measure"
	"wirelab/labs/scenario"
	"wirelab/labs/sheet"
)

// labCommandsHelp lists the commands of a lab in lines.
const labCommandsHelp = `  :next :back        the next part, the one before
  :hint              the next hint
  :give-up           the solution; the step has no points then
  :skip              leave it open and go on
  :run               play the run again
  :knob VALUE        turn the knob, and play it again
  :list :go N        all parts, and to one of them
  :help :quit        what you did is kept
`

// maxAnswerLine caps a line of input, in bytes; package attempt refuses much
// shorter answers.
const maxAnswerLine = 4096

// A labTalk is a lab worked on in lines.
type labTalk struct {
	*labSession
	att   *attempt.Attempt
	to    io.Writer // text
	ask   io.Writer // what is asked, and what is said of an answer
	ended bool
}

// errStop ends a conversation that is not at its end.
var errStop = errors.New("stop")

// converse works on the lab in lines until the input ends, or the lab. What was
// done is kept after each line.
func (s *labSession) converse(ctx context.Context) error {
	t := &labTalk{labSession: s, att: s.begin(), to: s.app.out, ask: s.app.err}
	s.player.show = t.event
	err := t.talk(ctx)
	if errors.Is(err, errStop) {
		err = nil
	}
	if ctx.Err() != nil {
		return errInterrupted
	}
	if err != nil {
		return err
	}
	return s.handIn(t.att)
}

func (t *labTalk) talk(ctx context.Context) error {
	t.greet()
	if t.att.Stale() {
		if err := t.play(ctx); err != nil {
			return err
		}
	}
	lines := readLines(ctx, t.app.in)
	t.show()
	for !t.ended {
		t.prompt()
		var line string
		select {
		case l, ok := <-lines:
			if !ok {
				fmt.Fprintln(t.ask)
				t.farewell()
				return errStop
			}
			line = strings.TrimSpace(l)
		case <-ctx.Done():
			return errInterrupted
		}
		before := t.att.At()
		err := t.line(ctx, line)
		t.book.save(t.att.Record())
		if err != nil {
			return err
		}
		if t.att.At() != before && !t.ended {
			t.show()
		}
	}
	return nil
}

// readLines sends the lines of in. The goroutine ends at its end; a read that
// blocks when ctx ends stays until the program does.
func readLines(ctx context.Context, in io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		r := bufio.NewReaderSize(in, maxAnswerLine)
		for {
			b, more, err := r.ReadLine()
			line := string(b)
			for more && err == nil { // the rest of a line that is too long
				_, more, err = r.ReadLine()
			}
			if err != nil {
				return
			}
			select {
			case lines <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

// greet says whose numbers these are, and where it goes on.
func (t *labTalk) greet() {
	if t.learner.Name == "" {
		t.say("these are the numbers that everybody gets; --name YOU gives your own")
	} else {
		t.say("the numbers are those of " + learnerWords(t.learner))
	}
	if t.att.Revised {
		t.say("the lab's text has changed since; what you answered is kept where the question is still there")
	}
	if t.att.At() > 0 {
		t.say("it goes on at " + placeWords(t.att.Stop().Place) + "; wirelab lab reset " + t.sheet.Name + " begins anew")
	}
}

// farewell says where it stopped.
func (t *labTalk) farewell() {
	t.say("stopped at " + placeWords(t.att.Stop().Place) + "; wirelab lab run " + quoted(t.word) + " goes on there")
}

// say writes a word of the program's own.
func (t *labTalk) say(text string) {
	for i, l := range cells.Wrap(cells.Visible("wirelab: "+text), t.width, t.width-2) {
		if i > 0 {
			l = "  " + l
		}
		fmt.Fprintln(t.ask, l)
	}
}

// prompt asks for what is wanted now.
func (t *labTalk) prompt() {
	s := t.att.Stop()
	what := ""
	switch {
	case s.Step != nil && t.wanted(s.Step):
		what = "answer, " + t.unit(s.Step)
	case s.Place == attempt.Running && t.att.Runs() == nil:
		what = "Enter plays the run"
	case s.Place == attempt.Turning:
		what = t.sheet.Knob.Variable + " (Enter goes on)"
	case s.Place == attempt.Done:
		what = "Enter ends it"
	default:
		what = "Enter goes on"
	}
	fmt.Fprintf(t.ask, "[%d/%d] %s> ", t.att.At()+1, len(t.att.Stops()), cells.Visible(what))
}

// wanted reports whether a step takes an answer now.
func (t *labTalk) wanted(st *sheet.Step) bool {
	switch t.att.Work(st).Status {
	case attempt.Open:
		return true
	case attempt.Skipped:
		return st.Kind != sheet.Predict || !t.att.Ran()
	}
	return false
}

// unit says what an answer is: its unit, the name of the blank, or a letter.
func (t *labTalk) unit(st *sheet.Step) string {
	if st.Kind == sheet.Choice {
		return "letter"
	}
	w := t.att.Work(st)
	b := &st.Blanks[min(w.Part(st.Parts()), len(st.Blanks)-1)]
	words := b.Unit.Name
	switch {
	case b.Unit.IsText():
		words = "text"
	case words == "":
		words = "number"
	}
	if st.Kind == sheet.Fill {
		return "[" + b.Name + "], " + words
	}
	return words
}

// line does what a line says. errStop ends the conversation.
func (t *labTalk) line(ctx context.Context, line string) error {
	if strings.HasPrefix(line, ":") {
		return t.command(ctx, line)
	}
	s := t.att.Stop()
	switch {
	case s.Step != nil && t.wanted(s.Step):
		return t.answer(s.Step, line)
	case s.Place == attempt.Turning && line != "":
		return t.turn(ctx, line)
	case line != "":
		t.say("nothing is asked here: Enter goes on, :help tells more")
		return nil
	case s.Place == attempt.Running && t.att.Runs() == nil:
		return t.run(ctx)
	case s.Place == attempt.Done:
		t.ended = true
		return nil
	}
	t.move(t.att.Next(time.Now()))
	return nil
}

// move says why the learner did not move.
func (t *labTalk) move(err error) {
	switch {
	case err == nil:
	case errors.Is(err, attempt.ErrOpen):
		t.say("this wants an answer first; :skip leaves it open, :give-up shows the solution")
	case errors.Is(err, attempt.ErrEarly):
		t.say("predict first; :skip leaves a prediction open")
	case errors.Is(err, attempt.ErrNotRun):
		t.say("play the run first, with :run")
	default:
		t.say(err.Error())
	}
}

// command does a command.
func (t *labTalk) command(ctx context.Context, line string) error {
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	now := time.Now()
	switch word {
	case ":next", ":n":
		if s := t.att.Stop(); s.Place == attempt.Running && t.att.Runs() == nil && t.att.Ready() {
			return t.run(ctx)
		} else if s.Place == attempt.Done {
			t.ended = true
			return nil
		}
		t.move(t.att.Next(now))
	case ":back", ":b":
		if t.att.At() == 0 {
			t.say("this is the beginning")
		}
		t.att.Back(now)
	case ":hint", ":h":
		t.hint()
	case ":give-up", ":giveup", ":solution":
		t.giveUp()
	case ":skip":
		if t.att.Stop().Place == attempt.Running && t.att.Runs() == nil {
			t.say("without the run there is nothing to see: :run plays it")
			return nil
		}
		t.move(t.att.Skip(now))
	case ":run":
		return t.run(ctx)
	case ":knob":
		switch {
		case t.sheet.Knob == nil:
			t.say("this lab has no knob")
		case t.att.Runs() == nil:
			t.say("play the run first, with :run")
		case rest == "":
			t.say(":knob VALUE turns " + t.sheet.Knob.Variable + ", from " + t.att.KnobRange())
		default:
			return t.turn(ctx, rest)
		}
	case ":list", ":l":
		t.list()
	case ":go":
		n := 0
		if _, err := fmt.Sscanf(rest, "%d", &n); err != nil {
			t.say(":go wants a number of :list")
			return nil
		}
		t.move(t.att.Go(n-1, now))
	case ":help", ":?":
		fmt.Fprint(t.ask, labCommandsHelp)
	case ":quit", ":q":
		t.farewell()
		return errStop
	default:
		t.say(shortWords(word) + ": no such command; :help lists them")
	}
	return nil
}

// answer takes an answer to the step where the learner is.
func (t *labTalk) answer(st *sheet.Step, line string) error {
	now := time.Now()
	reply, err := t.att.Answer(line, now)
	if bad := (*measure.Unreadable)(nil); errors.As(err, &bad) {
		t.say(bad.Error() + "; nothing is lost, try again")
		return nil
	} else if err != nil {
		t.say(err.Error())
		return nil
	}
	switch {
	case reply.Locked:
		t.say("locked: " + reply.Verdict.Given + "; whether it is right shows after the run")
	case reply.Status == attempt.Right:
		t.verdict("✓ right: "+reply.Verdict.Given, 0)
		t.solution(st)
	case reply.Verdict.Right:
		t.verdict("✓ right: "+reply.Verdict.Given, 0)
		t.show()
		return nil
	default:
		t.verdict(sentences("✗ not right: "+reply.Verdict.Given, reply.Verdict.Feedback), 3)
		t.say("try again; :hint, :skip and :give-up are there, too")
		return nil
	}
	t.move(t.att.Next(now))
	return nil
}

// verdict writes what is said of an answer.
func (t *labTalk) verdict(text string, grade int) {
	for _, l := range cells.Wrap(cells.Visible(text), t.width, t.width) {
		fmt.Fprintln(t.to, t.palette.Grade(grade).Render(l))
	}
}

// solution writes a step's solution, if it may be seen.
func (t *labTalk) solution(st *sheet.Step) {
	if text, ok := t.att.Solution(st); ok {
		printProse(t.to, text, "  ", t.width)
		if st.Source != "" {
			printProse(t.to, "("+st.Source+")", "  ", t.width)
		}
	}
}

func (t *labTalk) hint() {
	text, n, of := t.att.Hint(time.Now())
	if of == 0 {
		t.say("there is no hint here")
		return
	}
	printItem(t.to, fmt.Sprintf("hint %d of %d: ", n, of), text, t.width)
}

func (t *labTalk) giveUp() {
	st := t.att.Stop().Step
	_, err := t.att.GiveUp(time.Now())
	if err != nil {
		t.say(err.Error())
		return
	}
	if _, ok := t.att.Solution(st); ok {
		t.solution(st)
	} else {
		t.say("the solution comes after the run")
	}
	t.move(t.att.Next(time.Now()))
}

// play plays the run and takes in what it gave.
func (t *labTalk) play(ctx context.Context) error {
	runs, err := t.player.play(ctx, t.att.Variant)
	if err != nil {
		return err
	}
	return t.att.Played(runs, time.Now())
}

// run plays the run, once all is predicted, and shows what became of that.
func (t *labTalk) run(ctx context.Context) error {
	if !t.att.Ran() && !t.att.Ready() {
		t.move(attempt.ErrEarly)
		return nil
	}
	if err := t.play(ctx); err != nil {
		return err
	}
	for i, s := range t.att.Stops() {
		if s.Place == attempt.Running {
			t.move(t.att.Go(i, time.Now()))
		}
	}
	t.predictions()
	t.move(t.att.Next(time.Now()))
	return nil
}

// event writes a line of a run that is played slowly.
func (t *labTalk) event(run string, e *scenario.Event) error {
	text := e.Describe()
	if run != "" {
		text = run + ": " + text
	}
	_, err := fmt.Fprintf(t.to, "%10.3f s  %s\n", e.T.Seconds(), cells.Cut(cells.Visible(text), max(t.width-14, 20)))
	return err
}

// turn turns the knob and plays the runs again.
func (t *labTalk) turn(ctx context.Context, value string) error {
	v, err := t.att.Turn(value)
	if bad := (*measure.Unreadable)(nil); errors.As(err, &bad) {
		t.say(bad.Error())
		return nil
	} else if err != nil {
		return err
	}
	runs, err := t.player.play(ctx, v)
	if err != nil {
		return err
	}
	turn, err := t.att.Turned(v, runs, time.Now())
	if err != nil { // with this value there is nothing to measure: try another
		t.say(err.Error())
		return nil
	}
	t.printTurn(t.to, t.att, turn)
	return nil
}

// list writes all parts, with a mark at where the learner is.
func (t *labTalk) list() {
	for i, s := range t.att.Stops() {
		mark := " "
		if i == t.att.At() {
			mark = "→"
		}
		fmt.Fprintf(t.to, "%s %2d  %s\n", mark, i+1, cells.Cut(t.stopWords(s), max(t.width-6, 10)))
	}
}

// stopWords names a stop, with how far its step is.
func (t *labTalk) stopWords(s attempt.Stop) string {
	switch {
	case s.Step != nil:
		return style.Visible(fmt.Sprintf("%s %s: %s", s.Step.Kind, s.Step.Name, t.att.Work(s.Step).Status))
	case s.View != nil:
		return style.Visible(fmt.Sprintf("see %s", s.View.Name))
	}
	return placeWords(s.Place)
}

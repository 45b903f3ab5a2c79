package sheet

import (
	"fmt"
	"math"
	"strings"
	"unicode"

	"golang.org/x/text/cases"

	"wirelab/internal/style"
	"wirelab/labs/measure"
)

// A Verdict is what is said of an answer.
type Verdict struct {
	Right    bool
	Given    string           // the answer as it was understood: "40 ms", an option's text
	Quantity measure.Quantity // of a number
	Option   int              // of a choice: its place in Step.Options
	Feedback string           // why it is wrong, if the sheet knows
	Wrong    int              // the place of that in Blank.Wrongs; −1: it matches none
}

// maxInput is the most bytes of an answer.
const maxInput = 1000

// Judge says whether an answer is right. The error is a *measure.Unreadable if
// the input makes no sense as an answer: ask again, nothing is lost. Any other
// error is the sheet's or the run's. runs may be nil for a prediction.
func (st *Step) Judge(part int, input string, v *Variant, runs measure.Runs) (Verdict, error) {
	if len(input) > maxInput {
		return Verdict{}, &measure.Unreadable{Text: input[:40], What: fmt.Sprintf("%d bytes are too many for an answer", len(input))}
	}
	if st.Kind == Choice {
		return st.judgeChoice(input, v, runs)
	}
	b, err := st.blank(part)
	if err != nil {
		return Verdict{}, err
	}
	truth, err := st.Expected(part, v, runs)
	if err != nil {
		return Verdict{}, err
	}
	scope := v.Scope(st.Run, runs)
	var verdict Verdict
	if b.Unit.IsText() {
		verdict, err = b.judgeText(input, truth.Words, scope)
	} else {
		verdict, err = b.judgeNumber(input, truth.Value, scope)
	}
	if err == nil && verdict.Wrong >= 0 {
		verdict.Feedback, err = v.TextOf(b.Wrongs[verdict.Wrong].Why, st.Run, runs)
	}
	return verdict, err
}

// judgeNumber compares a number with the truth, and if it is not right, with what
// is known to be wrong: the nearest that is within reach has the say.
func (b *Blank) judgeNumber(input string, truth float64, scope *measure.Scope) (Verdict, error) {
	q, err := measure.Parse(input, b.Unit)
	if err != nil {
		return Verdict{}, err
	}
	verdict := Verdict{Quantity: q, Given: q.String(), Wrong: -1}
	if verdict.Right, err = b.Tolerance.Within(q.Value, truth, scope); err != nil || verdict.Right {
		return verdict, err
	}
	best := math.Inf(1)
	for i := range b.Wrongs {
		w, err := b.Wrongs[i].Value.Number(scope)
		if err != nil {
			continue // this mistake cannot be made with these numbers
		}
		reach, err := b.Tolerance.Reach(w, scope)
		if err != nil {
			return verdict, err
		}
		// Who rounds to three digits is meant, too.
		reach = max(reach, math.Abs(w)*0.005)
		if d := math.Abs(q.Value - w); near(q.Value, w, reach) && d < best {
			best, verdict.Wrong = d, i
		}
	}
	return verdict, nil
}

// letters keeps of s what counts in an answer of words: letters and digits, without
// regard to case, so that "SYN, ACK" and "syn-ack" are the same.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, cases.Fold().String(s))
}

// judgeText compares words by their letters and digits.
func (b *Blank) judgeText(input, truth string, scope *measure.Scope) (Verdict, error) {
	given := strings.Join(strings.Fields(input), " ")
	if letters(given) == "" {
		return Verdict{}, &measure.Unreadable{Text: input, What: "nothing was given: want a word"}
	}
	same := func(a, b string) bool { return letters(a) == letters(b) }
	verdict := Verdict{Given: style.Visible(given), Right: same(given, truth), Wrong: -1}
	for i := range b.Wrongs {
		if verdict.Right {
			break
		}
		if w, err := b.Wrongs[i].Value.Text(scope); err == nil && same(given, w) {
			verdict.Wrong = i
			break
		}
	}
	return verdict, nil
}

// judgeChoice reads a letter, or an option's whole text.
func (st *Step) judgeChoice(input string, v *Variant, runs measure.Runs) (Verdict, error) {
	shown, err := st.Choices(v, runs)
	if err != nil {
		return Verdict{}, err
	}
	given := strings.Trim(strings.ToLower(strings.TrimSpace(input)), "().:")
	for _, o := range shown {
		if given != o.Letter && strings.TrimSpace(input) != o.Text {
			continue
		}
		option := &st.Options[o.Option]
		verdict := Verdict{Right: option.Right, Given: o.Text, Option: o.Option, Wrong: -1}
		if !option.Right {
			verdict.Feedback, err = v.TextOf(option.Why, st.Run, runs)
		}
		return verdict, err
	}
	var letters []string
	for _, o := range shown {
		letters = append(letters, o.Letter)
	}
	what := "nothing was given"
	if given != "" {
		what = fmt.Sprintf("%q is none of the letters", style.Visible(short(strings.TrimSpace(input))))
	}
	return Verdict{}, &measure.Unreadable{Text: input, What: fmt.Sprintf("%s: want %s", what, strings.Join(letters, ", "))}
}

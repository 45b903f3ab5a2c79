package measure

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"wirelab/internal/style"
)

// A Quantity is a number with its unit: Value is in the base unit.
type Quantity struct {
	Value float64
	Unit  Unit
}

// An Unreadable is the error of a text that is no quantity, or one of the wrong
// dimension. Nothing is lost: ask again.
type Unreadable struct {
	Text string // what was given
	What string // what is wrong with it, and what would be right
}

func (e *Unreadable) Error() string { return e.What }

// maxText is the most bytes of a quantity.
const maxText = 200

// Parse reads what a person writes for a quantity that is wanted in unit:
// "40 ms", "0.04s", "2.91 %", "5.24 Mb/s", "1,448 bytes", "1448". The result has
// the unit that was written, or unit if there was none. The error is an
// *Unreadable.
func Parse(text string, unit Unit) (Quantity, error) {
	fail := func(format string, args ...any) (Quantity, error) {
		return Quantity{}, &Unreadable{Text: text, What: fmt.Sprintf(format, args...)}
	}
	if len(text) > maxText {
		return fail("%d bytes are too many for a number: want such as %s", len(text), unit.example())
	}
	rest := strings.TrimSpace(text)
	if rest == "" {
		return fail("nothing was given: want a number, such as %s", unit.example())
	}
	if unit.dim() == Word {
		return parseHex(text, rest, unit)
	}
	rest = strings.TrimSpace(strings.TrimLeft(rest, "≈~="))
	number, word := splitNumber(rest)
	if number == "" {
		return fail("%q does not begin with a number: want such as %s", style.Visible(strings.TrimSpace(text)), unit.example())
	}
	v, err := parseNumber(number)
	if err != "" {
		return fail("%q: %s", style.Visible(number), err)
	}
	q := Quantity{Unit: unit}
	word = strings.TrimSuffix(strings.TrimSpace(word), ".")
	switch {
	case word != "":
		got, ok := unit.read(word)
		if !ok {
			return fail("%s", wrongUnit(word, unit))
		}
		q.Unit = got
	case v == 0 || unit.optional():
	case unit.dim() == Share && unit.Name == "%":
		return fail("%s has no unit: write %s %% if you mean %s of a hundred, %s %% if you mean %s times the whole", number, plain(v), plain(v), plain(v*100), plain(v))
	default:
		return fail("%s has no unit: write it with one, such as %s %s (understood: %s)", number, number, unit.Name, unit.examples())
	}
	q.Value = v * q.Unit.scale()
	if math.IsInf(q.Value, 0) {
		return fail("%q is too large", style.Visible(number))
	}
	return q, nil
}

// example is a quantity in u, to show what is wanted.
func (u Unit) example() string {
	switch {
	case u.Dim == Word:
		return "0x220d"
	case u.Name == "":
		return "12"
	case u.Name == "%":
		return "2.5 %"
	}
	return "12 " + u.Name
}

// wrongUnit says what is wrong with a unit where another is wanted.
func wrongUnit(word string, unit Unit) string {
	shown := style.Visible(word)
	for _, s := range spellings() {
		if s.dim != unit.dim() && strings.EqualFold(s.name, word) {
			return fmt.Sprintf("%s is a unit of %s, and this is a %s: want %s", shown, s.dim, unit.dim(), unit.examples())
		}
	}
	if unit.dim() == Count && unit.Name == "" {
		return fmt.Sprintf("%q comes after the number: want a plain number", shown)
	}
	if n, _ := splitNumber(word); n != "" {
		return fmt.Sprintf("%q comes after the number: want one number, such as %s", shown, unit.example())
	}
	return fmt.Sprintf("unit %q: want %s", shown, unit.examples())
}

// splitNumber cuts text after the number that it begins with.
func splitNumber(text string) (number, rest string) {
	digits := false
	end := 0
	for i, r := range text {
		ok := false
		switch {
		case r >= '0' && r <= '9':
			digits, ok = true, true
		case (r == '+' || r == '-' || r == '−') && i == 0:
			ok = true
		case r == '.' || r == ',' || r == '_' || r == '\'':
			ok = true
		case (r == 'e' || r == 'E') && digits:
			// An exponent, if digits follow.
			exp := strings.TrimLeft(text[i+1:], "+-")
			if len(text[i+1:])-len(exp) <= 1 && exp != "" && exp[0] >= '0' && exp[0] <= '9' {
				j := len(text) - len(exp)
				for j < len(text) && text[j] >= '0' && text[j] <= '9' {
					j++
				}
				return text[:j], text[j:]
			}
		case r == ' ' || r == '\u00a0' || r == '\u202f' || r == '\u2009':
			// A blank between groups of three digits: "1 448".
			after := text[i+len(string(r)):]
			ok = digits && groupFollows(after)
		}
		if !ok {
			break
		}
		end = i + len(string(r))
		if r == '.' && !digits && end < len(text) && !unicode.IsDigit(rune(text[end])) {
			break
		}
	}
	if !digits {
		return "", text
	}
	return text[:end], text[end:]
}

// groupFollows reports whether text begins with exactly three digits.
func groupFollows(text string) bool {
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	return n == 3
}

// parseNumber reads a number with or without separators between thousands. A
// comma that separates no thousands is refused, not guessed at.
func parseNumber(text string) (v float64, what string) {
	text = strings.ReplaceAll(text, "−", "-")
	whole, fraction, point := strings.Cut(text, ".")
	if strings.ContainsAny(fraction, ",_' .\u00a0\u202f\u2009") {
		return 0, "want one decimal point, and commas before it only"
	}
	groups := strings.FieldsFunc(whole, func(r rune) bool { return strings.ContainsRune(",_' \u00a0\u202f\u2009", r) })
	joined := strings.Join(groups, "")
	if len(groups) > 1 || strings.ContainsAny(whole, ",_'") {
		first := strings.TrimLeft(groups[0], "+-")
		good := len(first) >= 1 && len(first) <= 3 && first != "0" && !strings.HasSuffix(strings.TrimSpace(whole), ",")
		for _, g := range groups[1:] {
			good = good && len(g) == 3
		}
		if !good {
			if len(groups) == 2 && !point {
				return 0, fmt.Sprintf("a comma separates thousands here; write %s.%s if you mean a decimal point", groups[0], groups[1])
			}
			return 0, "want three digits after each comma, as in 1,448"
		}
	}
	number := joined
	if point {
		number += "." + fraction
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil && math.IsInf(v, 0) {
		return 0, "it is too large"
	}
	if err != nil {
		return 0, "it is no number"
	}
	return v, ""
}

// parseHex reads a 16-bit word.
func parseHex(text, rest string, unit Unit) (Quantity, error) {
	digits := strings.TrimPrefix(strings.TrimPrefix(rest, "0x"), "0X")
	v, err := strconv.ParseUint(strings.ReplaceAll(digits, " ", ""), 16, 32)
	if err != nil {
		return Quantity{}, &Unreadable{Text: text, What: fmt.Sprintf("%q is no hexadecimal number: want such as %s", style.Visible(rest), unit.example())}
	}
	return Quantity{Value: float64(v), Unit: unit}, nil
}

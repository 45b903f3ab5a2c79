package script

import (
	"fmt"
	"strconv"
	"strings"
)

// A token is a word, a sign, or a string of a line.
type token struct {
	text   string // a string: what it stands for
	quoted bool
	at     int // byte in the line where it begins
	end    int // and ends
}

// lex cuts a line into tokens, up to a comment. Words end at blanks, quotes and
// the signs + | * ( ).
func lex(line string) ([]token, error) {
	var all []token
	for i := 0; i < len(line); {
		c := line[i]
		switch {
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case c == '#':
			return all, nil
		case c == '"' || c == '`':
			quoted, err := strconv.QuotedPrefix(line[i:])
			if err != nil {
				return nil, fmt.Errorf("%s: a string that does not end, or has an escape that Go does not know", clip(line[i:]))
			}
			text, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", clip(quoted), err)
			}
			all = append(all, token{text: text, quoted: true, at: i, end: i + len(quoted)})
			i += len(quoted)
		case strings.IndexByte("+|*()", c) >= 0:
			all = append(all, token{text: string(c), at: i, end: i + 1})
			i++
		default:
			j := i
			for j < len(line) && strings.IndexByte(" \t\r\"`+|*()#", line[j]) < 0 {
				j++
			}
			all = append(all, token{text: line[i:j], at: i, end: j})
			i = j
		}
	}
	return all, nil
}

// clip shortens a text that an error quotes.
func clip(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// A reader takes a line's tokens one by one.
type reader struct {
	tokens []token
	i      int
}

func (r *reader) more() bool { return r.i < len(r.tokens) }

// peek returns the next token if it is a word or a sign.
func (r *reader) peek() string {
	if !r.more() || r.tokens[r.i].quoted {
		return ""
	}
	return r.tokens[r.i].text
}

// accept takes the next token if it is that word or sign.
func (r *reader) accept(word string) bool {
	if r.more() && r.peek() == word {
		r.i++
		return true
	}
	return false
}

// word takes a word; what says what is wanted.
func (r *reader) word(what string) (string, error) {
	if !r.more() {
		return "", fmt.Errorf("want %s at the end of the line", what)
	}
	t := r.tokens[r.i]
	if t.quoted {
		return "", fmt.Errorf("%q: want %s", clip(t.text), what)
	}
	r.i++
	return t.text, nil
}

// quoted takes a string.
func (r *reader) quoted(what string) (string, error) {
	if !r.more() || !r.tokens[r.i].quoted {
		return "", fmt.Errorf("%s: want %s, in quotes", r.here(), what)
	}
	r.i++
	return r.tokens[r.i-1].text, nil
}

// here says where the reader is, for errors.
func (r *reader) here() string {
	if !r.more() {
		return "the end of the line"
	}
	return strconv.Quote(clip(r.tokens[r.i].text))
}

// done wants the line to be over.
func (r *reader) done() error {
	if r.more() {
		return fmt.Errorf("%s is one word too many", r.here())
	}
	return nil
}

// number takes a whole number from least to most.
func (r *reader) number(what string, least, most int) (int, error) {
	w, err := r.word(what)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(w)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%q: want %s, %d to %d", clip(w), what, least, most)
	}
	return n, nil
}

// parts takes DATA: up to a word that is none of it, or a closing bracket.
func (r *reader) parts() ([]Data, error) {
	var all []Data
	hex, join, apart := false, false, false // the part before was hexadecimal; + or | stood here
	for r.more() {
		switch t := r.tokens[r.i]; {
		case !t.quoted && t.text == ")", !t.quoted && (t.text == "within" || t.text == "after"):
			return all, r.dangling(join || apart)
		case !t.quoted && (t.text == "+" || t.text == "|"):
			if len(all) == 0 || join || apart {
				return nil, fmt.Errorf("%s stands between two parts", t.text)
			}
			r.i++
			join, apart = t.text == "+", t.text == "|"
			continue
		}
		isHex := hexByte(r.peek())
		a, size, err := r.atom()
		if err != nil {
			return nil, err
		}
		if len(all) > 0 && (join || hex && isHex && !apart) {
			last := &all[len(all)-1]
			last.atoms = append(last.atoms, a)
			last.size += size
		} else {
			all = append(all, Data{atoms: []atom{a}, size: size})
		}
		hex, join, apart = isHex, false, false
	}
	return all, r.dangling(join || apart)
}

func (r *reader) dangling(open bool) error {
	if open {
		return fmt.Errorf("%s: want another part after + or |", r.here())
	}
	return nil
}

// atom takes one part, with its repetition, and returns its size.
func (r *reader) atom() (a atom, size int, err error) {
	a.times = 1
	t := r.tokens[r.i]
	r.i++
	switch {
	case t.quoted:
		a.text, a.uses, size = t.text, strings.Contains(t.text, "${"), len(t.text)
	case t.text == "(":
		if a.group, err = r.parts(); err != nil {
			return a, 0, err
		}
		if len(a.group) == 0 {
			return a, 0, fmt.Errorf("empty brackets: want data in them")
		}
		if !r.accept(")") {
			return a, 0, fmt.Errorf("%s: want a closing bracket", r.here())
		}
		for _, g := range a.group {
			size += g.size
		}
	case hexByte(t.text):
		b, _ := strconv.ParseUint(t.text, 16, 8)
		a.text = string([]byte{byte(b)})
		return a, 1, nil
	default:
		if a.make = generator(t.text); a.make == nil {
			return a, 0, fmt.Errorf("%q: want a string in quotes, bytes in hexadecimal such as 0a, or bytes*N, letters*N, LETTERS*N, random*N", clip(t.text))
		}
		if !r.accept("*") {
			return a, 0, fmt.Errorf("%s: want a length, such as %s*100", t.text, t.text)
		}
		a.n, err = r.number("a length in bytes", 0, MaxData)
		return a, a.n, err
	}
	if r.accept("*") {
		if a.times, err = r.number("how many times", 0, MaxData); err != nil {
			return a, 0, err
		}
		if size > 0 && a.times > MaxData/size {
			return a, 0, fmt.Errorf("%d times %d bytes: want at most %d bytes", a.times, size, MaxData)
		}
		size *= a.times
	}
	return a, size, nil
}

func hexByte(w string) bool {
	if len(w) != 2 {
		return false
	}
	_, err := strconv.ParseUint(w, 16, 8)
	return err == nil
}

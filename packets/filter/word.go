package filter

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A word is a token of an expression.
type word struct {
	text    string // empty at the end
	at      int    // byte where it begins
	sign    bool   // of operators and parentheses
	escaped bool   // a backslash stood before it: a name, not a keyword
}

// signs are the operators, the longer ones first.
var signs = [...]string{"&&", "||", "==", "!=", "<=", ">=", "<<", ">>", "!", "=", "<", ">", "+", "-", "*", "/", "%", "&", "|", "^", "(", ")", "[", "]", ":"}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-' || c == ':'
}

// words cuts an expression. A word has letters, digits and . _ - inside, as in
// tcp-syn and 80-90; colons too if there are two or more of them, since udp[4:2]
// has one and every address of IPv6 or Ethernet at least two.
func words(expr string) ([]word, error) {
	var out []word
next:
	for i := 0; i < len(expr); {
		c := expr[i]
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			i++
			continue
		}
		w := word{at: i}
		if c == '\\' {
			w.escaped = true
			i++
		}
		n := i
		for n < len(expr) && isWordByte(expr[n]) {
			n++
		}
		text := expr[i:n]
		if strings.Count(text, ":") < 2 {
			text, _, _ = strings.Cut(text, ":")
		}
		if text != "" && text[0] != '-' && text[0] != '_' {
			w.text = text
			out = append(out, w)
			i += len(text)
			continue
		}
		if !w.escaped {
			for _, s := range signs {
				if strings.HasPrefix(expr[i:], s) {
					out = append(out, word{text: s, at: i, sign: true})
					i += len(s)
					continue next
				}
			}
		}
		r, size := utf8.DecodeRuneInString(expr[i:])
		if size == 0 {
			return nil, complain(expr, word{text: `\`, at: w.at}, "want the name of a protocol behind it")
		}
		return nil, complain(expr, word{text: string(r), at: i}, "not a character of the language")
	}
	return append(out, word{at: len(expr)}), nil
}

// complain returns the error of a word.
func complain(expr string, w word, format string, args ...any) *Error {
	return &Error{Expr: expr, Column: utf8.RuneCountInString(expr[:w.at]) + 1, Word: w.text, Why: fmt.Sprintf(format, args...)}
}

package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// ErrArgs is what every error of [CheckArgs] wraps.
var ErrArgs = errors.New("invalid arguments")

// CheckArgs reports whether b can be an event's arguments: one JSON array (RFC
// 8259) in valid UTF-8, with at most [MaxNesting] arrays and objects inside
// each other, the outer array included. No bytes at all mean no arguments. The
// error says what is wrong and at which byte. It allocates only for an error.
//
// It agrees with encoding/json.Valid but for the two rules that are stricter:
// UTF-8 and nesting.
func CheckArgs(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	// One fast pass for UTF-8 lets the scan below take every byte from 0x80
	// on inside a string as it comes.
	if !utf8.Valid(b) {
		return argsError(invalidUTF8(b), "invalid UTF-8")
	}
	i := skipSpace(b, 0)
	if i == len(b) || b[i] != '[' {
		return unexpected(b, i, "'[', for arguments are an array")
	}
	var (
		depth   = 1
		objects uint64 // bit d: what is open at depth d is an object
		problem string
	)
	i++
	goto firstElement

value:
	i = skipSpace(b, i)
valueHere:
	if i == len(b) {
		return unexpected(b, i, "a value")
	}
	switch c := b[i]; c {
	case '"':
		if i, problem = skipString(b, i); problem != "" {
			return argsError(i, problem)
		}
		goto after
	case '[', '{':
		if depth == MaxNesting {
			return argsError(i, fmt.Sprintf("nesting deeper than %d", MaxNesting))
		}
		depth++
		i++
		if c == '[' {
			objects &^= 1 << depth
			goto firstElement
		}
		objects |= 1 << depth
		if i = skipSpace(b, i); i < len(b) && b[i] == '}' {
			goto pop
		}
		goto keyHere
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if i, problem = skipNumber(b, i); problem != "" {
			return unexpected(b, i, problem)
		}
		goto after
	case 't', 'f', 'n':
		word := "null"
		if c == 't' {
			word = "true"
		} else if c == 'f' {
			word = "false"
		}
		for j := range len(word) {
			if i+j == len(b) || b[i+j] != word[j] {
				return unexpected(b, i+j, word)
			}
		}
		i += len(word)
		goto after
	default:
		return unexpected(b, i, "a value")
	}

firstElement:
	if i = skipSpace(b, i); i < len(b) && b[i] == ']' {
		goto pop
	}
	goto valueHere

key:
	i = skipSpace(b, i)
keyHere:
	if i == len(b) || b[i] != '"' {
		return unexpected(b, i, "a key in quotes")
	}
	if i, problem = skipString(b, i); problem != "" {
		return argsError(i, problem)
	}
	if i = skipSpace(b, i); i == len(b) || b[i] != ':' {
		return unexpected(b, i, "':'")
	}
	i++
	goto value

after:
	i = skipSpace(b, i)
	if objects>>depth&1 != 0 {
		if i < len(b) && b[i] == ',' {
			i++
			goto key
		}
		if i == len(b) || b[i] != '}' {
			return unexpected(b, i, "',' or '}'")
		}
	} else {
		if i < len(b) && b[i] == ',' {
			i++
			goto value
		}
		if i == len(b) || b[i] != ']' {
			return unexpected(b, i, "',' or ']'")
		}
	}

pop:
	i++
	if depth--; depth > 0 {
		goto after
	}
	if i = skipSpace(b, i); i < len(b) {
		return unexpected(b, i, "the end")
	}
	return nil
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the index after the string whose opening quote is at i,
// or the index of the fault and what it is.
func skipString(b []byte, i int) (int, string) {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	start := i
	i++
	for {
		// Eight bytes at a time: a high bit in stop marks a quote, a backslash
		// or a control character. Bits above the lowest may be wrong, the
		// lowest is not.
		for i+8 <= len(b) {
			x := binary.LittleEndian.Uint64(b[i:])
			quote, slash := x^('"'*ones), x^('\\'*ones)
			stop := ((quote-ones)&^quote | (slash-ones)&^slash | (x-0x20*ones)&^x) & high
			if stop != 0 {
				i += bits.TrailingZeros64(stop) / 8
				break
			}
			i += 8
		}
		if i >= len(b) {
			return start, "string that does not end"
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, ""
		case c < 0x20:
			return i, "control character in a string"
		case c != '\\':
			i++
			continue
		}
		if i+1 == len(b) {
			return start, "string that does not end"
		}
		switch b[i+1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			i += 2
		case 'u':
			for j := i + 2; j < i+6; j++ {
				if j >= len(b) {
					return start, "string that does not end"
				}
				if c := b[j] | 0x20; (c < '0' || c > '9' || b[j] < '0') && (c < 'a' || c > 'f') {
					return j, "not a hexadecimal digit"
				}
			}
			i += 6
		default:
			return i, "unknown escape in a string"
		}
	}
}

// skipNumber returns the index after the number at i, or the index of the
// fault and what should be there.
func skipNumber(b []byte, i int) (int, string) {
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if j := skipDigits(b, i); j > i {
		i = j
	} else {
		return i, "a digit"
	}
	if i < len(b) && b[i] == '.' {
		j := skipDigits(b, i+1)
		if j == i+1 {
			return j, "a digit"
		}
		i = j
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		j := skipDigits(b, i)
		if j == i {
			return j, "a digit"
		}
		i = j
	}
	return i, ""
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' < 10 {
		i++
	}
	return i
}

func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(b)
}

func argsError(i int, problem string) error {
	return fmt.Errorf("wire: %w: %s at byte %d", ErrArgs, problem, i)
}

func unexpected(b []byte, i int, want string) error {
	if i >= len(b) {
		return argsError(len(b), "end instead of "+want)
	}
	r, _ := utf8.DecodeRune(b[i:])
	return argsError(i, fmt.Sprintf("%q instead of %s", r, want))
}

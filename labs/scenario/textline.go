package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxText bounds a scenario's text, in bytes.
const maxText = 256 << 10

// blocksOf cuts a text into its blocks.
func blocksOf(text string) ([]block, error) {
	if len(text) > maxText {
		return nil, &TextError{0, fmt.Errorf("scenario of %d bytes, want at most %d", len(text), maxText)}
	}
	if !utf8.ValidString(text) {
		return nil, &TextError{0, fmt.Errorf("the scenario is not UTF-8")}
	}
	var all []block
	number := 0
	for raw := range strings.SplitSeq(text, "\n") {
		number++
		indented := raw != "" && (raw[0] == ' ' || raw[0] == '\t')
		parts, err := statements(raw)
		if err != nil {
			return nil, &TextError{number, err}
		}
		for _, list := range parts {
			l := textLine{number, list}
			switch {
			case !indented:
				all = append(all, block{textLine: l})
				indented = opensBlock(list[0]) // what follows a semicolon stands under it
			case len(all) == 0:
				return nil, &TextError{number, fmt.Errorf("%q stands under nothing: want a line at the margin before it, such as run ana", strings.Join(list, " "))}
			default:
				last := &all[len(all)-1]
				last.under = append(last.under, l)
			}
		}
	}
	return all, nil
}

// opensBlock reports whether lines may stand under one that begins with word.
func opensBlock(word string) bool {
	switch word {
	case "host", "run", "server", "member":
		return true
	}
	return false
}

// statements cuts a line into its statements, and these into words. What is in
// quotes is one word.
func statements(line string) ([][]string, error) {
	var all [][]string
	var list []string
	end := func() {
		if len(list) > 0 {
			all = append(all, list)
		}
		list = nil
	}
	for rest := line; ; {
		rest = strings.TrimLeft(rest, " \t\r")
		switch {
		case rest == "" || rest[0] == '#':
			end()
			return all, nil
		case rest[0] == ';':
			end()
			rest = rest[1:]
		case rest[0] == '"':
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil, fmt.Errorf("%s: want a text in quotes, as Go writes it", rest)
			}
			list = append(list, quoted)
			rest = rest[len(quoted):]
			if rest != "" && !strings.ContainsAny(rest[:1], " \t\r;#") {
				return nil, fmt.Errorf("%s: want a blank after the quote", rest)
			}
		default:
			n := strings.IndexAny(rest, " \t\r;\"")
			if n < 0 {
				n = len(rest)
			}
			if n == 0 {
				n = 1
			}
			list = append(list, rest[:n])
			rest = rest[n:]
		}
	}
}

// split cuts one statement into words.
func split(text string) ([]string, error) {
	all, err := statements(text)
	if err == nil && (len(all) != 1 || strings.Contains(text, "\n")) {
		err = fmt.Errorf("%q: want one statement", text)
	}
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

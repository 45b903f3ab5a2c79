package chat

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mtibben/confusables"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"wirelab/internal/wire"
)

// maxNameRunes caps a person's name; it must also fit wire.MaxName bytes.
const maxNameRunes = 32

// cleanName returns name in normalization form C, or the fault that it has.
// Names are shown in front of every message, so nothing in them may hide,
// reorder or imitate: only letters, marks, numbers and a little punctuation.
func cleanName(name string) (string, *wire.Fault) {
	refuse := func(why string) (string, *wire.Fault) {
		return "", &wire.Fault{Code: "bad_name", Message: "name " + quote(name) + ": " + why,
			Hint: "1 to 32 letters, digits, or . _ - ' and single spaces between them"}
	}
	if !utf8.ValidString(name) {
		return refuse("not UTF-8")
	}
	name = norm.NFC.String(name)
	n := utf8.RuneCountInString(name)
	if n == 0 {
		return refuse("empty")
	}
	if n > maxNameRunes || len(name) > wire.MaxName {
		return refuse("too long")
	}
	marks, last := 0, ' '
	for _, r := range name {
		switch {
		case unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
			return refuse("has what cannot be seen: " + quote(string(r)))
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r):
			if marks++; marks > 2 || last == ' ' {
				return refuse("too many combining marks")
			}
			last = r
			continue
		case unicode.IsLetter(r), unicode.IsNumber(r), unicode.Is(unicode.Mc, r):
		case strings.ContainsRune("._-'", r):
		case r == ' ':
			if last == ' ' {
				return refuse("a space at the start, or two in a row")
			}
		default:
			return refuse("has " + quote(string(r)))
		}
		marks, last = 0, r
	}
	if last == ' ' {
		return refuse("a space at the end")
	}
	return name, nil
}

// skeleton maps names that look alike to one string (Unicode Technical
// Standard 39, section 4), whatever their case: Ana, ANA, and ana with a
// Cyrillic letter.
func skeleton(name string) string {
	fold := cases.Fold()
	return fold.String(confusables.Skeleton(fold.String(norm.NFC.String(name))))
}

// look does so with the case as it is: Ivan with a capital I and lvan with a
// small l look alike, though ivan does not.
func look(name string) string { return confusables.Skeleton(norm.NFC.String(name)) }

// lookKey is where an identity or a ban is found by its look. Where that is the
// skeleton, too, it needs no entry of its own.
func lookKey(look string) string { return "\x00" + look }

// checkLabel reports what is wrong with a room, event or namespace name.
// These are looked up byte for byte, so they only need to be bounded text.
func checkLabel(what string, b []byte) *wire.Fault {
	switch {
	case len(b) == 0:
		return &wire.Fault{Code: "bad_" + what, Message: what + " name is empty"}
	case len(b) > wire.MaxName:
		return &wire.Fault{Code: "bad_" + what, Message: what + " name of " + itoa(len(b)) + " bytes, at most " + itoa(wire.MaxName)}
	case !utf8.Valid(b):
		return &wire.Fault{Code: "bad_" + what, Message: what + " name " + quote(string(b)) + " is not UTF-8"}
	}
	return nil
}

// reserved reports whether an event name means something to the library itself.
// (A switch on strings takes a sixth of the time of a map: this is asked for
// each event.)
func reserved(event string) bool {
	switch event {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

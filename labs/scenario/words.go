package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A words reads a statement's words. Its first error stays.
type words struct {
	list []string
	at   int
	err  error
}

func (w *words) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *words) more() bool { return w.err == nil && w.at < len(w.list) }

// next returns the next word. want says what it should be.
func (w *words) next(want string) string {
	if w.err != nil {
		return ""
	}
	if w.at == len(w.list) {
		w.fail("want %s", want)
		return ""
	}
	w.at++
	return w.list[w.at-1]
}

// take passes over the words of phrase if they come next.
func (w *words) take(phrase ...string) bool {
	if w.err != nil || !slices.Equal(w.list[w.at:min(len(w.list), w.at+len(phrase))], phrase) {
		return false
	}
	w.at += len(phrase)
	return true
}

// expect is take of what must be there.
func (w *words) expect(word, such string) {
	if !w.take(word) {
		if w.more() {
			w.fail("%q: want %q, such as %q", w.list[w.at], word, such)
			return
		}
		w.fail("want %q, such as %q", word, such)
	}
}

func (w *words) duration(want string, least time.Duration) time.Duration {
	word := w.next(want)
	d, err := time.ParseDuration(word)
	if err != nil || d < least || d > MaxTime {
		w.fail("%q: want %s", word, want)
		return 0
	}
	return d
}

func (w *words) number(want string, least, most int) int {
	word := w.next(want)
	n, err := strconv.Atoi(word)
	if err != nil || n < least || n > most {
		w.fail("%q: want %s, %d to %d", word, want, least, most)
		return 0
	}
	return n
}

func (w *words) size(want string, most int) int {
	word := w.next(want)
	n, ok := parseSize(word)
	if !ok || n > most {
		w.fail("%q: want %s, 0 to %d bytes", word, want, most)
		return 0
	}
	return n
}

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"kB", 1e3}, {"MB", 1e6}, {"B", 1}, {"", 1}}

// parseSize reads bytes: 1448, 64KiB, 1.5MB.
func parseSize(word string) (int, bool) {
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(word, u.suffix)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(number, 64)
		if err != nil || !(v >= 0 && v*u.bytes <= 1<<40) {
			return 0, false
		}
		n := int(v * u.bytes)
		return n, float64(n) == v*u.bytes
	}
	return 0, false
}

func (w *words) name(want string) string {
	word := w.next(want)
	if w.err == nil {
		if err := checkName(word); err != nil {
			w.fail("%q: %w", word, err)
		}
	}
	return word
}

package scenario

import (
	"fmt"
	"strconv"
	"strings"
)

// says reads what a member says, from words such as
//
//	says 100 every 50ms size 200 from 25ms     exact gaps and sizes
//	says 100 rate 10/s size 200                exponential gaps, sizes of 100 to 300
func (m *Member) says(w *words) {
	m.Messages = w.number("how many messages, such as says 100 rate 10/s size 200", 0, MaxMessages)
	switch {
	case w.take("every"):
		m.Every = Duration(w.duration("a gap, such as every 50ms", 1))
	case w.take("rate"):
		word := w.next("a rate, such as 10/s")
		number, ok := strings.CutSuffix(word, "/s")
		rate, err := strconv.ParseFloat(number, 64)
		if !ok || err != nil {
			w.fail("%q: want messages per second, such as 10/s", word)
		}
		m.Rate = rate
	default:
		w.fail("says %d: want a gap or a rate, such as every 50ms or rate 10/s", m.Messages)
	}
	w.expect("size", "says 100 rate 10/s size 200")
	m.Size = w.size("bytes, such as size 200", MaxSize)
	if w.take("from") {
		m.From = Duration(w.duration("when the first one is said, such as from 1s", 0))
	}
}

// saysText returns what says reads; empty if it says nothing.
func (m *Member) saysText() string {
	if m.Messages == 0 {
		return ""
	}
	text := fmt.Sprintf("says %d rate %s/s size %d", m.Messages, strconv.FormatFloat(m.Rate, 'g', -1, 64), m.Size)
	if m.Every > 0 {
		text = fmt.Sprintf("says %d every %v size %d", m.Messages, m.Every, m.Size)
	}
	if m.From > 0 {
		text += fmt.Sprintf(" from %v", m.From)
	}
	return text
}

// String returns the duration as Go writes it.
func (d Duration) String() string {
	b, _ := d.MarshalText()
	return string(b)
}

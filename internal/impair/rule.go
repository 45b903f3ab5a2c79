package impair

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Deed is what a rule does.
type Deed uint8

// The deeds.
const (
	Drop      Deed = iota // it is lost
	Duplicate             // it arrives twice
	Corrupt               // one bit of it is flipped
	Delay                 // it is held for longer, by By
	Spare                 // chance does not lose it
	Down                  // nothing passes from From until To
	Swap                  // two 16-bit words of its payload change places: the Internet checksum is the same
	deedEnd
)

var deedNames = [...]string{"drop", "duplicate", "corrupt", "delay", "spare", "down", "swap"}

// String returns the word that rules begin with.
func (d Deed) String() string {
	if d >= deedEnd {
		return fmt.Sprintf("deed %d", uint8(d))
	}
	return deedNames[d]
}

// A Rule is a scripted fate. Its text is one of
//
//	drop [CLASS] N      duplicate, corrupt, spare, swap likewise
//	drop [CLASS] N..M
//	delay [CLASS] N DURATION
//	down FROM..TO
//
// where CLASS is data, ack, syn, fin, rst, tcp, udp, icmp or packet (any, as
// without a class), N counts the packets of that class in this direction from
// 1, and FROM and TO are counted from the link's start.
type Rule struct {
	Do          Deed
	Class       Class // 0: any packet
	First, Last uint64
	By          time.Duration // of Delay
	From, To    time.Duration // of Down
}

var classNames = []struct {
	name  string
	class Class
}{
	{"packet", 0}, {"data", Data}, {"ack", Ack}, {"syn", SYN}, {"fin", FIN}, {"rst", RST}, {"tcp", TCP}, {"udp", UDP}, {"icmp", ICMP},
}

func className(c Class) string {
	for _, n := range classNames {
		if n.class == c {
			return n.name
		}
	}
	return fmt.Sprintf("class %d", uint8(c))
}

// String returns the rule's text.
func (r Rule) String() string {
	if r.Do == Down {
		return fmt.Sprintf("down %v..%v", r.From, r.To)
	}
	text := r.Do.String() + " "
	if r.Class != 0 {
		text += className(r.Class) + " "
	}
	text += strconv.FormatUint(r.First, 10)
	if r.Last != r.First {
		text += ".." + strconv.FormatUint(r.Last, 10)
	}
	if r.Do == Delay {
		text += " " + r.By.String()
	}
	return text
}

// Span reports whether the rule is about a time, not about packets.
func (r *Rule) Span() bool { return r.Do == Down }

// ParseRule reads one rule's text.
func ParseRule(text string) (Rule, error) {
	words := strings.Fields(text)
	r, n, err := parseRule(words)
	if err == nil && n < len(words) {
		err = fmt.Errorf("%q is one word too many", words[n])
	}
	if err == nil {
		err = checkScript([]Rule{r})
	}
	if err != nil {
		return Rule{}, fmt.Errorf("rule %q: %w", text, err)
	}
	return r, nil
}

// parseRule reads the rule that words begin with, and says how many it has.
func parseRule(words []string) (r Rule, n int, err error) {
	if len(words) == 0 {
		return r, 0, fmt.Errorf("empty, want such as %q", "drop data 3")
	}
	i := slices.Index(deedNames[:], words[0])
	if i < 0 {
		return r, 0, fmt.Errorf("%q is unknown: want one of %s", words[0], strings.Join(deedNames[:], ", "))
	}
	r.Do, n = Deed(i), 1
	next := func(what string) (string, error) {
		if n == len(words) {
			return "", fmt.Errorf("%s wants %s", words[0], what)
		}
		n++
		return words[n-1], nil
	}
	if r.Do == Down {
		w, err := next("a span, such as 2s..7s")
		if err != nil {
			return r, n, err
		}
		from, to, ok := strings.Cut(w, "..")
		var err1, err2 error
		r.From, err1 = time.ParseDuration(from)
		r.To, err2 = time.ParseDuration(to)
		if !ok || err1 != nil || err2 != nil {
			return r, n, fmt.Errorf("down %q: want a span, such as 2s..7s", w)
		}
		return r, n, nil
	}
	w, err := next("which packet, such as data 3")
	if err != nil {
		return r, n, err
	}
	for _, c := range classNames {
		if c.name == w {
			r.Class = c.class
			if w, err = next("which packet of that class, such as 3"); err != nil {
				return r, n, err
			}
			break
		}
	}
	first, last, ranged := strings.Cut(w, "..")
	if !ranged {
		last = first
	}
	var err1, err2 error
	r.First, err1 = strconv.ParseUint(first, 10, 64)
	r.Last, err2 = strconv.ParseUint(last, 10, 64)
	if err1 != nil || err2 != nil {
		names := make([]string, len(classNames))
		for i, c := range classNames {
			names[i] = c.name
		}
		return r, n, fmt.Errorf("%s %q: want a number from 1, such as 3 or 3..5, after one of %s, or nothing", words[0], w, strings.Join(names, ", "))
	}
	if r.Do == Delay {
		if w, err = next("how long, such as 80ms"); err != nil {
			return r, n, err
		}
		if r.By, err = time.ParseDuration(w); err != nil {
			return r, n, fmt.Errorf("delay by %q: want a duration, such as 80ms", w)
		}
	}
	return r, n, nil
}

// checkScript refuses rules that make no sense, alone or together.
func checkScript(rules []Rule) error {
	for i, r := range rules {
		switch {
		case r.Do >= deedEnd:
			return fmt.Errorf("rule %v: unknown", r)
		case r.Do == Down:
			if r.From < 0 || r.To <= r.From {
				return fmt.Errorf("%v: want a span that ends after it begins, at 0s or later", r)
			}
			continue
		case bits.OnesCount8(uint8(r.Class)) > 1:
			return fmt.Errorf("%v: want one class, or 0 for any packet", r)
		case r.First < 1 || r.Last < r.First || r.Last > MaxCount:
			return fmt.Errorf("%v: packets are counted from 1, up to %d", r, MaxCount)
		case r.Do == Delay && (r.By <= 0 || r.By > MaxDelay):
			return fmt.Errorf("%v: want more than 0s and at most %v", r, MaxDelay)
		}
		for _, before := range rules[:i] {
			if before.Do != Down && before.Class == r.Class && before.First <= r.Last && r.First <= before.Last {
				return fmt.Errorf("%v and %v: two fates for one packet, want one", before, r)
			}
		}
	}
	return nil
}

// A script is rules, ready to be looked up.
type script struct {
	packets [9][]Rule // by class, in the order of their packets; see slot
	downs   []Rule
	counts  [9]uint64 // packets so far, of any kind and of each class
}

func newScript(rules []Rule) script {
	var s script
	for _, r := range rules {
		if r.Do == Down {
			s.downs = append(s.downs, r)
			continue
		}
		s.packets[slot(r.Class)] = append(s.packets[slot(r.Class)], r)
	}
	for _, list := range s.packets {
		slices.SortFunc(list, func(a, b Rule) int { return cmp.Compare(a.First, b.First) })
	}
	return s
}

// slot returns the place of a rule's class: 0 for any packet, else its bit and 1.
func slot(c Class) int { return bits.Len8(uint8(c)) }

// match counts a packet and returns the rule that names it, or nil. If rules of
// several of its classes do, that of the narrowest class counts.
func (s *script) match(c Class) *Rule {
	s.counts[0]++
	for i := range 8 {
		if c&(1<<i) != 0 {
			s.counts[i+1]++
		}
	}
	for i := 7; i >= 0; i-- {
		if c&(1<<i) != 0 {
			if r := find(s.packets[i+1], s.counts[i+1]); r != nil {
				return r
			}
		}
	}
	return find(s.packets[0], s.counts[0])
}

func find(rules []Rule, n uint64) *Rule {
	i, ok := slices.BinarySearchFunc(rules, n, func(r Rule, n uint64) int {
		switch {
		case r.Last < n:
			return -1
		case r.First > n:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return &rules[i]
}

// down reports whether the link is down at t after its start.
func (s *script) down(t time.Duration) bool {
	for i := range s.downs {
		if r := &s.downs[i]; t >= r.From && t < r.To {
			return true
		}
	}
	return false
}

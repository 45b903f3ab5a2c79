package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseAct reads an act's text. Whether those exist whom it names is for
// Scenario.Validate to say.
func ParseAct(text string) (Act, error) {
	a, err := parseAct(text)
	if err != nil {
		return Act{}, fmt.Errorf("act %q: %w", text, err)
	}
	return a, nil
}

func parseAct(text string) (a Act, err error) {
	list, err := split(text)
	if err != nil {
		return a, err
	}
	if len(list) < 3 {
		return a, fmt.Errorf("want AT WHO DOES…, such as %q", "1s eve says 40 in lobby")
	}
	if a.At, err = time.ParseDuration(list[0]); err != nil || a.At < 0 || a.At > MaxTime {
		return a, fmt.Errorf("%q is no instant: want 0s to %v", list[0], MaxTime)
	}
	a.Who, a.Do = list[1], Deed(list[2])
	if err := checkRoom(a.Who); err != nil {
		return a, fmt.Errorf("%q: %w", a.Who, err)
	}
	if !slices.Contains(deeds, a.Do) {
		known := make([]string, len(deeds))
		for i, d := range deeds {
			known[i] = string(d)
		}
		return a, fmt.Errorf("%q is unknown: want one of %s", list[2], strings.Join(known, ", "))
	}
	w := &words{list: list, at: 3}
	switch a.Do {
	case Says:
		a.say(w)
	case Joins, Leaves:
		a.Room = w.room("a room")
		if w.take("namespace") {
			a.Namespace = w.room("a namespace")
		}
	case Enters:
		a.Namespace = w.room("a namespace")
	case Takes:
		a.Name = w.room("a member's name")
	}
	if w.more() {
		w.fail("%q is one word too many, or in the wrong place", w.list[w.at])
	}
	return a, w.err
}

// say reads what follows "says".
func (a *Act) say(w *words) {
	s := &a.Say
	if w.more() && w.list[w.at][0] == '"' {
		text, err := strconv.Unquote(w.next("a text"))
		if err != nil || text == "" || len(text) > MaxSize-MinSize {
			w.fail("%s: want a text of 1 to %d bytes in quotes, as Go writes it", w.list[w.at-1], MaxSize-MinSize)
		}
		s.Text = text
	} else {
		s.Size = w.number("bytes, such as 40, or a text in quotes", MinSize, MaxSize)
		w.take("bytes")
	}
	if w.take("x") {
		s.Times = w.number("how often, such as x 10 every 50ms", 1, MaxMessages)
		w.expect("every", "x 10 every 50ms")
		s.Every = w.duration("a gap, such as every 50ms", 1)
		if w.err == nil && (time.Duration(s.Times-1) > MaxTime/s.Every) {
			w.fail("%d times every %v is more than %v", s.Times, s.Every, MaxTime)
		}
	}
	switch {
	case w.take("in"):
		s.Form, s.Rooms = FormIn, []string{w.room("a room")}
		if w.take("others") {
			s.Form = FormOthers
		}
	case w.take("to"):
		s.Form, s.Rooms = FormTo, w.names("rooms, or all")
		if slices.Equal(s.Rooms, []string{"all"}) {
			s.Form, s.Rooms = FormAll, nil
		}
	case w.take("direct"):
		s.Form, s.Name = FormDirect, w.room("a member's name")
	case w.take("request"):
		s.Form = FormRequest
	}
	if w.take("except") {
		s.Except = w.names("rooms or members")
		if s.Form != FormTo && s.Form != FormAll {
			w.fail("except goes with %q", "to ROOM")
		}
	}
	if w.take("namespace") {
		a.Namespace = w.room("a namespace")
	}
	s.how(w)
}

// how reads how sure it is to be.
func (s *Say) how(w *words) {
	s.Now = w.take("volatile")
	for _, sure := range []Sure{Once, Acked, Retry} {
		if w.take(string(sure)) {
			s.Sure = sure
			break
		}
	}
	if s.Sure == Retry && w.more() && w.list[w.at] != "within" {
		s.Retries = w.number("how often at most, such as retry 3", 1, 1000)
	}
	if w.take("within") {
		s.Within = w.duration("how long one try waits, such as within 500ms", 1)
		if s.Sure == Once {
			w.fail("within goes with ack or retry: nothing is waited for")
		}
	}
	switch {
	case s.Sure == Retry && (s.Form == FormTo || s.Form == FormAll || s.Form == FormRequest):
		w.fail("retry goes with in and direct: a message id is known in a room's log")
	case s.Now && s.Sure == Retry:
		w.fail("what is volatile is not retried")
	case s.Now && (s.Form == FormDirect || s.Form == FormRequest):
		w.fail("volatile goes with in and to")
	}
}

// names reads names that are joined by commas.
func (w *words) names(want string) []string {
	names := strings.Split(w.next(want), ",")
	for i, name := range names {
		if err := checkRoom(name); err != nil {
			w.fail("%q: want %s, joined by commas", name, want)
		}
		if slices.Contains(names[:i], name) {
			w.fail("%q is named twice", name)
		}
	}
	if len(names) > MaxMembers {
		w.fail("%d names, want at most %d", len(names), MaxMembers)
	}
	return names
}

// room reads the name of a room, a namespace or a member.
func (w *words) room(want string) string {
	name := w.next(want)
	if w.err == nil {
		if err := checkRoom(name); err != nil {
			w.fail("%q: want %s: %w", name, want, err)
		}
	}
	return name
}

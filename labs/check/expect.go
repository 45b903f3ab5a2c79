package check

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"wirelab/labs/check/script"
)

// shownBytes is how much of what came a failure keeps, in bytes.
const shownBytes = 256

// maxLine bounds a line that a pattern has to match, in bytes.
const maxLine = 1 << 20

// A cause is why waiting ended.
type cause uint8

const (
	came   cause = iota // something is unread
	ended               // the connection is over
	late                // it is time
	exited              // the program has ended by itself
	flood
	limit // the context is over
)

// await waits until something is unread at in, and a little longer for what an
// ended program has sent.
func (t *talk) await(in *inbox, until time.Time) cause {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	gone, why := t.program.exited(), late
	for {
		if _, ok, err := in.first(); ok {
			return came
		} else if err != nil {
			return ended
		}
		select {
		case <-in.more:
		case <-timer.C:
			return why
		case <-gone:
			gone, why = nil, exited
			timer.Reset(exitGrace)
		case <-t.program.flooded():
			return flood
		case <-t.ctx.Done():
			return limit
		}
	}
}

// missing is the failure when something had to come and await says why it did
// not. got is how many bytes of it came.
func (t *talk) missing(s *script.Step, l *line, why cause, want []byte, got int) error {
	var f *Failure
	switch why {
	case exited:
		f = t.complete(t.program.ended(s))
	case flood:
		return t.fail(Flooded, s, floodWords)
	case limit:
		err := t.over(s)
		if !errors.As(err, &f) {
			return err
		}
	case ended:
		if f = t.gone(s); f == nil {
			_, _, err := l.in.first()
			how := "reset it (RST)"
			if errors.Is(err, io.EOF) {
				how = "closed it (FIN)"
			}
			f = t.fail(HangsUp, s, "more had to come on %s, and the program %s", l.name, how)
		}
	default:
		switch {
		case got > 0:
			f = t.fail(NeverAnswers, s, "%s: %d of %d bytes came, and then nothing", l.name, got, len(want))
		default:
			f = t.fail(NeverAnswers, s, "%s: nothing came", l.name)
		}
	}
	if want != nil {
		f.Want, f.At, f.compared = clip(want, got), got, true
		f.Got = clip(want[:got], got)
	}
	return f
}

// clip returns the beginning of b, beyond the place at.
func clip(b []byte, at int) []byte { return bytes.Clone(b[:min(len(b), at+shownBytes)]) }

// early judges when the first byte of what had to come was there.
func (t *talk) early(s *script.Step, g gram) error {
	if s.After > 0 && g.at.Before(t.mark.Add(s.After)) {
		f := t.fail(TooEarly, s, "it came after %v; it must not come before %v", round(g.at.Sub(t.mark)), s.After)
		f.Got, f.slack = clip(g.data, 0), t.mark.Add(s.After).Sub(g.at)
		return f
	}
	return nil
}

// overdue waits on when a step's time is over, to tell late from never.
func (t *talk) overdue(s *script.Step, in *inbox) error {
	if t.await(in, t.mark.Add(max(s.Patience(), script.DefaultWithin))) != came {
		return nil
	}
	g, _, _ := in.first()
	if g.at.Before(t.mark.Add(s.Patience())) {
		return nil
	}
	f := t.fail(TooLate, s, "it came after %v; it must come within %v", round(g.at.Sub(t.mark)), s.Patience())
	f.Got = clip(g.data, 0)
	return f
}

// deadline is when a step's time is over.
func (t *talk) deadline(s *script.Step) time.Time { return t.mark.Add(s.Patience()) }

// expectStream wants bytes next.
func (t *talk) expectStream(s *script.Step) error {
	l := t.names[s.Names[0]]
	want, err := t.joined(s)
	if err != nil {
		return err
	}
	until := t.deadline(s)
	for got := 0; got < len(want); {
		if why := t.await(l.in, until); why != came {
			if why == late {
				if err := t.overdue(s, l.in); err != nil {
					return err
				}
			}
			return t.missing(s, l, why, want, got)
		}
		g, _, _ := l.in.first()
		if got == 0 {
			if err := t.early(s, g); err != nil {
				return err
			}
		}
		n := min(len(g.data), len(want)-got)
		if i := mismatch(g.data[:n], want[got:]); i < n {
			f := t.fail(WrongBytes, s, "%s: byte %d is wrong", l.name, got+i+1)
			f.Want, f.At, f.compared = clip(want, got+i), got+i, true
			f.Got = append(bytes.Clone(want[:got]), clip(l.in.rest(i+shownBytes), i)...)
			return f
		}
		l.in.take(n, false)
		got += n
		// A long answer that keeps coming has its time.
		if next := time.Now().Add(s.Patience()); s.Within == 0 && next.After(until) {
			until = next
		}
	}
	return nil
}

// mismatch returns the first place where a and b differ, or len(a).
func mismatch(a, b []byte) int {
	if bytes.Equal(a, b[:len(a)]) {
		return len(a)
	}
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}

// nextDatagram waits for a datagram of the program's.
func (t *talk) nextDatagram(s *script.Step, l *line, want []byte) (gram, error) {
	why := t.await(l.in, t.deadline(s))
	if why != came {
		if why == late {
			if err := t.overdue(s, l.in); err != nil {
				return gram{}, err
			}
		}
		return gram{}, t.missing(s, l, why, want, 0)
	}
	g, _, _ := l.in.first()
	l.in.take(0, true)
	if err := t.early(s, g); err != nil {
		return g, err
	}
	return g, t.source(s, l, g)
}

// source checks from where a datagram came.
func (t *talk) source(s *script.Step, l *line, g gram) error {
	if g.from == t.target {
		return nil
	}
	f := t.fail(WrongBytes, s, "%s: a datagram came from %v; the program has to answer from %v, the socket that it listens on", l.name, g.from, t.target)
	f.Got = clip(g.data, 0)
	return f
}

// expectDatagrams wants one datagram for each part.
func (t *talk) expectDatagrams(s *script.Step) error {
	l := t.names[s.Names[0]]
	for _, d := range s.Parts {
		want, err := d.Bytes(t.seed, t.found)
		if err != nil {
			return err
		}
		g, err := t.nextDatagram(s, l, want)
		if err != nil {
			return err
		}
		if !bytes.Equal(g.data, want) {
			return t.unlike(s, l, want, g.data)
		}
	}
	return nil
}

// unlike is the failure of a datagram that is not what was wanted.
func (t *talk) unlike(s *script.Step, l *line, want, got []byte) *Failure {
	i := 0
	for i < min(len(want), len(got)) && want[i] == got[i] {
		i++
	}
	what := fmt.Sprintf("byte %d is wrong", i+1)
	switch {
	case i == len(want):
		what = fmt.Sprintf("the datagram has %d bytes instead of %d", len(got), len(want))
	case i == len(got):
		what = fmt.Sprintf("the datagram ends after %d of %d bytes", len(got), len(want))
	}
	f := t.fail(WrongBytes, s, "%s: %s", l.name, what)
	f.Want, f.Got, f.At, f.compared = clip(want, i), clip(got, i), i, true
	return f
}

// expectAny wants all parts, in any order.
func (t *talk) expectAny(s *script.Step) error {
	l := t.names[s.Names[0]]
	var left [][]byte
	for _, d := range s.Parts {
		b, err := d.Bytes(t.seed, t.found)
		if err != nil {
			return err
		}
		left = append(left, b)
	}
	var have []byte // of a stream: what came and is no whole part yet
	for len(left) > 0 {
		if l.udp != nil {
			g, err := t.nextDatagram(s, l, nil)
			if err != nil {
				return t.oneOf(err, left)
			}
			i := slices.IndexFunc(left, func(b []byte) bool { return bytes.Equal(b, g.data) })
			if i < 0 {
				f := t.fail(WrongBytes, s, "%s: a datagram that is none of those still to come", l.name)
				f.Got = clip(g.data, 0)
				return t.oneOf(f, left)
			}
			left = slices.Delete(left, i, i+1)
			continue
		}
		if i := slices.IndexFunc(left, func(b []byte) bool { return bytes.Equal(b, have) }); i >= 0 {
			left = slices.Delete(left, i, i+1)
			have = nil
			continue
		}
		if why := t.await(l.in, t.deadline(s)); why != came {
			if why == late {
				if err := t.overdue(s, l.in); err != nil {
					return err
				}
			}
			return t.oneOf(t.missing(s, l, why, nil, 0), left)
		}
		g, _, _ := l.in.first()
		have = append(have, g.data[0])
		l.in.take(1, false)
		if !slices.ContainsFunc(left, func(b []byte) bool { return bytes.HasPrefix(b, have) }) {
			f := t.fail(WrongBytes, s, "%s: what came is none of those still to come", l.name)
			f.Got = append(have, l.in.rest(shownBytes)...)
			return t.oneOf(f, left)
		}
	}
	return nil
}

// oneOf adds to a failure what could have come.
func (t *talk) oneOf(err error, left [][]byte) error {
	var f *Failure
	if errors.As(err, &f) && f.WantText == "" {
		for i, b := range left {
			if i == 6 {
				f.WantText += fmt.Sprintf(", or one of %d more", len(left)-i)
				break
			}
			if i > 0 {
				f.WantText += " or "
			}
			f.WantText += quote(b, 60)
		}
	}
	return err
}

// match wants a line, or a datagram, that matches.
func (t *talk) match(s *script.Step) error {
	l := t.names[s.Names[0]]
	re, err := s.Compile(t.found)
	if err != nil {
		return fmt.Errorf("line %d: %w", s.Line, err)
	}
	var text []byte
	if l.udp != nil {
		g, err := t.nextDatagram(s, l, nil)
		if err != nil {
			return wantPattern(err, s)
		}
		text = g.data
	} else if text, err = t.readLine(s, l); err != nil {
		return wantPattern(err, s)
	}
	m := re.FindSubmatch(text)
	if m == nil {
		f := t.fail(WrongBytes, s, "%s: the line does not match", l.name)
		f.Got = clip(text, 0)
		return wantPattern(f, s)
	}
	for i, name := range re.SubexpNames() {
		if name != "" {
			t.found[name] = string(m[i])
		}
	}
	return nil
}

func wantPattern(err error, s *script.Step) error {
	var f *Failure
	if errors.As(err, &f) {
		f.WantText = "a line that matches " + s.Pattern
	}
	return err
}

// readLine reads up to a line feed, which it drops.
func (t *talk) readLine(s *script.Step, l *line) (text []byte, err error) {
	for {
		if why := t.await(l.in, t.deadline(s)); why != came {
			if why == late {
				if err := t.overdue(s, l.in); err != nil {
					return nil, err
				}
			}
			err := t.missing(s, l, why, nil, 0)
			var f *Failure
			if errors.As(err, &f) && len(text) > 0 {
				f.Got = clip(text, 0)
				f.Notes = append(f.Notes, "what came has no line feed (0a) at its end")
			}
			return nil, err
		}
		g, _, _ := l.in.first()
		i := bytes.IndexByte(g.data, '\n')
		if i >= 0 {
			text = append(text, g.data[:i]...)
			l.in.take(i+1, false)
			return text, nil
		}
		text = append(text, g.data...)
		l.in.take(len(g.data), false)
		if len(text) > maxLine {
			f := t.fail(WrongBytes, s, "%s: %d bytes without a line feed", l.name, len(text))
			f.Got = clip(text, 0)
			return nil, f
		}
	}
}

// silence wants nothing to come on any of the names.
func (t *talk) silence(s *script.Step, names []string, d time.Duration) error {
	until := t.mark.Add(d)
	for _, name := range names {
		l := t.names[name]
		switch t.await(l.in, until) {
		case came:
			g, _, _ := l.in.first()
			if err := t.source(s, l, g); l.udp != nil && err != nil {
				return err
			}
			f := t.fail(TooEarly, s, "%s: something came after %v, where nothing may come for %v", name, round(g.at.Sub(t.mark)), d)
			f.Name, f.Got, f.WantText = name, l.in.rest(shownBytes), "nothing"
			if l.udp != nil {
				f.Got = clip(g.data, 0)
			}
			return f
		case ended:
			// An end is not a byte; eof and gone are about that. The others go on.
			if f := t.gone(s); f != nil && s != nil {
				return f
			}
		case exited:
			return t.complete(t.program.ended(s))
		case flood:
			return t.fail(Flooded, s, floodWords)
		case limit:
			return t.over(s)
		}
	}
	if len(names) == 0 {
		return t.sleep(time.Until(until))
	}
	return nil
}

// eof wants the program to end the connection.
func (t *talk) eof(s *script.Step) error {
	l := t.names[s.Names[0]]
	switch why := t.await(l.in, t.deadline(s)); why {
	case came:
		f := t.fail(WrongBytes, s, "%s: more came, where the program has to end the connection", l.name)
		f.Got, f.WantText = l.in.rest(shownBytes), "the end of the connection"
		return f
	case ended:
		_, _, err := l.in.first()
		if s.Do == script.EOF && !errors.Is(err, io.EOF) {
			return t.fail(HangsUp, s, "%s: the program reset the connection (RST), it has to close it (FIN): one that closes before it has read everything resets", l.name)
		}
		return nil
	case late:
		return t.fail(NotClosed, s, "%s: the connection is still open after %v", l.name, s.Patience())
	default:
		return t.missing(s, l, why, nil, 0)
	}
}

// round makes a duration readable.
func round(d time.Duration) time.Duration {
	switch {
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	case d > 10*time.Millisecond:
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Microsecond)
}

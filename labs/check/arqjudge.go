package check

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"wirelab/labs/check/script"
)

// event takes in what happened at the peer's socket.
func (p *peer) event(e tapEvent) error {
	if e.what == programGot {
		p.programGot(e)
		return nil
	}
	data, n, text, ok := parseARQ(e.data)
	if e.what == peerGot {
		// It was judged when the program sent it.
		switch i := p.index(data, n); {
		case i < 0:
		case data:
			p.take(i, e.at)
		default:
			p.ours[i].acked = true
			p.moved = e.at
		}
		return nil
	}
	switch {
	case !ok:
		f := p.t.fail(WrongBytes, p.s, "%s: a datagram that is neither \"DATA number text\" nor \"ACK number\"", p.l.name)
		f.Got, f.WantText = clip(e.data, 0), "DATA number text, or ACK number"
		return f
	case data:
		return p.judgeData(e, n, text)
	}
	return p.judgeAck(e, n)
}

// index returns which text a number stands for at the peer, −1 for none.
func (p *peer) index(data bool, n int) int {
	if p.x.Mode == script.SelectiveRepeat {
		if n < len(p.texts) {
			return n
		}
		return -1
	}
	i := p.base() // an ACK is for the one that is out, or an old one
	if data {
		for i = 0; i < len(p.theirs) && p.theirs[i].got; i++ {
		}
	}
	switch {
	case n > 1:
		return -1
	case i < len(p.texts) && i%2 == n:
		return i
	}
	return i - 1 // a copy of the one before; −1 at the beginning
}

// programGot takes in that a datagram of the peer's is at the program's socket.
func (p *peer) programGot(e tapEvent) {
	if e.tag >= tagAck {
		if t := &p.theirs[e.tag-tagAck]; t.acked.IsZero() {
			t.acked, p.moved = e.at, e.at
		}
		return
	}
	o := &p.ours[e.tag]
	if !o.got {
		p.moved = e.at
	}
	o.got = true
	if o.unanswered.IsZero() {
		o.unanswered = e.at
	}
}

// take takes a DATA of the program's that came over the link.
func (p *peer) take(i int, now time.Time) {
	t := &p.theirs[i]
	t.got = true
	if p.held {
		return
	}
	if p.only && i == missing {
		// The second time: who sends all again does so then, in any case.
		if t.seen.After(p.since) {
			p.again++
		}
		if p.again < 2 {
			return
		}
		p.only = false
	}
	p.ack(i)
}

// judgeAck judges an ACK that the program has sent.
func (p *peer) judgeAck(e tapEvent, n int) error {
	answered := false
	if p.x.Mode == script.SelectiveRepeat {
		if n < len(p.ours) && p.ours[n].got {
			p.ours[n].unanswered, p.ours[n].answered, answered = time.Time{}, true, true
		}
	} else {
		for i := range p.ours {
			if o := &p.ours[i]; i%2 == n && o.got {
				o.unanswered, o.answered, answered = time.Time{}, true, true
			}
		}
	}
	if answered {
		return nil
	}
	f := p.t.fail(WrongBytes, p.s, "%s: ACK %d, but no DATA %d has come to the program", p.l.name, n, n)
	f.Got = clip(e.data, 0)
	var want []string
	for i := range p.ours {
		if !p.ours[i].unanswered.IsZero() {
			want = append(want, fmt.Sprintf("ACK %d", p.number(i)))
		}
	}
	f.WantText = strings.Join(want, " or ")
	return f
}

// judgeData judges a DATA that the program has sent.
func (p *peer) judgeData(e tapEvent, n int, text string) error {
	i := n
	if p.x.Mode == script.StopAndWait {
		if n > 1 {
			f := p.t.fail(WrongBytes, p.s, "%s: DATA %d: stop-and-wait has the numbers 0 and 1 alone", p.l.name, n)
			f.Got = clip(e.data, 0)
			return f
		}
		for i = 0; i < len(p.theirs) && !p.theirs[i].seen.IsZero(); i++ {
		}
		if i%2 != n {
			i-- // another copy of the last
		}
		if i < 0 {
			return p.wrongData(e, 0, "the first DATA has the number 0")
		}
	}
	if i >= len(p.theirs) {
		f := p.t.fail(WrongBytes, p.s, "%s: one DATA more than texts have come to the program (%d)", p.l.name, len(p.texts))
		f.Got, f.WantText = clip(e.data, 0), "nothing more"
		if text == p.capitals(len(p.texts)-1) {
			f.Notes = append(f.Notes, "it is the last text once more: was a repeated DATA delivered twice?")
		}
		return f
	}
	t := &p.theirs[i]
	if text != p.capitals(i) {
		return p.wrongData(e, i, p.explain(i, text))
	}
	if i >= p.delivered() {
		return p.wrongData(e, i, fmt.Sprintf("DATA %d goes out before DATA %d has come in", n, p.number(p.delivered())))
	}
	switch {
	case t.seen.IsZero():
		if base := p.theirBase(); i >= base+p.window {
			words := fmt.Sprintf("DATA %d is sent before ACK %d has come: at most one is on its way", n, p.number(base))
			if p.window > 1 {
				words = fmt.Sprintf("DATA %d is sent while DATA %d is not acknowledged: the window is %d", n, base, p.window)
			}
			f := p.t.fail(BreaksRule, p.s, "%s: %s", p.l.name, words)
			f.Got = clip(e.data, 0)
			return f
		}
		p.moved = e.at
	case !t.acked.IsZero() && e.at.Sub(t.acked) > arqSlack:
		f := p.t.fail(BreaksRule, p.s, "%s: DATA %d is sent again, %v after its ACK has come", p.l.name, n, round(e.at.Sub(t.acked)))
		f.Got, f.slack = clip(e.data, 0), e.at.Sub(t.acked)/2
		return f
	case e.at.Sub(t.seen) < arqSoonest && t.acked.IsZero():
		f := p.t.fail(TooEarly, p.s, "%s: DATA %d is sent again after %v; the timeout is %v, and less than %v is too early", p.l.name, n, round(e.at.Sub(t.seen)), arqTimeout, arqSoonest)
		f.Got, f.slack = clip(e.data, 0), arqSoonest-e.at.Sub(t.seen)
		return f
	}
	t.seen = e.at
	t.copies++
	return nil
}

func (p *peer) capitals(i int) string { return strings.ToUpper(p.texts[i]) }

// wrongData is the failure of a DATA in place of the program's ith.
func (p *peer) wrongData(e tapEvent, i int, why string) error {
	want := fmt.Appendf(nil, "DATA %d %s", p.number(i), p.capitals(i))
	at := 0
	for at < min(len(want), len(e.data)) && want[at] == e.data[at] {
		at++
	}
	f := p.t.fail(WrongBytes, p.s, "%s: %s", p.l.name, why)
	f.Want, f.Got, f.At, f.compared = want, clip(e.data, at), at, true
	if bytes.Equal(want, e.data) {
		f.compared = false
	}
	return f
}

// explain says what a wrong text may mean.
func (p *peer) explain(i int, text string) string {
	for j := range p.texts {
		if text != p.capitals(j) {
			continue
		}
		switch {
		case j < i:
			return fmt.Sprintf("text %d comes back a second time: a DATA that came twice was delivered twice", j)
		case !p.ours[i].got:
			return fmt.Sprintf("text %d comes back before text %d has come to the program: it was delivered out of order", j, i)
		default:
			return fmt.Sprintf("text %d comes back where text %d had to: that one was skipped, or delivered out of order", j, i)
		}
	}
	if strings.EqualFold(text, p.texts[i]) {
		return "the text is not in capitals"
	}
	return "another text than the one that was delivered"
}

// overdue judges what the program has not done in time, and moves the scenes on.
func (p *peer) overdue(now time.Time) error {
	for i := range p.ours {
		o := &p.ours[i]
		if o.unanswered.IsZero() || now.Sub(o.unanswered) < arqLatest || i >= p.delivered()+p.window {
			continue
		}
		n := p.number(i)
		f := p.t.fail(NeverAnswers, p.s, "%s: DATA %d has come to the program, and no ACK %d within %v", p.l.name, n, n, arqLatest)
		switch {
		case o.answered:
			f.What += ": one that comes again has to be acknowledged again"
		case i > p.delivered():
			f.What += fmt.Sprintf(": DATA %d is missing, and what comes after it has to be kept and acknowledged by itself", p.number(p.delivered()))
		}
		f.WantText = fmt.Sprintf("ACK %d", n)
		return f
	}
	for i := range p.theirs {
		t := &p.theirs[i]
		if !t.seen.IsZero() && t.acked.IsZero() && now.Sub(t.seen) > arqLatest {
			n := p.number(i)
			f := p.t.fail(TooLate, p.s, "%s: DATA %d was not acknowledged, and is not sent again within %v; the timeout is %v", p.l.name, n, arqLatest, arqTimeout)
			f.WantText = string(fmt.Appendf(nil, "DATA %d %s", n, p.capitals(i)))
			return f
		}
	}
	if err := p.scene(now); err != nil {
		return err
	}
	// A text that was delivered comes back, if the window has room for it.
	next := 0
	for next < len(p.theirs) && !p.theirs[next].seen.IsZero() {
		next++
	}
	if next < p.delivered() && next < p.theirBase()+p.window && !p.held && now.Sub(p.moved) > arqLatest {
		n := p.number(next)
		f := p.t.fail(NeverAnswers, p.s, "%s: text %d was delivered to the program, and does not come back within %v", p.l.name, next, arqLatest)
		f.WantText = string(fmt.Appendf(nil, "DATA %d %s", n, p.capitals(next)))
		return f
	}
	return nil
}

// scene moves on what Filled plays.
func (p *peer) scene(now time.Time) error {
	if p.x.Scene != script.Filled {
		return nil
	}
	switch {
	case p.held && p.full.IsZero():
		if n := p.inFlight(); n == p.window && p.base() == len(p.ours) {
			p.full = now
		} else if n < p.window && now.Sub(p.moved) > arqLatest {
			return p.t.fail(BreaksRule, p.s, "%s: %d DATA on their way and %d texts to send: the window of %d is not used", p.l.name, n, p.delivered(), p.window)
		}
	case p.held && now.Sub(p.full) > windowQuiet:
		// Nobody has sent a ninth: judgeData would have said so.
		p.held, p.only, p.since = false, true, now
		for i := range p.theirs {
			if p.theirs[i].got && i != missing {
				p.ack(i)
			}
		}
	}
	return nil
}

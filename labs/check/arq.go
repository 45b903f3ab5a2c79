package check

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"wirelab/labs/check/script"
)

// What the ARQ labs demand of a program, and what the checker's peer does. A
// datagram is "DATA n text" or "ACK n"; n is 0 or 1 under stop-and-wait, and
// counts from 0 under selective repeat.
const (
	arqTimeout  = 200 * time.Millisecond // after which the peer sends again, and the program should
	arqSoonest  = 100 * time.Millisecond // between two copies of the program's
	arqLatest   = time.Second            // for anything that the program has to do
	arqSlack    = 60 * time.Millisecond  // for an ACK that is at the program's socket to be read
	arqQuiet    = 250 * time.Millisecond // at the end: nothing is sent again
	windowQuiet = 60 * time.Millisecond  // in which no ninth datagram may come
)

// A tapEvent is what an ARQ peer hears of its socket.
type tapEvent struct {
	what tapWhat
	data []byte
	at   time.Time
	tag  int // of programGot
}

type tapWhat uint8

const (
	programSent tapWhat = iota // before the link
	programGot                 // a datagram of the peer's is at the program's socket
	peerGot                    // behind the link
)

// A tapQueue holds events until the peer looks at them.
type tapQueue struct {
	mu   sync.Mutex
	list []tapEvent
	more chan struct{}
}

func (q *tapQueue) put(e tapEvent) {
	q.mu.Lock()
	q.list = append(q.list, e)
	q.mu.Unlock()
	select {
	case q.more <- struct{}{}:
	default:
	}
}

func (q *tapQueue) all() []tapEvent {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := q.list
	q.list = nil
	return list
}

// An ours is a DATA of the peer's.
type ours struct {
	sent       time.Time // the last copy; zero: none
	got        bool      // the program got one
	unanswered time.Time // the program got a copy then, and has sent no ACK since; zero: it has
	answered   bool      // the program has sent an ACK for it
	acked      bool      // its ACK has reached the peer
}

// A theirs is a DATA of the program's.
type theirs struct {
	seen   time.Time // when the program sent the last copy; zero: never
	copies int
	acked  time.Time // its ACK was at the program's socket; zero: never
	got    bool      // it has reached the peer
}

// A peer is the checker's end of an ARQ exchange. One goroutine has it.
type peer struct {
	t      *talk
	s      *script.Step
	l      *line
	x      script.Exchange
	window int
	events tapQueue

	texts  []string
	ours   []ours
	theirs []theirs

	moved time.Time // when the program, or the peer, last got on
	held  bool      // ACKs are held back (window)
	full  time.Time // when the window was seen full; zero: not yet
	only  bool      // all but the second were acknowledged, and that was not sent again yet (window)
	since time.Time // when they were
	again int       // copies of the second since then
	quiet time.Time // since when all is done; zero: it is not
}

// tagAck is added to the number of a DATA in the tag of its ACK.
const tagAck = 1 << 20

// exchange plays the peer until all texts went to the program and came back.
func (t *talk) exchange(s *script.Step) error {
	p := &peer{t: t, s: s, l: t.names[s.Names[0]], x: s.Exchange, window: 1, moved: time.Now()}
	if p.x.Mode == script.SelectiveRepeat {
		p.window = script.Window
	}
	p.events.more = make(chan struct{}, 1)
	p.ours, p.theirs = make([]ours, p.x.Texts), make([]theirs, p.x.Texts)
	for i := range p.x.Texts {
		p.texts = append(p.texts, fmt.Sprintf("text %d", i))
	}
	p.held = p.x.Scene == script.Filled
	p.l.peered = true
	p.l.mu.Lock()
	p.l.tap = p.events.put
	p.l.mu.Unlock()
	defer func() {
		p.l.mu.Lock()
		p.l.tap = nil
		p.l.mu.Unlock()
	}()
	return p.run()
}

// run is the peer's loop.
func (p *peer) run() error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	gone := p.t.program.exited()
	for {
		for _, e := range p.events.all() {
			if err := p.event(e); err != nil {
				return err
			}
		}
		now := time.Now()
		if err := p.overdue(now); err != nil {
			return err
		}
		p.send(now)
		if p.done(now) {
			return nil
		}
		select {
		case <-p.events.more:
		case <-tick.C:
		case <-gone:
			return p.t.complete(p.t.program.ended(p.s))
		case <-p.t.program.flooded():
			return p.t.fail(Flooded, p.s, floodWords)
		case <-p.t.ctx.Done():
			return p.t.over(p.s)
		}
	}
}

// number is what stands for the ith text in a datagram.
func (p *peer) number(i int) int {
	if p.x.Mode == script.StopAndWait {
		return i % 2
	}
	return i
}

// base is the first of the peer's own that is not acknowledged.
func (p *peer) base() int {
	for i := range p.ours {
		if !p.ours[i].acked {
			return i
		}
	}
	return len(p.ours)
}

// theirBase is the first of the program's whose ACK was not at its socket.
func (p *peer) theirBase() int {
	for i := range p.theirs {
		if p.theirs[i].acked.IsZero() {
			return i
		}
	}
	return len(p.theirs)
}

// inFlight counts the program's that it has sent and that are not acknowledged.
func (p *peer) inFlight() (n int) {
	for i := range p.theirs {
		if t := &p.theirs[i]; !t.seen.IsZero() && t.acked.IsZero() {
			n++
		}
	}
	return n
}

// delivered is how many texts the program has got in order.
func (p *peer) delivered() int {
	for i := range p.ours {
		if !p.ours[i].got {
			return i
		}
	}
	return len(p.ours)
}

// missing is the one that is left out under Gap.
const missing = 1

// send sends what is new, and what was not acknowledged in time.
func (p *peer) send(now time.Time) {
	base := p.base()
	for i := base; i < min(base+p.window, len(p.ours)); i++ {
		o := &p.ours[i]
		switch {
		case o.acked, !o.sent.IsZero() && now.Sub(o.sent) < arqTimeout:
			continue
		case p.x.Scene == script.Gap && i == missing && o.sent.IsZero():
			// As if it were lost.
			e := p.t.log.add(now, Exchange{Name: p.l.name, Up: true, Over: true}, p.datagram(i))
			p.t.log.arrived(e, nil, "by the stage's script")
			o.sent = now
			continue
		case p.x.Scene == script.Gap && i == missing && !p.others():
			continue
		case p.x.Scene == script.Gap && i > missing && !o.sent.IsZero() && !p.ours[missing].got:
			continue // not again: it has to be kept
		}
		o.sent = now
		p.t.up.send(now, Exchange{Name: p.l.name, Up: true}, p.l, p.datagram(i), i)
	}
}

func (p *peer) datagram(i int) []byte {
	return fmt.Appendf(nil, "DATA %d %s", p.number(i), p.texts[i])
}

// others reports whether all but the missing one are acknowledged.
func (p *peer) others() bool {
	for i := range p.ours {
		if i != missing && !p.ours[i].acked {
			return false
		}
	}
	return true
}

// ack acknowledges the program's ith.
func (p *peer) ack(i int) {
	p.t.up.send(time.Now(), Exchange{Name: p.l.name, Up: true}, p.l, fmt.Appendf(nil, "ACK %d", p.number(i)), tagAck+i)
}

// done reports whether the exchange is over: all is acknowledged both ways, and
// the program has been quiet since.
func (p *peer) done(now time.Time) bool {
	if p.base() < len(p.ours) || p.theirBase() < len(p.theirs) {
		p.quiet = time.Time{}
		return false
	}
	if p.quiet.IsZero() {
		p.quiet = now
	}
	return now.Sub(p.quiet) >= arqQuiet
}

// parseARQ reads a datagram.
func parseARQ(b []byte) (data bool, n int, text string, ok bool) {
	word, rest, found := strings.Cut(string(b), " ")
	switch {
	case !found:
		return false, 0, "", false
	case word == "ACK":
		n, err := strconv.Atoi(rest)
		return false, n, "", err == nil && strconv.Itoa(n) == rest && n >= 0
	case word == "DATA":
		number, text, found := strings.Cut(rest, " ")
		n, err := strconv.Atoi(number)
		return true, n, text, found && err == nil && strconv.Itoa(n) == number && n >= 0
	}
	return false, 0, "", false
}

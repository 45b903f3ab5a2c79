package check

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"wirelab/internal/impair"
	"wirelab/labs/check/script"
)

// headers are the bytes of IPv4 and UDP that a link counts for each datagram.
const headers = 28

// A parcel is a datagram on its way.
type parcel struct {
	data []byte
	conn *line     // whose it is
	at   time.Time // when it left
	due  time.Time // and arrives
	tag  int       // of the ARQ peer: which of its datagrams
	note *Exchange
	last bool // no copy of it comes later
}

// A path is one direction of the emulated link between the checker's sockets and
// the program. It hands parcels over in the order in which they are due, from one
// goroutine of its own.
type path struct {
	deliver func(*parcel)
	log     *transcript

	mu     sync.Mutex
	link   *impair.Link
	keep   bool // nothing overtakes
	newest time.Time
	words  []*wordRule // fates by what a datagram says
	queue  []*parcel   // by due
	wake   chan struct{}
}

// A wordRule is the fate of the next datagram that begins with words.
type wordRule struct {
	conn  *line
	words string
	do    script.Verb
	by    time.Duration
}

// fits reports whether b is the words, or begins with them and a blank.
func (w *wordRule) fits(conn *line, b []byte) bool {
	rest, ok := strings.CutPrefix(string(b), w.words)
	return ok && conn == w.conn && (rest == "" || rest[0] == ' ' || rest[0] == '\n')
}

func newPath(cfg impair.Config, seed uint64, keep bool, began time.Time, log *transcript, deliver func(*parcel)) (*path, error) {
	l, err := impair.New(cfg, seed, began)
	if err != nil {
		return nil, err
	}
	return &path{deliver: deliver, log: log, link: l, keep: keep, wake: make(chan struct{}, 1)}, nil
}

// send puts a datagram on its way. It does not keep data.
func (p *path) send(now time.Time, e Exchange, conn *line, data []byte, tag int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.Over = true
	note := p.log.add(now, e, data)
	out := p.link.Plan(now, impair.Packet{Size: len(data) + headers, Class: impair.UDP | impair.Data})
	due := make([]time.Time, 0, 2)
	overtaken, lost := false, ""
	for _, a := range out.Arrivals {
		if a.Bit >= 0 {
			lost = "one bit wrong: the checksum does not fit"
			continue
		}
		due = append(due, a.At)
	}
	if len(out.Arrivals) == 0 {
		lost = causeWords(out.Cause)
	}
	if i := slices.IndexFunc(p.words, func(w *wordRule) bool { return w.fits(conn, data) }); i >= 0 && len(due) > 0 {
		w := p.words[i]
		p.words = slices.Delete(p.words, i, i+1)
		switch w.do {
		case script.Lose:
			due, lost = nil, "by the stage's script"
		case script.Twice:
			due = append(due[:1], due[0])
		case script.Late:
			overtaken = true
			for j := range due {
				due[j] = due[j].Add(w.by)
			}
		}
	}
	if lost != "" {
		p.log.arrived(note, nil, lost)
	}
	for i, at := range due {
		if p.keep && !overtaken {
			if at.Before(p.newest) {
				at = p.newest
			}
			p.newest = at
		}
		c := &parcel{data: slices.Clone(data), conn: conn, at: now, due: at, tag: tag, note: note, last: i == len(due)-1}
		j := len(p.queue)
		for j > 0 && p.queue[j-1].due.After(at) {
			j--
		}
		p.queue = slices.Insert(p.queue, j, c)
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// causeWords says why a link lost a datagram.
func causeWords(c impair.Cause) string {
	if c == impair.LostScript {
		return "lost by script"
	}
	return "lost: " + c.String()
}

// rule adds a fate by words.
func (p *path) rule(w *wordRule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.words = append(p.words, w)
}

// run hands over what is due until ctx ends.
func (p *path) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		p.mu.Lock()
		var c *parcel
		wait := time.Hour
		if len(p.queue) > 0 {
			if wait = time.Until(p.queue[0].due); wait <= 0 {
				c = p.queue[0]
				p.queue = p.queue[1:]
			}
		}
		p.mu.Unlock()
		if c != nil {
			p.log.arrived(c.note, []time.Time{time.Now()}, "")
			p.deliver(c)
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-timer.C:
		}
	}
}

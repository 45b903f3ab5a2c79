package soak

import (
	"fmt"
	"time"

	"wirelab/labs/scenario"
)

// A Violation is a rule that a run broke.
type Violation struct {
	Rule string // which, in a word
	Host string
	At   time.Duration // in the run; the end for what can only be known then
	What string
}

func (v Violation) String() string {
	return fmt.Sprintf("%s: at %v, %s: %s", v.Rule, v.At, v.Host, v.What)
}

// The rules.
const (
	RuleAcked     = "acknowledged is delivered" // or reported lost
	RuleOnce      = "nothing twice"
	RuleOrder     = "order per room"
	RuleGap       = "no unreported gap"
	RuleRecovered = "everything runs in the end"
)

// said names a message.
type said struct {
	from string
	n    int
}

// place is where an event stands in a room's log.
type place struct{ epoch, seq uint64 }

// A Checker checks one run. Give it each event in order, then call Finish.
type Checker struct {
	s       *scenario.Scenario
	members map[string]*member
	acked   map[said]bool
	known   map[place]said // every message that somebody was handed, by its place
	found   []Violation
	last    time.Duration
}

// A member is what the checker knows of one program.
type member struct {
	cfg    *scenario.Member
	life   int
	epoch  uint64
	newest uint64            // handed over, or where it stood, in this life and epoch
	from   map[uint64]uint64 // by epoch: where it first stood
	upto   map[uint64]uint64 // by epoch: the newest that it was handed
	got    map[place]int     // by place: in which life
	seen   map[said]place    // messages, and where it was handed each last
	told   uint64            // events that it was told are lost
	open   bool              // it was told of a loss of unknown size
	online bool
}

// NewChecker returns a checker of a run of s.
func NewChecker(s *scenario.Scenario) *Checker {
	c := &Checker{
		s: s, members: make(map[string]*member), acked: make(map[said]bool),
		known: make(map[place]said),
	}
	for i := range s.Members {
		m := &member{cfg: &s.Members[i]}
		m.forget()
		c.members[m.cfg.Name] = m
	}
	return c
}

// forget empties a program's memory.
func (m *member) forget() {
	m.epoch, m.newest, m.told, m.open = 0, 0, 0, false
	m.from, m.upto = make(map[uint64]uint64), make(map[uint64]uint64)
	m.got, m.seen = make(map[place]int), make(map[said]place)
}

func (c *Checker) broken(rule, host, format string, args ...any) {
	c.found = append(c.found, Violation{rule, host, c.last, fmt.Sprintf(format, args...)})
}

// Event takes the run's next event in.
func (c *Checker) Event(e *scenario.Event) {
	c.last = e.T
	m := c.members[e.Host]
	if m == nil {
		return
	}
	if e.Life > m.life {
		if m.life > 0 && !m.cfg.Transport.Queue() {
			c.holes(m) // its memory ends here
			m.forget()
		}
		m.life = e.Life
	}
	switch e.Kind {
	case scenario.EventAcked:
		c.acked[said{e.Host, e.N}] = true
	case scenario.EventOnline:
		m.online = true
	case scenario.EventOffline:
		m.online = false
	case scenario.EventRoom:
		m.stand(e.Epoch, e.Seq)
	case scenario.EventLost:
		m.told += e.Count
		m.open = m.open || e.Count == 0 || e.Text == "epoch"
	case scenario.EventDeliver:
		if e.Seq > 0 {
			c.deliver(m, e)
		}
	}
}

// stand says where the program stands in a log.
func (m *member) stand(epoch, seq uint64) {
	if _, ok := m.from[epoch]; !ok {
		m.from[epoch], m.upto[epoch] = seq, seq
	}
	m.epoch, m.newest = epoch, seq
}

func (c *Checker) deliver(m *member, e *scenario.Event) {
	at := place{m.epoch, e.Seq}
	if life, ok := m.got[at]; ok && !(e.Again && life < m.life) {
		c.broken(RuleOnce, e.Host, "event %d is handed over again", e.Seq)
	}
	m.got[at] = m.life
	if m.cfg.Transport != scenario.UDP {
		if e.Seq <= m.newest && !e.Again {
			c.broken(RuleOrder, e.Host, "event %d is handed over after %d", e.Seq, m.newest)
		}
	}
	m.newest = max(m.newest, e.Seq)
	m.upto[m.epoch] = max(m.upto[m.epoch], e.Seq)
	if e.N == 0 {
		return
	}
	msg := said{e.From, e.N}
	if before, ok := m.seen[msg]; ok && !e.Again {
		// A server without a disk that was killed has forgotten which message
		// ids it knew, and takes a message again whose acknowledgement was lost.
		if before.epoch == m.epoch || c.s.Server.Data {
			c.broken(RuleOnce, e.Host, "message %d of %s is handed over twice: as event %d, and before as %d", e.N, e.From, e.Seq, before.seq)
		}
	}
	m.seen[msg], c.known[at] = at, msg
}

// holes looks for messages that stand in a log between what the program was
// handed and were not handed to it, nor reported.
func (c *Checker) holes(m *member) {
	missing := 0
	var first place
	for at := range c.known {
		from, ok := m.from[at.epoch]
		if !ok || at.seq <= from || at.seq > m.upto[at.epoch] {
			continue
		}
		if _, ok := m.got[at]; !ok {
			if missing == 0 || at.seq < first.seq {
				first = at
			}
			missing++
		}
	}
	if missing > 0 && !m.open && uint64(missing) > m.told {
		c.broken(RuleGap, m.cfg.Name, "%d messages are missing, the first of them event %d, but it was told of %d", missing, first.seq, m.told)
	}
}

// Finish returns the rules that the run broke, in the order in which that was
// seen.
func (c *Checker) Finish() []Violation {
	for i := range c.s.Members {
		m := c.members[c.s.Members[i].Name]
		if !m.online {
			c.broken(RuleRecovered, m.cfg.Name, "it is not connected in the end")
			continue
		}
		c.holes(m)
		if !m.cfg.Transport.Queue() || m.open {
			continue
		}
		missing := uint64(0)
		var example said
		for msg := range c.acked {
			if _, ok := m.seen[msg]; !ok {
				if missing == 0 || msg.n < example.n || msg.n == example.n && msg.from < example.from {
					example = msg
				}
				missing++
			}
		}
		if missing > m.told {
			c.broken(RuleAcked, m.cfg.Name, "%d acknowledged messages never came, such as %d of %s, but it was told of %d lost", missing, example.n, example.from, m.told)
		}
	}
	return c.found
}

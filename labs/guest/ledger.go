package main

import (
	"encoding/json"
	"io"
	"slices"
	"sync"
	"time"
	"unicode"

	"wirelab/internal/client"
	"wirelab/internal/impair"
	"wirelab/internal/style"
	"wirelab/internal/trace"
	"wirelab/internal/vnet"
	"wirelab/labs/scenario"
)

// A ledger writes down what happens, and counts what the run itself has to
// know. Any goroutine may call it.
type ledger struct {
	s     *scenario.Scenario
	start time.Time
	out   *trace.Writer

	mu      sync.Mutex
	err     error // of writing
	taps    map[string]*tap
	stir    func(bool) // called at each packet, if there are raw hosts
	began   bool
	active  time.Time               // when something happened last
	emitted int                     // messages that are to arrive
	arrived map[string]map[said]int // how often each has, by member
	waiting int                     // acknowledgements that are awaited
	online  map[string]bool         // members that are connected
	places  map[int][]uint64        // in the log, of the message to explain
	totals  scenario.Totals
	resent  resent
	diary   vnet.Diary
	last    int64 // bytes on the wire at the last message or hand-over
	first   int64 // and at the first
}

// said names a member's message.
type said struct {
	from string
	n    int
}

func newLedger(s *scenario.Scenario, out io.Writer) *ledger {
	l := &ledger{
		s: s, start: time.Now(), out: trace.NewWriter(out), taps: make(map[string]*tap),
		arrived: make(map[string]map[said]int), online: make(map[string]bool), places: make(map[int][]uint64), resent: newResent(),
	}
	l.totals.Drops = make(map[string]int)
	for _, name := range s.Record {
		l.taps[name] = newTap(l, name)
	}
	for i := range s.Members {
		l.arrived[s.Members[i].Name] = make(map[said]int)
	}
	return l
}

// event writes e, at the present instant.
func (l *ledger) event(e *scenario.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write(e)
}

// write is event, with the lock held.
func (l *ledger) write(e *scenario.Event) {
	switch e.Kind {
	case scenario.EventOnline:
		l.online[e.Host] = true
	case scenario.EventOffline:
		l.online[e.Host] = false
	}
	l.active = time.Now()
	e.T = l.active.Sub(l.start)
	b, err := json.Marshal(e)
	if err == nil {
		err = l.out.Event(b)
	}
	if l.err == nil {
		l.err = err
	}
}

// since returns how long nothing has happened. Of members, who are never quiet,
// only what they tell counts.
func (l *ledger) since() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.active)
}

// again counts a datagram that was sent before.
func (l *ledger) again() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.resent.count++
}

// life writes that a program started or ended.
func (l *ledger) life(host string, life int, text string) {
	l.event(&scenario.Event{Kind: scenario.EventLife, Host: host, Life: life, Text: text})
}

// killed writes that a member was killed.
func (l *ledger) killed(host string, life int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.online[host] = false
	l.write(&scenario.Event{Kind: scenario.EventLife, Host: host, Life: life, Text: "killed"})
}

// begin marks the beginning of the workload.
func (l *ledger) begin() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began = true
	l.first = l.totals.AllBytes
	l.last = l.first
	l.write(&scenario.Event{Kind: scenario.EventBegin})
	return time.Now()
}

// mark remembers how many bytes were on the wire until now.
func (l *ledger) mark() { l.last = l.totals.AllBytes }

// emit writes that a program said a message.
func (l *ledger) emit(e *scenario.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.emitted++
	l.mark()
	l.write(e)
}

// refused writes that a message was not taken.
func (l *ledger) refused(from string, n int, err error) {
	l.event(&scenario.Event{Kind: scenario.EventRefused, Host: from, N: n, Text: err.Error()})
}

// await counts acknowledgements that are still to come.
func (l *ledger) await(by int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting += by
}

// acked writes that the server stored a message.
func (l *ledger) acked(from string, n int, ack client.Ack) {
	l.event(&scenario.Event{Kind: scenario.EventAcked, Host: from, N: n, Seq: ack.Seq, Tries: ack.Tries})
}

// deliver writes that a program was handed an event.
func (l *ledger) deliver(host string, life int, e *client.Event) {
	out := scenario.Event{
		Kind: scenario.EventDeliver, Host: host, Life: life,
		Seq: e.Seq, Prev: e.Prev, Again: e.Redelivered, Namespace: e.Namespace, Direct: e.Direct, Volatile: e.Volatile,
	}
	if own(e.Room) {
		out.Direct = true
	} else {
		out.Room = e.Room
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if text, ok := e.Text(); ok && e.Event == "msg" {
		var ok bool
		if out.From, out.N, out.Text, ok = untag(text); ok {
			from, n := out.From, out.N
			out.Size = len(text)
			l.arrived[host][said{from, n}]++
			if l.s.Explain == n && !slices.Contains(l.places[n], e.Seq) {
				l.places[n] = append(l.places[n], e.Seq)
			}
			l.mark()
		}
	}
	if out.N == 0 {
		out.From, out.Text = "", e.Event
	}
	l.write(&out)
	if out.N != 0 && out.Text != "" {
		l.show(&out)
	}
}

// own reports whether a room is one member's own, with a random name.
func own(room string) bool { return room != "" && (room[0] == '@' || room[0] == '#') }

// show writes what the program writes to its terminal: what was said, made
// visible.
func (l *ledger) show(e *scenario.Event) {
	line := e.From + ": " + e.Text
	if l.s.Without != scenario.VisibleText {
		line = e.From + ": " + style.Visible(e.Text)
	}
	obeyed := 0
	for _, r := range line {
		if unicode.In(r, unicode.Cc, unicode.Cf) {
			obeyed++
		}
	}
	l.write(&scenario.Event{Kind: scenario.EventShown, Host: e.Host, Life: e.Life, From: e.From, N: e.N, Text: line, Count: uint64(obeyed)})
}

// complete reports whether everything has arrived everywhere, and everybody is
// connected.
func (l *ledger) complete() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting > 0 || len(l.s.Acts) > 0 { // who is to get what an act says is not known here
		return false
	}
	for i := range l.s.Members {
		if name := l.s.Members[i].Name; !l.online[name] || len(l.arrived[name]) < l.emitted {
			return false
		}
	}
	return true
}

// seqs returns the places in the log that a message was seen at.
func (l *ledger) seqs(n int) []uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.places[n]
}

// state writes a TCP connection's inner state, and keeps it for the capture.
func (l *ledger) state(s *vnet.State) {
	if l.s.Packets && s.MSS > 0 {
		l.mu.Lock()
		l.diary.Take(s)
		l.mu.Unlock()
	}
	if !l.s.States {
		return
	}
	l.event(&scenario.Event{Kind: scenario.EventTCP, Host: s.Host, TCP: &scenario.TCPState{
		Local: s.Local.String(), Remote: s.Remote.String(), Cwnd: s.Cwnd, Ssthresh: s.Ssthresh, Flight: s.Outstanding,
		SRTT: s.SRTT, RTTVar: s.RTTVar, RTO: s.RTO, Recovery: s.Recovery,
	}})
}

// fates makes a host's link repeat the fates of an earlier run, and write its
// own.
func (l *ledger) fates(h *vnet.HostConfig, cfg *scenario.Member) error {
	up, err := impair.DecodeFates(cfg.RepeatUp)
	if err != nil {
		return err
	}
	down, err := impair.DecodeFates(cfg.RepeatDown)
	if err != nil {
		return err
	}
	h.Repeat = [2][]impair.Recorded{vnet.Up: up, vnet.Down: down}
	if !l.s.Fates || l.taps[h.Name] == nil {
		return nil
	}
	host := h.Name
	h.Record = func(d vnet.Direction, f impair.Recorded) {
		l.event(&scenario.Event{Kind: scenario.EventFate, Host: host, Up: d == vnet.Up, Fate: &f})
	}
	return nil
}

// end writes the totals and ends the stream.
func (l *ledger) end() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.totals.WireBytes = l.last - l.first
	l.totals.Retransmissions = l.resent.count
	l.write(&scenario.Event{Kind: scenario.EventEnd, Totals: &l.totals})
	if l.err != nil {
		return l.err
	}
	return l.out.Close()
}

package compare

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/pcapng"
	"wirelab/internal/trace"
	"wirelab/labs"
	"wirelab/labs/scenario"
)

// An Explanation is one message's story in each column.
type Explanation struct {
	Fault   string  `json:"fault"`
	Seed    uint64  `json:"seed"`
	Message int     `json:"message"` // its number
	Stories []Story `json:"stories"`
}

// A Story is what became of a message on one transport.
type Story struct {
	Transport string `json:"transport"`
	Outcome   string `json:"outcome"` // in a few words
	Lines     []Line `json:"lines"`
}

// A Line is one thing that happened to the message.
type Line struct {
	At    time.Duration `json:"at_ns"` // since the workload began
	Where string        `json:"where"` // a host, or a link
	What  string        `json:"what"`
	Lost  bool          `json:"lost,omitempty"` // something was lost there
}

// Explain plays one fault on each transport and follows message number n.
func (e *Engine) Explain(ctx context.Context, o Options, n int) (*Explanation, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if n < 1 || n > o.Messages {
		return nil, fmt.Errorf("message %d: want 1 to %d", n, o.Messages)
	}
	faults, err := o.faults()
	if err != nil {
		return nil, err
	}
	if len(faults) != 1 {
		return nil, fmt.Errorf("%d faults to explain a message under: want one", len(faults))
	}
	out := &Explanation{Fault: faults[0].Name, Seed: o.Seed, Message: n}
	columns := o.transports()
	out.Stories = make([]Story, len(columns))
	err = e.each(ctx, &o, len(columns), func(i int) string { return string(columns[i]) }, func(ctx context.Context, i int) error {
		s := o.scenario(faults[0], columns[i], o.Seed)
		s.Record = []string{sender, receiver}
		s.Packets, s.Explain = true, n
		f := follower{n: n, tag: []byte(scenario.Tag(sender, n)), tally: newTally(o.Seed)}
		if _, err := e.labs.Play(ctx, s, labs.Output{Event: f.event, Record: f.record, Speed: o.Speed}); err != nil {
			return err
		}
		out.Stories[i] = f.story(columns[i])
		return nil
	})
	return out, err
}

// A follower collects what concerns one message.
type follower struct {
	n      int
	tag    []byte
	tally  *tally
	begin  time.Duration
	names  []string // of the interfaces
	lines  []Line
	ledger []string
}

func (f *follower) add(at time.Duration, lost bool, where, format string, args ...any) {
	f.lines = append(f.lines, Line{At: at - f.begin, Where: where, What: fmt.Sprintf(format, args...), Lost: lost})
}

func (f *follower) event(e *scenario.Event) error {
	f.tally.event(e)
	switch {
	case e.Kind == scenario.EventBegin:
		f.begin = e.T
	case e.Kind == scenario.EventFault:
		f.add(e.T, false, e.Host, "(fault) %s", e.Text)
	case e.Kind == scenario.EventOffline:
		f.add(e.T, false, e.Host, "(connection lost) %s", e.Text)
	case e.Kind == scenario.EventOnline && f.begin > 0:
		f.add(e.T, false, e.Host, "(connected) as %s", e.Text)
	case e.Kind == scenario.EventLost && e.Host == receiver:
		f.add(e.T, true, e.Host, "was told of %d lost: %s", e.Count, e.Text)
	case e.Kind == scenario.EventLedger:
		f.tell(e.Ledger)
	case e.N != f.n:
	case e.Kind == scenario.EventEmit:
		f.add(e.T, false, e.Host, "the program emits message %d, %d bytes of text", e.N, e.Size)
	case e.Kind == scenario.EventAcked:
		f.add(e.T, false, e.Host, "the server has acknowledged it: stored as number %d, after %s", e.Seq, plural(e.Tries, "try", "tries"))
	case e.Kind == scenario.EventRefused:
		f.add(e.T, true, e.Host, "the program is told that it was not taken: %s", e.Text)
	case e.Kind == scenario.EventDeliver && e.From == sender:
		again := ""
		if e.Again {
			again = ", marked as redelivered"
		}
		f.add(e.T, false, e.Host, "handed to the program as number %d of the room%s", e.Seq, again)
	}
	return nil
}

func plural(n int, one, many string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, one)
	}
	return fmt.Sprintf("%d %s", n, many)
}

// record follows the packets that carry the message's tag.
func (f *follower) record(r *trace.Record) error {
	switch r.Kind {
	case trace.Interface:
		f.names = append(f.names, r.Interface.Name)
	case trace.Packet:
		p := &r.Packet
		if !strings.Contains(string(p.Data), string(f.tag)) {
			return nil
		}
		where, what := sighting(f.names[p.Interface], p)
		f.add(labs.Since(p.Time), strings.HasPrefix(p.Comment, "lost"), where, "%s", what)
	}
	return nil
}

// sighting says where a packet was seen and what happened to it there. The
// interfaces of a link are named as the guest names them: the host, "link" and
// "server", with the host behind it where several links are recorded.
func sighting(name string, p *pcapng.Packet) (where, what string) {
	where, host, ok := strings.Cut(name, " ")
	if !ok {
		host = receiver
	}
	switch {
	case where == "link" && p.Direction == pcapng.Out:
		what = fmt.Sprintf("a packet of %d bytes is on its way from %s to the server", len(p.Data), host)
	case where == "link":
		what = fmt.Sprintf("a packet of %d bytes is on its way from the server to %s", len(p.Data), host)
	case p.Direction == pcapng.Out:
		what = fmt.Sprintf("sends a packet of %d bytes", len(p.Data))
	default:
		what = fmt.Sprintf("receives a packet of %d bytes", len(p.Data))
	}
	if p.Comment != "" {
		what += ": " + p.Comment
	}
	return where, what
}

// tell takes the server's own story in.
func (f *follower) tell(raw json.RawMessage) {
	var st chat.Story
	if json.Unmarshal(raw, &st) != nil {
		return
	}
	for _, m := range st.Members {
		text := fmt.Sprintf("for %s: %s", m.Name, m.Status)
		if m.Why != "" {
			text += ", " + m.Why
		}
		f.ledger = append(f.ledger, text)
	}
}

func (f *follower) story(t scenario.Transport) Story {
	s := Story{Transport: string(t)}
	times := 0
	for _, l := range f.lines {
		if l.Where == receiver && strings.HasPrefix(l.What, "handed") {
			times++
		}
	}
	switch {
	case times == 0:
		s.Outcome = "lost"
	case times == 1:
		s.Outcome = "delivered once"
	default:
		s.Outcome = fmt.Sprintf("delivered %d times", times)
	}
	// What is not about the message itself matters only around its own time.
	first, last := f.bounds()
	for _, l := range f.lines {
		if l.What[0] != '(' && !strings.HasPrefix(l.What, "was told") || l.At >= first && (l.At <= last || times == 0) {
			s.Lines = append(s.Lines, l)
		}
	}
	slices.SortStableFunc(s.Lines, func(a, b Line) int { return int(a.At - b.At) })
	for _, text := range f.ledger {
		s.Lines = append(s.Lines, Line{At: f.tally.last - f.begin, Where: scenario.ServerHost, What: "the ledger says " + text})
	}
	return s
}

// bounds returns when the message was first and last seen.
func (f *follower) bounds() (first, last time.Duration) {
	begun := false
	for _, l := range f.lines {
		if l.What[0] == '(' || strings.HasPrefix(l.What, "was told") {
			continue
		}
		if !begun {
			first, begun = l.At, true
		}
		last = max(last, l.At)
	}
	return first, last
}

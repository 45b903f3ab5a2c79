package check

import (
	"bytes"
	"sync"
	"time"
)

// Bounds of a transcript.
const (
	maxExchanges = 20_000
	maxShown     = 512 // bytes of each that are kept
)

// An Exchange is something that passed between checker and program.
type Exchange struct {
	At   time.Duration // since the stage began: when it left
	Name string        // of the connection; empty: the stage
	Up   bool          // to the program
	Do   string        // "", or what it was instead of data: connect, FIN, RST, kill, restart
	Data []byte        // its beginning
	Size int
	Over bool // a datagram

	Arrived []time.Duration // of datagrams: none is lost, two is twice
	Lost    string          // why
	Again   bool            // a DATA that was sent before
}

// A transcript is what passed, in order.
type transcript struct {
	mu      sync.Mutex
	began   time.Time
	list    []*Exchange
	before  map[string]bool // datagrams so far, with name and direction
	dropped int
}

func newTranscript(began time.Time) *transcript {
	return &transcript{began: began, before: map[string]bool{}}
}

// add notes something at t. What a stream brings is joined to what came just
// before.
func (tr *transcript) add(t time.Time, e Exchange, data []byte) *Exchange {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	e.At, e.Size = t.Sub(tr.began), len(data)
	if n := len(tr.list); n > 0 && !e.Over && e.Do == "" && !e.Up {
		if last := tr.list[n-1]; last.Name == e.Name && !last.Up && last.Do == "" && !last.Over {
			last.Size += len(data)
			last.Data = append(last.Data, data[:min(len(data), maxShown-len(last.Data))]...)
			return last
		}
	}
	e.Data = append([]byte(nil), data[:min(len(data), maxShown)]...)
	if e.Over && bytes.HasPrefix(data, []byte("DATA ")) {
		// Other texts, such as an ACK, are often the same and new.
		key := e.Name + string(data)
		if e.Up {
			key = ">" + key
		}
		e.Again = tr.before[key]
		if len(tr.before) < maxExchanges {
			tr.before[key] = true
		}
	}
	p := &e
	if len(tr.list) < maxExchanges {
		tr.list = append(tr.list, p)
	} else {
		tr.dropped++
	}
	return p
}

// arrived notes that a datagram got through, or why it did not.
func (tr *transcript) arrived(e *Exchange, at []time.Time, lost string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, t := range at {
		e.Arrived = append(e.Arrived, t.Sub(tr.began))
	}
	e.Lost = lost
}

// last returns copies of the last n.
func (tr *transcript) last(n int) []Exchange {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	list := tr.list[max(0, len(tr.list)-n):]
	all := make([]Exchange, 0, len(list))
	for _, e := range list {
		c := *e
		c.Data = append([]byte(nil), e.Data...)
		c.Arrived = append([]time.Duration(nil), e.Arrived...)
		all = append(all, c)
	}
	return all
}

// datagrams counts those to the program and from it.
func (tr *transcript) datagrams() (up, down int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, e := range tr.list {
		switch {
		case e.Over && e.Up:
			up++
		case e.Over:
			down++
		}
	}
	return up, down
}

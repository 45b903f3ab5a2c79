package chat

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"wirelab/internal/wire"
)

// What became of one member's acknowledgement.
const (
	ReplyOK      = "ok"
	ReplyTimeout = "timeout"
	ReplyGone    = "gone"
)

// A Reply is one socket's answer to an emit with acknowledgement.
type Reply struct {
	ID     string          `json:"id"`
	Name   string          `json:"name"`
	Status string          `json:"status"` // ok, timeout or gone
	Args   json.RawMessage `json:"args,omitempty"`
}

// pendingAcks are the acknowledgements that the server waits for. Each is
// taken at most once; late and unknown ones are counted.
type pendingAcks struct {
	mu      sync.Mutex
	waiting map[uint64]*waiter
	perConn map[*Conn]int
	faults  *tally
	closed  bool
}

type waiter struct {
	id      uint64
	sockets map[*Conn]*Socket // whose answer is open
	replies []Reply
	done    chan struct{}
	over    bool
	pending *pendingAcks
}

func (p *pendingAcks) init(faults *tally) {
	p.faults = faults
	p.waiting = make(map[uint64]*waiter)
	p.perConn = make(map[*Conn]int)
}

func (p *pendingAcks) open() (*waiter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	w := &waiter{id: randomID(), sockets: make(map[*Conn]*Socket), done: make(chan struct{}), pending: p}
	p.waiting[w.id] = w
	return w, nil
}

// expect sets the sockets that are to answer; with none there is no wait.
func (w *waiter) expect(sockets []*Socket) {
	p := w.pending
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range sockets {
		if p.perConn[s.conn] >= s.conn.hub.cfg.MaxPending {
			w.replies = append(w.replies, Reply{ID: s.ID(), Name: s.Name(), Status: ReplyGone,
				Args: wire.EncodeBody(fmt.Sprintf("more than %d acknowledgements are open", s.conn.hub.cfg.MaxPending))})
			continue
		}
		p.perConn[s.conn]++
		w.sockets[s.conn] = s
	}
	w.finish()
}

// finish ends the wait if nothing is open. p.mu is held.
func (w *waiter) finish() {
	if len(w.sockets) == 0 && !w.over {
		w.over = true
		close(w.done)
	}
}

// settle notes the answer of one socket. p.mu is held.
func (w *waiter) settle(c *Conn, status string, args json.RawMessage) bool {
	s := w.sockets[c]
	if s == nil {
		return false
	}
	delete(w.sockets, c)
	if w.pending.perConn[c]--; w.pending.perConn[c] <= 0 {
		delete(w.pending.perConn, c)
	}
	w.replies = append(w.replies, Reply{ID: s.ID(), Name: s.Name(), Status: status, Args: args})
	w.finish()
	return true
}

// answer takes an acknowledgement from a client.
func (p *pendingAcks) answer(c *Conn, e *wire.Envelope) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.waiting[e.ID]
	if w == nil || len(e.Args) > 0 && !json.Valid(e.Args) || !w.settle(c, ReplyOK, slices.Clone(e.Args)) {
		p.faults.add("unknown_ack")
	}
}

// gone answers for a connection that is no more.
func (p *pendingAcks) gone(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.perConn[c] == 0 {
		return
	}
	for _, w := range p.waiting {
		w.settle(c, ReplyGone, nil)
	}
}

// wait returns the replies once all are there or ctx ends.
func (p *pendingAcks) wait(ctx context.Context, w *waiter) []Reply {
	select {
	case <-w.done:
	case <-ctx.Done():
	}
	p.mu.Lock()
	for c := range w.sockets {
		w.settle(c, ReplyTimeout, nil)
	}
	delete(p.waiting, w.id)
	replies := w.replies
	p.mu.Unlock()
	slices.SortFunc(replies, func(a, b Reply) int { return strings.Compare(a.ID, b.ID) })
	return replies
}

func (p *pendingAcks) close(w *waiter) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p.wait(ctx, w)
}

// failAll ends every wait: the hub closes.
func (p *pendingAcks) failAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, w := range p.waiting {
		for c := range w.sockets {
			w.settle(c, ReplyGone, nil)
		}
	}
}

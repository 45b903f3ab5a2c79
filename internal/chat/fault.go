package chat

import (
	"errors"
	"maps"
	"sync"
	"unicode/utf8"

	"wirelab/internal/wire"
)

// broken queues the error that names the protocol fault and returns it.
func (c *Conn) broken(code, message, hint string) error {
	return c.Fault(&wire.Fault{Code: code, Message: message, Hint: hint})
}

// Fault tells the peer what was wrong, takes nothing more from it and gives it
// no more events. A transport calls it for bytes that do not decode, then
// closes after Next has given everything. An err that is a [*wire.Fault] is
// told as it is. Fault returns err.
func (c *Conn) Fault(err error) error {
	var f *wire.Fault
	if !errors.As(err, &f) {
		f = &wire.Fault{Code: "bad_frame", Message: err.Error()}
	}
	if c.ended.CompareAndSwap(false, true) {
		c.hub.faults.add(f.Code)
		c.control(&wire.Envelope{Kind: wire.KindError, Args: faultBody(f)})
		c.mu.Lock()
		c.mute = true
		c.mu.Unlock()
	}
	return err
}

// fault queues an error frame about what the client sent with that id.
func (c *Conn) fault(f *wire.Fault, namespace []byte, id uint64) {
	c.control(&wire.Envelope{Kind: wire.KindError, Namespace: namespace, ID: id, Args: faultBody(f)})
}

// faultBody encodes f. What a peer sent may be quoted in it at any length.
func faultBody(f *wire.Fault) []byte { return wire.EncodeBody(clipped(f)) }

func clipped(f *wire.Fault) *wire.Fault {
	g := *f
	g.Code, g.Message, g.Hint = clip(f.Code), clip(f.Message), clip(f.Hint)
	return &g
}

// maxText caps in bytes what others wrote and the hub puts into its own words.
const maxText = 300

// clip shortens s to maxText.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	n := maxText
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// A tally counts faults and refusals by code. It has a lock of its own: a
// flood that is refused does not hold up those who join.
type tally struct {
	mu sync.Mutex
	n  map[string]uint64
}

func (t *tally) add(code string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == nil {
		t.n = make(map[string]uint64)
	}
	t.n[code]++
}

func (t *tally) all() map[string]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.n)
}

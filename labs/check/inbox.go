package check

import (
	"net/netip"
	"sync"
	"time"
)

// maxUnread bounds what is kept of what a program sends unasked, in bytes.
const maxUnread = 128 << 20

// A gram is a datagram, or what one read of a stream gave.
type gram struct {
	data []byte
	at   time.Time
	from netip.AddrPort // udp
}

// An inbox holds what has come and was not looked at yet.
type inbox struct {
	mu   sync.Mutex
	list []gram
	size int
	err  error         // why no more comes
	more chan struct{} // has one element if something is new
}

func newInbox() *inbox { return &inbox{more: make(chan struct{}, 1)} }

// put adds g and reports whether there is room for more.
func (in *inbox) put(g gram) bool {
	in.mu.Lock()
	in.list = append(in.list, g)
	in.size += len(g.data)
	room := in.size < maxUnread
	in.mu.Unlock()
	in.wake()
	return room
}

// end says that no more comes.
func (in *inbox) end(err error) {
	in.mu.Lock()
	if in.err == nil {
		in.err = err
	}
	in.mu.Unlock()
	in.wake()
}

func (in *inbox) wake() {
	select {
	case in.more <- struct{}{}:
	default:
	}
}

// first returns the oldest that is unread, or why none comes any more.
func (in *inbox) first() (g gram, ok bool, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.list) > 0 {
		return in.list[0], true, nil
	}
	return gram{}, false, in.err
}

// take drops n bytes of the oldest, and all of it if none is left of it or
// whole is set.
func (in *inbox) take(n int, whole bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	g := &in.list[0]
	if whole {
		n = len(g.data)
	}
	in.size -= n
	if g.data = g.data[n:]; len(g.data) == 0 {
		in.list[0] = gram{}
		in.list = in.list[1:]
	}
}

// rest returns up to most bytes of what is unread, for people.
func (in *inbox) rest(most int) []byte {
	in.mu.Lock()
	defer in.mu.Unlock()
	var b []byte
	for _, g := range in.list {
		b = append(b, g.data[:min(len(g.data), most-len(b))]...)
		if len(b) >= most {
			break
		}
	}
	return b
}

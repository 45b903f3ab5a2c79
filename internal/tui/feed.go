package tui

import (
	"sync"

	tea "github.com/charmbracelet/bubbletea"

	"wirelab/internal/client"
)

// A feed takes what the client's callbacks bring to the program, in order,
// through one goroutine: many at a time when they come fast.
type feed struct {
	mu      sync.Mutex
	room    sync.Cond
	queue   []any // client.Event, client.Status, client.Traffic
	waiting int   // without traffic
	traffic int
	skipped int // traffic that was not kept
	closed  bool
	wake    chan struct{}
}

// A batch is what the client has brought.
type batch struct {
	items   []any
	skipped int // frames and datagrams that came too fast to be shown
}

const (
	// maxWaiting caps the events on their way to the screen. Beyond it the
	// client waits, and what follows stays in the server's log.
	maxWaiting = 1024
	// maxTraffic caps the frames. Beyond it they are not shown: the network
	// does not wait for somebody who looks at it.
	maxTraffic = 2048
)

func newFeed() *feed {
	f := &feed{wake: make(chan struct{}, 1)}
	f.room.L = &f.mu
	return f
}

func (f *feed) event(e client.Event) any {
	f.put(e)
	return nil
}

func (f *feed) status(st client.Status) { f.put(st) }

func (f *feed) put(item any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.waiting >= maxWaiting && !f.closed {
		f.room.Wait()
	}
	f.waiting++
	f.queue = append(f.queue, item)
	f.hurry()
}

func (f *feed) tap(t client.Traffic) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.traffic >= maxTraffic {
		f.skipped++
		return
	}
	f.traffic++
	f.queue = append(f.queue, t)
	f.hurry()
}

func (f *feed) hurry() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// take returns what has come, and makes room.
func (f *feed) take() batch {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := batch{f.queue, f.skipped}
	f.queue, f.waiting, f.traffic, f.skipped = nil, 0, 0, 0
	f.room.Broadcast()
	return b
}

// run sends batches until done is closed.
func (f *feed) run(done <-chan struct{}, send func(tea.Msg)) {
	for {
		select {
		case <-f.wake:
			if b := f.take(); len(b.items) > 0 || b.skipped > 0 {
				send(b)
			}
		case <-done:
			return
		}
	}
}

// close lets the client go on: nobody looks any more.
func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.room.Broadcast()
}

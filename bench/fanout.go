//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// A fanout is one round of the TCP fan-out benchmark, run in a process of its
// own: Members connections in one room, of which the first publishes. It knows
// how much the slowest member has and stays at most Window messages ahead of
// it, so no server has a reason to drop anything, and none may.
//
// The members count bytes, which are an exact multiple of a delivery's size,
// and let the kernel discard them. Before and after that every member parses:
// a first message, which also gives the size, and a last few, which prove that
// nothing was lost, doubled or cut on the way. With Check they parse all of it.
type fanout struct {
	Server  string // "nats" or "wirelab"
	Addr    netip.AddrPort
	Source  netip.Addr // the members' address
	PID     int        // the server's, for its CPU time
	Room    string
	Members int
	Window  int // messages
	Batch   int // messages in one write of the publisher
	Warm    time.Duration
	Measure time.Duration
	Check   bool
}

// fanoutResult is what a round measured.
type fanoutResult struct {
	Delivered uint64        // to all members, in Elapsed
	Published uint64        // in the whole round
	Elapsed   time.Duration // measured interval
	ServerCPU time.Duration // in Elapsed
	LoadCPU   time.Duration // in Elapsed
	Size      int           // bytes of one delivery
}

// rate is deliveries per second.
func (r fanoutResult) rate() float64 { return float64(r.Delivered) / r.Elapsed.Seconds() }

// perCPU is deliveries per second of the server's CPU time.
func (r fanoutResult) perCPU() float64 { return float64(r.Delivered) / r.ServerCPU.Seconds() }

// epilogue is how many messages every member parses at the end of a round.
const epilogue = 10

// A member is one connection of a round.
type member struct {
	*conn
	bytes uint64 // discarded or parsed since counting began
	next  uint64 // with Check: the number that the next delivery must have
}

// A load is a round in progress.
type load struct {
	fanout
	protocol
	members   []member
	epoll     int
	size      uint64 // bytes of one delivery
	published uint64 // since counting began
	limit     uint64 // of published; 0: none
	slowest   uint64 // deliveries that every member had when last looked

	batch  []byte // Batch publishes
	number []int  // where in batch the numbers are
	unsent []byte // the rest of batch that did not fit the socket
	pubAt  uint64 // number of the next message
}

func (f fanout) run() (r fanoutResult, err error) {
	l := load{fanout: f}
	if l.protocol, err = protocolOf(f.Server); err != nil {
		return r, err
	}
	defer l.shut()
	if err := l.connect(); err != nil {
		return r, err
	}
	if err := l.begin(); err != nil {
		return r, err
	}
	if err := l.until(time.Now().Add(f.Warm)); err != nil {
		return r, err
	}
	cpu, err := cpuTime(f.PID)
	if err != nil {
		return r, err
	}
	own, at, had := ownCPUTime(), time.Now(), l.delivered()
	if err := l.until(at.Add(f.Measure)); err != nil {
		return r, err
	}
	r.Elapsed = time.Since(at)
	r.Delivered = l.delivered() - had
	r.LoadCPU = ownCPUTime() - own
	after, err := cpuTime(f.PID)
	if err != nil {
		return r, err
	}
	r.ServerCPU = after - cpu
	if err := l.drain(); err != nil {
		return r, err
	}
	r.Published, r.Size = l.published, int(l.size)
	return r, l.end()
}

// connect makes the members.
func (l *load) connect() (err error) {
	l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	for i := range l.Members {
		c, err := dial(l.Addr, netip.AddrPortFrom(l.Source, 0))
		if err != nil {
			return err
		}
		l.members = append(l.members, member{conn: c})
		if err := l.join(c, l.Room, fmt.Sprintf("member-%d", i)); err != nil {
			return fmt.Errorf("member %d: %w", i, err)
		}
	}
	return nil
}

// shut closes the connections.
func (l *load) shut() {
	for _, m := range l.members {
		m.close()
	}
	if l.epoll != 0 {
		unix.Close(l.epoll)
	}
}

// begin has every member parse one message, learns its size, and prepares the
// publisher's batch.
func (l *load) begin() error {
	l.size = 0
	l.makeBatch(1)
	if err := l.members[0].write(l.nextBatch()); err != nil {
		return err
	}
	for i := range l.members {
		m := &l.members[i]
		size, err := m.expect(l.protocol, 0)
		switch {
		case err != nil:
			return fmt.Errorf("member %d: %w", i, err)
		case l.size == 0:
			l.size = size
		case l.size != size:
			return fmt.Errorf("member %d: a delivery of %d bytes, member 0 had %d", i, size, l.size)
		case m.start != m.end:
			return fmt.Errorf("member %d: %d bytes after the first delivery, want none", i, m.end-m.start)
		}
		m.next = 1
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
		if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, m.fd, &event); err != nil {
			return fmt.Errorf("epoll: %w", err)
		}
	}
	l.makeBatch(l.Batch)
	return nil
}

// expect parses deliveries until the one with the given number, which must be
// the first, and returns its size.
func (m *member) expect(p protocol, number uint64) (uint64, error) {
	for {
		b, err := m.message(p)
		if err != nil {
			return 0, err
		}
		_, payload, _, err := p.next(b)
		if err != nil {
			return 0, err
		}
		if payload != nil {
			return uint64(len(b)), checkPayload(payload, number)
		}
	}
}

// makeBatch encodes n publishes whose numbers are filled in before each write.
func (l *load) makeBatch(n int) {
	payload := make([]byte, payloadSize)
	putNumber(payload, 0)
	l.batch, l.number = nil, nil
	for range n {
		from := len(l.batch)
		l.batch = l.appendPublish(l.batch, l.Room, payload)
		l.number = append(l.number, from+bytes.Index(l.batch[from:], payload))
	}
}

func (l *load) nextBatch() []byte {
	for _, at := range l.number {
		putNumber(l.batch[at:], l.pubAt)
		l.pubAt++
	}
	return l.batch
}

func (l *load) delivered() uint64 {
	var sum uint64
	for i := range l.members {
		sum += l.members[i].bytes
	}
	return sum / l.size
}

// until publishes and counts until the deadline.
func (l *load) until(deadline time.Time) error {
	heard := time.Now()
	for {
		if err := l.publish(); err != nil {
			return err
		}
		any, err := l.receive()
		if err != nil {
			return err
		}
		now := time.Now()
		if any {
			heard = now
		}
		if now.Sub(heard) > stalled {
			return fmt.Errorf("no delivery for %v", stalled)
		}
		if now.After(deadline) {
			return nil
		}
	}
}

// publish writes batches as far as the window and the socket let it.
func (l *load) publish() error {
	for {
		if len(l.unsent) == 0 {
			if l.limit != 0 && l.published >= l.limit {
				return nil
			}
			if l.published+uint64(l.Batch) > l.slowest+uint64(l.Window) {
				if l.look(); l.published+uint64(l.Batch) > l.slowest+uint64(l.Window) {
					return nil
				}
			}
			l.unsent = l.nextBatch()
			l.published += uint64(l.Batch)
		}
		n, err := unix.SendmsgN(l.members[0].fd, l.unsent, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if err == unix.EAGAIN || err == unix.EINTR {
			return nil
		}
		if err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		if l.unsent = l.unsent[n:]; len(l.unsent) > 0 {
			return nil
		}
	}
}

// look finds out what the slowest member has.
func (l *load) look() {
	least := l.members[0].bytes
	for i := range l.members {
		least = min(least, l.members[i].bytes)
	}
	l.slowest = least / l.size
}

// receive takes what has come for any member, waiting a little if nothing has.
func (l *load) receive() (any bool, err error) {
	var events [256]unix.EpollEvent
	n, err := unix.EpollWait(l.epoll, events[:], 10)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return false, fmt.Errorf("epoll: %w", err)
	}
	for _, event := range events[:max(n, 0)] {
		m := &l.members[event.Fd]
		got := 0
		if l.Check {
			got, err = l.parse(m)
		} else {
			got, err = m.discard(4 << 20)
		}
		if err != nil {
			return false, fmt.Errorf("member %d: %w", event.Fd, err)
		}
		m.bytes += uint64(got)
		any = any || got > 0
	}
	return any, nil
}

// parse reads once and checks each delivery that is whole by then.
func (l *load) parse(m *member) (int, error) {
	if _, err := m.fill(unix.MSG_DONTWAIT); err != nil {
		return 0, err
	}
	got := 0
	for {
		size, payload, _, err := l.next(m.buf[m.start:m.end])
		if err != nil || size == 0 {
			return got, err
		}
		m.start += size
		if payload == nil {
			return 0, errors.New("something that is no delivery")
		}
		if err := checkPayload(payload, m.next); err != nil {
			return 0, err
		}
		m.next++
		got += size
	}
}

// drain waits until every member has exactly what was published.
func (l *load) drain() error {
	deadline := time.Now().Add(stalled)
	for {
		if len(l.unsent) > 0 {
			if err := l.members[0].write(l.unsent); err != nil {
				return err
			}
			l.unsent = nil
		}
		l.look()
		if l.slowest >= l.published {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("lost: %d published, the slowest member has %d", l.published, l.slowest)
		}
		if _, err := l.receive(); err != nil {
			return err
		}
	}
	for i := range l.members {
		if got, want := l.members[i].bytes, l.published*l.size; got != want {
			return fmt.Errorf("member %d: got %d bytes, want %d", i, got, want)
		}
	}
	return nil
}

// exactly publishes n messages in all, and returns when every member has them.
// n−1 must be a multiple of a batch.
func (l *load) exactly(n uint64) error {
	if err := l.begin(); err != nil {
		return err
	}
	l.limit = n - 1 // one went out in begin
	for l.published < l.limit {
		if err := l.publish(); err != nil {
			return err
		}
		if _, err := l.receive(); err != nil {
			return err
		}
	}
	return l.drain()
}

// end has every member parse a few more messages: byte counts that add up and
// numbers that go on mean that each had every message once.
func (l *load) end() error {
	number := l.pubAt
	l.makeBatch(epilogue)
	if err := l.members[0].write(l.nextBatch()); err != nil {
		return err
	}
	for i := range l.members {
		for n := range uint64(epilogue) {
			if _, err := l.members[i].expect(l.protocol, number+n); err != nil {
				return fmt.Errorf("member %d, at the end: %w", i, err)
			}
		}
	}
	return nil
}

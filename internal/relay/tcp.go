package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"wirelab/internal/vnet"
)

// orphanTime is how long one end of a connection outlives the other when that
// was reset: the link may have lost the RST, and a side that has nothing to send
// would wait for ever.
const orphanTime = 2 * time.Minute

// acceptPause is how long nothing is accepted when the system has no more
// descriptors.
const acceptPause = 50 * time.Millisecond

// conns are the TCP connections that are open, by the client's port on the
// emulated link.
type conns struct {
	mu     sync.Mutex
	near   int // accepted from client programs
	dials  int // of them, those that the far side has not answered
	orphan time.Duration
	open   map[uint16]*conn
	totals Totals
}

// A conn is a connection of the client program and what it became: a splice at
// each end of the link. Either end may come or go first.
type conn struct {
	port   uint16
	opened time.Time

	// Guarded by conns.mu.
	client    netip.AddrPort // of the client program
	ends      int            // that have come so far
	near, far *splice        // nil: not there (yet, or any more)
	taken     [2]uint64      // what an end that is gone had read: near's up, far's down
	handed    [2]uint64      // what it had handed over: far's up, near's down
	orphan    *time.Timer    // abandons the end that is left; nil: none was reset
}

// serveNear accepts the client program's connections and carries them to the
// server host.
func (r *Relay) serveNear(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := context.AfterFunc(ctx, func() { r.cfg.TCP.Close() })
	defer stop()
	for {
		c, err := r.cfg.TCP.Accept()
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil
		case closed(err):
			return fmt.Errorf("accept: %w", err)
		default:
			// No descriptors, or a client that left at once.
			r.cfg.Log.Warn("accept", "err", err)
			select {
			case <-time.After(acceptPause):
			case <-ctx.Done():
			}
			continue
		}
		near := kernelStream{c.(*net.TCPConn)}
		if !r.conns.admit(r.cfg.MaxConns) {
			near.Abort()
			r.cfg.Log.Warn("reset a connection: too many at once", "client", c.RemoteAddr(), "most", r.cfg.MaxConns)
			continue
		}
		wg.Go(func() { r.carry(ctx, near) })
	}
}

// carry carries one connection of the client program to the server host.
func (r *Relay) carry(ctx context.Context, near kernelStream) {
	client := near.RemoteAddr().(*net.TCPAddr).AddrPort()
	s := splice{total: [2]*atomic.Uint64{1: &r.payload[1]}}
	var k *conn
	err := s.run(ctx, near, func(ctx context.Context) (stream, error) {
		r.conns.dialing(1)
		defer r.conns.dialing(-1)
		c, err := r.client.DialContext(ctx, "tcp", r.remote.String())
		if err != nil {
			return nil, err
		}
		k = r.conns.join(portOf(c.LocalAddr()), func(k *conn) { k.near, k.client = &s, client })
		return c.(*vnet.Conn), nil
	})
	r.conns.mu.Lock()
	r.conns.near--
	t := &r.conns.totals
	switch {
	case err == nil:
		t.Closed++
	case ctx.Err() != nil:
		t.Cut++
	case k != nil:
		t.Reset++
	case errors.Is(err, syscall.ECONNREFUSED):
		t.Refused++
	default:
		t.Failed++
	}
	r.conns.mu.Unlock()
	switch {
	case k != nil:
		r.conns.leave(k, &s, err)
		r.cfg.Log.Debug("a connection has ended", "client", client, "err", err)
	case ctx.Err() == nil:
		r.cfg.Log.Warn("reset a connection that does not get through", "client", client, "err", err)
	}
}

// An answering is who answers what the client host asks for over the link, as
// the server program does: a connection is accepted there if the program
// accepts it, and refused if the program is not there.
type answering struct {
	mu   sync.Mutex
	over bool
	work sync.WaitGroup
}

// answer makes the server host answer, until ctx ends.
func (r *Relay) answer(ctx context.Context) (*answering, error) {
	a := new(answering)
	return a, r.server.Intercept(func(q *vnet.Request) {
		a.mu.Lock()
		if a.over {
			a.mu.Unlock()
			q.Refuse()
			return
		}
		a.work.Add(1)
		a.mu.Unlock()
		defer a.work.Done()
		r.deliver(ctx, q)
	})
}

// wait ends it and waits for what is under way.
func (a *answering) wait() {
	a.mu.Lock()
	a.over = true
	a.mu.Unlock()
	a.work.Wait()
}

// deliver carries one connection that came over the link to the server program.
func (r *Relay) deliver(ctx context.Context, q *vnet.Request) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", r.cfg.Connect)
	if err != nil {
		q.Refuse()
		r.cfg.Log.Debug("the server does not take a connection", "err", err)
		return
	}
	far := kernelStream{c.(*net.TCPConn)}
	near, err := q.Accept()
	if err != nil {
		far.Abort()
		return
	}
	s := splice{total: [2]*atomic.Uint64{0: &r.payload[0]}}
	k := r.conns.join(portOf(q.Remote), func(k *conn) { k.far = &s })
	err = s.run(ctx, near, func(context.Context) (stream, error) { return far, nil })
	r.conns.leave(k, &s, err)
}

func portOf(a net.Addr) uint16 {
	switch a := a.(type) {
	case *net.TCPAddr:
		return uint16(a.Port)
	case *net.UDPAddr:
		return uint16(a.Port)
	}
	return 0
}

// admit counts a connection of the client program, unless there are most.
func (s *conns) admit(most int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.near >= most {
		s.totals.Overflow++
		return false
	}
	s.near++
	s.totals.Accepted++
	return true
}

func (s *conns) dialing(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials += n
}

// join finds the connection with that port, or begins it, and lets set say which
// end has come.
func (s *conns) join(port uint16, set func(*conn)) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.open[port]
	if k == nil {
		k = &conn{port: port, opened: time.Now()}
		s.open[port] = k
	}
	k.ends++
	set(k)
	return k
}

// leave takes in that one end is over, and why.
func (s *conns) leave(k *conn, end *splice, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	up, down := end.count[0].Load(), end.count[1].Load()
	if end == k.near {
		k.near, k.taken[0], k.handed[1] = nil, up, down
	} else {
		k.far, k.handed[0], k.taken[1] = nil, up, down
	}
	switch {
	case k.ends == 2 && k.near == nil && k.far == nil:
		s.forget(k)
	case err != nil && k.orphan == nil:
		k.orphan = time.AfterFunc(s.orphan, func() { s.abandon(k, err) })
	}
}

// abandon resets what is left of a connection.
func (s *conns) abandon(k *conn, err error) {
	s.mu.Lock()
	ends := [2]*splice{k.near, k.far}
	s.forget(k)
	s.mu.Unlock()
	for _, end := range ends {
		if end != nil {
			end.abort(fmt.Errorf("the other end was reset: %w", err))
		}
	}
}

// forget drops k. The caller has the lock.
func (s *conns) forget(k *conn) {
	if k.orphan != nil {
		k.orphan.Stop()
	}
	if s.open[k.port] == k {
		delete(s.open, k.port)
	}
}

// close stops what waits. All ends have left.
func (s *conns) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.open {
		s.forget(k)
	}
}

// list returns the connections that are open, the oldest first.
func (s *conns) list() []Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Conn, 0, len(s.open))
	for _, k := range s.open {
		if k.near == nil && k.far == nil {
			continue
		}
		c := Conn{Client: k.client, Port: k.port, Opened: k.opened, Phase: k.phase()}
		c.Up.Taken, c.Up.Handed, c.Down.Taken, c.Down.Handed = k.taken[0], k.handed[0], k.taken[1], k.handed[1]
		if k.near != nil {
			c.Up.Taken, c.Down.Handed = k.near.count[0].Load(), k.near.count[1].Load()
		}
		if k.far != nil {
			c.Up.Handed, c.Down.Taken = k.far.count[0].Load(), k.far.count[1].Load()
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Conn) int {
		return cmp.Or(a.Opened.Compare(b.Opened), cmp.Compare(a.Port, b.Port))
	})
	return all
}

// Phases of a connection.
const (
	Open       = "open"
	ClientDone = "client done" // has sent its FIN
	ServerDone = "server done"
	Closing    = "closing"
)

func (k *conn) phase() string {
	switch {
	case k.near == nil && k.ends == 2, k.far == nil && k.ends == 2:
		return Closing
	case k.near == nil, k.far == nil:
		return Open // the other end hears of it in a moment
	}
	switch up, down := k.near.ended[0].Load(), k.far.ended[1].Load(); {
	case up && down:
		return Closing
	case up:
		return ClientDone
	case down:
		return ServerDone
	}
	return Open
}

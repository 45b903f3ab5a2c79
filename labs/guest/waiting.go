package main

import (
	"cmp"
	"net"
	"slices"
	"sync"
	"time"

	"wirelab/labs/scenario"
)

// watchTime is how often it is looked what waits in the server's program.
const watchTime = 100 * time.Millisecond

// A crowd is the server's TCP connections, and what waits for each in the
// program's memory: handed over to be written, and not taken by the socket.
type crowd struct {
	without scenario.Defence
	writer  sync.Mutex // all writers', without OwnWriters

	mu    sync.Mutex
	conns map[*crowdConn]string // the host of each
	told  map[string]int        // bytes that were told, by host
}

// A crowdListener hands out connections that are counted.
type crowdListener struct {
	net.Listener
	crowd *crowd
	host  func(net.Addr) string
}

// Accept implements net.Listener.
func (l *crowdListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &crowdConn{Conn: nc, crowd: l.crowd}
	c.more.L = &c.mu
	l.crowd.mu.Lock()
	defer l.crowd.mu.Unlock()
	l.crowd.conns[c] = l.host(nc.RemoteAddr())
	if l.crowd.without == scenario.BoundedWrites {
		go c.drain()
	}
	return c, nil
}

// A crowdConn is one of them.
type crowdConn struct {
	net.Conn
	crowd *crowd

	mu      sync.Mutex
	more    sync.Cond
	waiting int
	queue   [][]byte // without BoundedWrites
	closed  bool
	err     error
}

func (c *crowdConn) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting += n
}

// Write implements net.Conn. Without BoundedWrites it never waits, and keeps
// all; without OwnWriters it waits for whoever writes to anybody.
func (c *crowdConn) Write(b []byte) (int, error) {
	switch c.crowd.without {
	case scenario.BoundedWrites:
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.err != nil {
			return 0, c.err
		}
		c.waiting += len(b)
		c.queue = append(c.queue, slices.Clone(b))
		c.more.Signal()
		return len(b), nil
	case scenario.OwnWriters:
		c.add(len(b))
		defer c.add(-len(b))
		c.crowd.writer.Lock()
		defer c.crowd.writer.Unlock()
	default:
		c.add(len(b))
		defer c.add(-len(b))
	}
	return c.Conn.Write(b)
}

// drain writes what is queued, until the connection is closed.
func (c *crowdConn) drain() {
	for {
		c.mu.Lock()
		for len(c.queue) == 0 && !c.closed {
			c.more.Wait()
		}
		if c.closed {
			c.mu.Unlock()
			return
		}
		b := c.queue[0]
		c.queue = c.queue[1:]
		c.mu.Unlock()
		c.Conn.SetWriteDeadline(time.Time{}) // there is none: that is the point
		_, err := c.Conn.Write(b)
		c.mu.Lock()
		c.waiting -= len(b)
		if c.err = err; err != nil {
			c.waiting, c.queue, c.closed = 0, nil, true
		}
		c.mu.Unlock()
	}
}

// CloseWrite ends what is written.
func (c *crowdConn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// Close implements net.Conn.
func (c *crowdConn) Close() error {
	c.mu.Lock()
	c.closed, c.queue, c.waiting = true, nil, 0
	c.more.Signal()
	c.mu.Unlock()
	c.crowd.mu.Lock()
	delete(c.crowd.conns, c)
	c.crowd.mu.Unlock()
	return c.Conn.Close()
}

// look writes what waits now for whom, as far as that has changed.
func (k *crowd) look(log *ledger) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := make(map[string]int)
	for host := range k.told {
		now[host] = 0
	}
	for c, host := range k.conns {
		c.mu.Lock()
		now[host] += c.waiting
		c.mu.Unlock()
	}
	hosts := make([]string, 0, len(now))
	for host, n := range now {
		if n != k.told[host] {
			hosts = append(hosts, host)
		}
	}
	slices.SortFunc(hosts, cmp.Compare)
	for _, host := range hosts {
		log.event(&scenario.Event{Kind: scenario.EventWaiting, Host: host, Size: now[host]})
		k.told[host] = now[host]
	}
}

// watch looks from now on, until the function is called that it returns.
func (w *world) watch() (unwatch func()) {
	if !w.s.Watch {
		return func() {}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		t := time.NewTicker(watchTime)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				w.server.crowd.look(w.log)
			case <-stop:
				return
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

// hostOf returns the host that has an address.
func (w *world) hostOf(a net.Addr) string {
	host, _, _ := net.SplitHostPort(a.String())
	for _, m := range w.members {
		if m.host.Addr().String() == host {
			return m.cfg.Name
		}
	}
	return host
}

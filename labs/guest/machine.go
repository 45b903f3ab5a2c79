package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"wirelab/internal/impair"
	"wirelab/internal/vnet"
	"wirelab/labs/scenario"
)

// A machine is a raw host: its programs are the scenario's, not the chat.
type machine struct {
	w        *world
	cfg      *scenario.Host
	host     *vnet.Host
	up, down impair.Config // its link when nothing is wrong

	mu    sync.Mutex
	life  int
	alive atomic.Int64    // life, or 0: killed
	ctx   context.Context // of this life; nil: killed
	stop  context.CancelFunc
	socks map[string]*sock
	came  chan struct{} // closed when the next socket is opened
}

// A sock is a socket of a machine's program: one of conn, listener and packets
// is not nil.
type sock struct {
	m        *machine
	name     string
	conn     *vnet.Conn
	listener net.Listener
	packets  *vnet.PacketConn

	in, out *stream // of conn: what its messages are
	part    []byte  // of a text that has not come whole

	// Guarded by m.mu.
	sends, reads int
	sent, got    int64 // bytes
}

func newMachine(w *world, cfg *scenario.Host, host *vnet.Host, up, down impair.Config) *machine {
	m := &machine{w: w, cfg: cfg, host: host, up: up, down: down}
	m.begin()
	return m
}

func (m *machine) at() *vnet.Host { return m.host }

// begin begins a life.
func (m *machine) begin() {
	m.life++
	m.alive.Store(int64(m.life))
	m.ctx, m.stop = context.WithCancel(context.Background())
	m.socks = make(map[string]*sock)
	m.came = make(chan struct{})
}

// start starts a host that was killed, with an empty memory: programs that began
// before do not begin again.
func (m *machine) start() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx != nil {
		return nil
	}
	if err := m.host.Start(); err != nil {
		return err
	}
	m.begin()
	m.w.log.life(m.cfg.Name, m.life, "started")
	return nil
}

// kill takes the host's power away, and its programs with it.
func (m *machine) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx == nil {
		return
	}
	m.alive.Store(0)
	m.stop()
	m.ctx = nil
	m.host.Kill()
	m.w.log.life(m.cfg.Name, m.life, "killed")
}

// did writes what a program did with a socket, if it still runs.
func (m *machine) did(ctx context.Context, name, what string, e scenario.Event) {
	if ctx.Err() != nil {
		return
	}
	e.Kind, e.Host, e.Sock, e.Do = scenario.EventSock, m.cfg.Name, name, what
	m.w.log.event(&e)
	switch what {
	case "sent", "received", "message", "delivered", "acked":
		m.w.raw.states.stir(false)
	default:
		m.w.raw.states.stir(true)
	}
}

// open keeps a socket under its name.
func (m *machine) open(s *sock) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.socks[s.name] = s
	close(m.came)
	m.came = make(chan struct{})
}

// sock waits until there is a socket of that name.
func (m *machine) sock(ctx context.Context, name string) (*sock, error) {
	for {
		m.mu.Lock()
		s, came := m.socks[name], m.came
		m.mu.Unlock()
		if s != nil {
			return s, nil
		}
		select {
		case <-came:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// countSent adds one sending of so many bytes, and returns its number and the sum.
func (s *sock) countSent(bytes int) (n int, sum int64) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.sends++
	s.sent += int64(bytes)
	return s.sends, s.sent
}

// countRead is countSent of what was read.
func (s *sock) countRead(bytes int) (n int, sum int64) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.reads++
	s.got += int64(bytes)
	return s.reads, s.got
}

// A stream is one direction of a TCP connection: where the messages end that
// were written into it. TCP does not know; the run does.
type stream struct {
	mu   sync.Mutex
	from string // the host that writes
	ends []ending
	at   int // of the next that the reader has not had
}

// An ending is where a message ends.
type ending struct {
	at   int64 // bytes since the beginning of the stream
	size int
	text bool // it has no tag
}

// add notes a message that will be written.
func (s *stream) add(size int, text bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := int64(size)
	if n := len(s.ends); n > 0 {
		at += s.ends[n-1].at
	}
	s.ends = append(s.ends, ending{at, size, text})
}

// next returns the number of the message that the reader is in, from 1, and its
// ending.
func (s *stream) next() (n int, e ending, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == len(s.ends) {
		return 0, ending{}, false
	}
	return s.at + 1, s.ends[s.at], true
}

func (s *stream) pass() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at++
}

// streams are the directions of all connections between raw hosts.
type streams struct {
	mu   sync.Mutex
	list map[[2]netip.AddrPort]*stream
}

// connect begins both directions of a connection that local opens to remote.
func (t *streams) connect(local, remote netip.AddrPort, from, to string) (out, in *stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.list == nil {
		t.list = make(map[[2]netip.AddrPort]*stream)
	}
	out, in = &stream{from: from}, &stream{from: to}
	t.list[[2]netip.AddrPort{local, remote}] = out
	t.list[[2]netip.AddrPort{remote, local}] = in
	return out, in
}

// accept returns both directions of a connection that remote has opened.
func (t *streams) accept(local, remote netip.AddrPort) (out, in *stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	out, in = t.list[[2]netip.AddrPort{local, remote}], t.list[[2]netip.AddrPort{remote, local}]
	if out == nil { // no raw host: nothing is known
		out, in = new(stream), new(stream)
	}
	return out, in
}

// A raw is what a world has of raw hosts.
type raw struct {
	machines map[string]*machine
	streams  streams
	states   states
	holds    atomic.Int64 // programs that wait for an instant: the run does not end before it
}

// addMachines adds the raw hosts to the network, after those of the chat.
func (w *world) addMachines() error {
	w.raw.machines = make(map[string]*machine)
	w.raw.states.log = w.log
	if len(w.s.Hosts) > 0 {
		w.log.stir = w.raw.states.stir
	}
	first := len(w.s.Members) + 1
	if len(w.s.Members) > 0 {
		first++ // the server
	}
	for i := range w.s.Hosts {
		cfg := &w.s.Hosts[i]
		up, err := impair.Parse(cfg.Up)
		if err != nil {
			return err
		}
		down, err := impair.Parse(cfg.Down)
		if err != nil {
			return err
		}
		host, err := w.net.AddHost(vnet.HostConfig{
			Name: cfg.Name, Addrs: addresses(first + i), Up: up, Down: down, MTU: cfg.MTU,
			ReceiveBuffer: cfg.ReceiveBuffer, SendBuffer: cfg.SendBuffer, UDPReceiveBuffer: cfg.UDPBuffer,
			MinRTO: time.Duration(cfg.MinRTO), MaxRTO: time.Duration(cfg.MaxRTO),
			NoSACK: cfg.NoSACK, NoRACK: cfg.NoRACK, Reno: cfg.Reno, Nagle: cfg.Nagle,
			// What nobody looks at and nothing happens to is quicker unseen.
			Quiet: cfg.Up == "" && cfg.Down == "" && !slices.Contains(w.s.Record, cfg.Name),
		})
		if err != nil {
			return fmt.Errorf("host %s: %w", cfg.Name, err)
		}
		m := newMachine(w, cfg, host, up, down)
		w.raw.machines[cfg.Name] = m
		w.hosts[cfg.Name] = m
	}
	return nil
}

// tagged reads the tag at the beginning of a message.
func tagged(b []byte) (from string, n int, ok bool) {
	tag, _, found := bytes.Cut(b[:min(len(b), 64)], []byte{';'})
	name, number, is := bytes.Cut(tag, []byte{'#'})
	n, err := strconv.Atoi(string(number))
	return string(name), n, found && is && err == nil
}

// launch starts the programs. What opens a port at the beginning of one does so
// before any other begins, so that nobody comes too early.
func (w *world) launch(begin time.Time) {
	var runs []*routine
	for i := range w.s.Programs {
		p := &w.s.Programs[i]
		m := w.raw.machines[p.Host]
		r := &routine{m: m, ctx: m.ctx, begin: begin, do: p.Do}
		if p.At > 0 {
			w.raw.holds.Add(1)
			go func() {
				time.Sleep(time.Until(begin.Add(time.Duration(p.At))))
				w.raw.holds.Add(-1)
				m.mu.Lock()
				r.ctx = m.ctx
				m.mu.Unlock()
				if r.ctx != nil {
					r.play()
				}
			}()
			continue
		}
		runs = append(runs, r)
	}
	for _, r := range runs {
		r.prepare()
	}
	for _, r := range runs {
		go r.play()
	}
}

// settleRaw lets the run go on until nothing has happened for as long as the
// scenario says, or until its end.
func (w *world) settleRaw(begin time.Time) {
	if len(w.s.Programs) == 0 {
		return
	}
	end, quiet := begin.Add(w.s.Latest()), time.Duration(w.s.Quiet)
	if quiet == 0 {
		quiet = scenario.RawQuiet
	}
	for {
		now := time.Now()
		still := w.log.since()
		if !now.Before(end) || w.raw.holds.Load() == 0 && still >= quiet {
			return
		}
		wait := quiet - still
		if wait <= 0 { // something is held: look again
			wait = pollTime
		}
		time.Sleep(min(wait, end.Sub(now)))
	}
}

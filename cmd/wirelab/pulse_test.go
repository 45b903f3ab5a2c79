package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"wirelab/internal/client"
	"wirelab/internal/wire"
	"wirelab/tcpchat"
	"wirelab/udpchat"
)

// A guest is a member in the test's own process, which keeps what arrives.
type guest struct {
	*client.Client
	t     *testing.T
	ended chan struct{}

	board
	err    error // Run's
	texts  []string
	lost   []client.Status
	status []client.Status
}

// join connects a member and waits until it is in the lobby.
func join(t *testing.T, cfg client.Config) *guest {
	t.Helper()
	g := &guest{t: t, ended: make(chan struct{})}
	if cfg.Rooms == nil {
		cfg.Rooms = []string{"lobby"}
	}
	cfg.OnEvent = g.take
	cfg.OnStatus = func(st client.Status) {
		g.change(func() {
			g.status = append(g.status, st)
			if st.Kind == client.StatusLost {
				g.lost = append(g.lost, st)
			}
		})
	}
	g.Client = client.New(cfg)
	go func() {
		defer close(g.ended)
		g.err = g.Run(context.Background())
	}()
	t.Cleanup(func() { g.Close() })
	if err := g.Ready(soon(t)); err != nil {
		t.Fatalf("%s joins: %v", cfg.Name, err)
	}
	return g
}

func joinTCP(t *testing.T, addr, name string) *guest {
	t.Helper()
	return join(t, client.Config{Name: name, Dial: (&tcpchat.Dialer{Address: addr}).Dial, Queue: true, Reconnect: true})
}

func joinUDP(t *testing.T, addr, name string) *guest {
	t.Helper()
	d := &udpchat.Dialer{Address: addr, Mode: udpchat.Queue, Linger: 100 * time.Millisecond}
	return join(t, client.Config{Name: name, Dial: d.Dial, Queue: true, Reconnect: true})
}

func (g *guest) take(e client.Event) any {
	if text, ok := e.Text(); ok && !e.Volatile {
		g.change(func() { g.texts = append(g.texts, text) })
	}
	return nil
}

// gets waits until the text has arrived.
func (g *guest) gets(text string) {
	g.t.Helper()
	seen := 0
	if !g.await(g.ended, func() bool {
		for ; seen < len(g.texts); seen++ {
			if g.texts[seen] == text {
				return true
			}
		}
		return false
	}) {
		g.t.Fatalf("%s did not get %q, but %d other messages", g.Name(), text, len(g.texts))
	}
}

// says emits a text and waits until it is stored.
func (g *guest) says(text string) client.Ack {
	g.t.Helper()
	ack, err := g.EmitRetry(soon(g.t), "lobby", "msg", text)
	if err != nil {
		g.t.Fatalf("%s says %q: %v", g.Name(), text, err)
	}
	return ack
}

// soon returns a context that ends when patience does.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// A pulse is two healthy members, one over TCP and one over UDP, who talk to
// each other all the time: as long as it beats, the server serves the others.
type pulse struct {
	t        *testing.T
	stop     context.CancelFunc
	over     bool
	ana, udo *guest
	ended    sync.WaitGroup

	board
	count   int
	slowest time.Duration // of a message to be stored, and to be heard by the other
}

// feel starts a pulse.
func feel(t *testing.T, addr string) *pulse {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	p := &pulse{t: t, stop: stop, ana: joinTCP(t, addr, "pulse ana"), udo: joinUDP(t, addr, "pulse udo")}
	p.ended.Go(func() { p.beat(ctx) })
	t.Cleanup(p.end)
	p.beats(2)
	return p
}

// end stops it and checks that neither of the two has lost anything.
func (p *pulse) end() {
	p.t.Helper()
	if p.over {
		return
	}
	p.over = true
	p.stop()
	p.ended.Wait()
	for _, g := range []*guest{p.ana, p.udo} {
		g.Close()
		for _, st := range g.status {
			if st.Kind == client.StatusDisconnected || st.Kind == client.StatusLost {
				p.t.Errorf("%s: %v %v %d %s", g.Name(), st.Kind, st.Err, st.Lost, st.Reason)
			}
		}
	}
	p.t.Logf("%d messages of healthy members, the slowest took %v", p.count, p.slowest.Round(time.Microsecond))
}

func (p *pulse) beat(ctx context.Context) {
	tick := time.NewTicker(25 * time.Millisecond) // less than the server's rate limit
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		from, to := p.ana, p.udo
		if n%2 == 1 {
			from, to = to, from
		}
		began := time.Now()
		text := "beat " + strconv.Itoa(n)
		if _, err := from.EmitRetry(ctx, "lobby", "msg", text); err != nil {
			if ctx.Err() == nil {
				p.t.Errorf("%s: %v", from.Name(), err)
			}
			return
		}
		if !to.await(ctx.Done(), func() bool {
			return slices.Contains(to.texts, text)
		}) {
			if ctx.Err() == nil {
				p.t.Errorf("%s did not get %q", to.Name(), text)
			}
			return
		}
		to.change(func() { to.texts = to.texts[:0] })
		p.change(func() {
			p.count++
			p.slowest = max(p.slowest, time.Since(began))
		})
	}
}

// beats waits for n more messages.
func (p *pulse) beats(n int) {
	p.t.Helper()
	p.mu.Lock()
	until := p.count + n
	p.mu.Unlock()
	if !p.await(nil, func() bool { return p.count >= until }) {
		p.t.Fatalf("healthy members got %d messages, want %d", p.count, until)
	}
}

// A raw is a TCP connection that keeps no rules: it sends what it likes, and
// reads when it likes.
type raw struct {
	t testing.TB
	net.Conn
	r *wire.Reader
}

// dialRaw connects from an address of this machine, or from any if it is "",
// and reads the challenge.
func dialRaw(t testing.TB, addr, from string) *raw {
	t.Helper()
	c, err := tryRaw(t, addr, from)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tryRaw(t testing.TB, addr, from string) (*raw, error) {
	d := net.Dialer{Timeout: patience}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	nc, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { nc.Close() })
	c := &raw{t, nc, wire.NewReader(nc)}
	e, err := c.next()
	if err != nil {
		return nil, err
	}
	if e.Kind != wire.KindChallenge {
		return nil, errors.New(string(e.Args))
	}
	return c, nil
}

// next returns the next frame, which is good until the one after it.
func (c *raw) next() (wire.Envelope, error) {
	c.SetReadDeadline(time.Now().Add(patience))
	e, _, err := c.r.Next()
	return e, err
}

// until reads frames up to one of that kind.
func (c *raw) until(kind wire.Kind) wire.Envelope {
	c.t.Helper()
	for {
		e, err := c.next()
		if err != nil {
			c.t.Fatalf("waiting for %v: %v", kind, err)
		}
		if e.Kind == kind {
			return e
		}
	}
}

// send writes one frame.
func (c *raw) send(e wire.Envelope) {
	c.t.Helper()
	b, err := wire.AppendFrame(nil, &e)
	if err == nil {
		_, err = c.Write(b)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// enter connects as a member of the lobby.
func (c *raw) enter(name, session string) {
	c.t.Helper()
	c.send(wire.Envelope{Kind: wire.KindConnect, Args: wire.EncodeBody(wire.Connect{
		Name: name, Session: session, Nonce: strings.Repeat("00", wire.NonceSize), Rooms: []wire.RoomCursor{{Room: "lobby"}},
	})})
	c.until(wire.KindConnected)
	for string(c.until(wire.KindCursor).Room) != "lobby" {
	}
}

// resident returns the bytes of memory that a process has, 0 where the system
// does not say (proc(5)).
func resident(pid int) int64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(b, []byte("VmRSS:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kb, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	return kb << 10
}

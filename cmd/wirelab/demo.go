package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"wirelab/internal/chat"
	"wirelab/internal/client"
	"wirelab/internal/style"
	"wirelab/internal/wire"
	"wirelab/tcpchat"
	"wirelab/udpchat"
)

// demoTime ends a tour that hangs: everything in it takes milliseconds.
const demoTime = 18 * time.Second

func (a *app) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use: "demo", Short: "A tour in half a minute, no terminal needed", Args: cobra.NoArgs,
		Long: `A tour in half a minute: a server and its members, on real sockets of this
machine, in this one process; then the same chat in an emulated network, in
virtual time, with what each transport delivers when something fails, and the
packets of one run. All that it says was received and counted.`,
		RunE: a.do(func(ctx context.Context, _ []string) error {
			tour, cancel := context.WithTimeoutCause(ctx, demoTime, errDemoTime)
			defer cancel()
			err := a.demo(tour)
			if errors.Is(context.Cause(tour), errDemoTime) {
				return &failure{err: err, hint: "this machine may be very busy: try again", code: exitTimeout}
			}
			if err == nil {
				err = a.demoCompare(ctx)
			}
			if ctx.Err() != nil {
				return errInterrupted
			}
			return err
		}),
	}
}

var errDemoTime = fmt.Errorf("the demo did not end within %v", demoTime)

func (a *app) demo(ctx context.Context) error {
	s, err := openServer(serverConfig{
		tcp: "127.0.0.1:0", udp: "127.0.0.1:0", log: slog.New(slog.DiscardHandler),
		hub: chat.Config{Server: "wirelab demo"},
	})
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.run(serving) }()
	d := &demo{ctx: ctx, out: a.out, s: s}
	err = d.tour()
	d.leave()
	stop()
	return errors.Join(err, <-ended)
}

// A demo is one run of the tour.
type demo struct {
	ctx     context.Context
	out     io.Writer
	s       *server
	members []*demoMember
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

func (d *demo) head(title string) {
	d.say("\n── %s %s", title, strings.Repeat("─", max(0, 74-len([]rune(title)))))
}

// A demoMember is a client that keeps what arrives.
type demoMember struct {
	*client.Client
	what string

	mu     sync.Mutex
	events []client.Event
	left   map[string]bool // who it heard go away
	more   chan struct{}   // closed and replaced when something arrives
	frames []client.Traffic
}

// join connects a member and waits until it is in the room.
func (d *demo) join(name, what string, dial client.Dial, queue bool) (*demoMember, error) {
	m := &demoMember{what: what, left: make(map[string]bool), more: make(chan struct{})}
	m.Client = client.New(client.Config{
		Dial: dial, Name: name, Rooms: []string{"lobby"}, Queue: queue, Reconnect: true,
		OnEvent: m.take, Tap: m.tap,
	})
	go m.Run(d.ctx)
	d.members = append(d.members, m)
	if err := m.Ready(d.ctx); err != nil {
		return nil, fmt.Errorf("%s joins over %s: %w", name, what, err)
	}
	d.say("  %-5s joined over %s", name, what)
	return m, nil
}

func (d *demo) leave() {
	for _, m := range d.members {
		m.Close()
	}
}

func (d *demo) tcp() client.Dial {
	return (&tcpchat.Dialer{Address: d.s.tcp.Addr().String()}).Dial
}

func (d *demo) udp(mode udpchat.Mode) client.Dial {
	return (&udpchat.Dialer{Address: d.s.udp.LocalAddr().String(), Mode: mode}).Dial
}

func (m *demoMember) take(e client.Event) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch name, _ := e.Text(); {
	case e.Event == "msg":
		m.events = append(m.events, e)
	case e.Sender == "" && (e.Event == "member_left" || e.Event == "member_away"):
		m.left[name] = true
	default:
		return nil
	}
	close(m.more)
	m.more = make(chan struct{})
	return nil
}

func (m *demoMember) tap(t client.Traffic) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.frames = append(m.frames, t)
}

// until waits for the message and returns the texts that came before it,
// the first of them being number from.
func (m *demoMember) until(ctx context.Context, from int, last string) ([]string, error) {
	for {
		var texts []string
		m.mu.Lock()
		for _, e := range m.events[min(from, len(m.events)):] {
			text, _ := e.Text()
			if text == last {
				m.mu.Unlock()
				return texts, nil
			}
			texts = append(texts, text)
		}
		more := m.more
		m.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return texts, fmt.Errorf("%s waits for %q: %w", m.Name(), last, context.Cause(ctx))
		}
	}
}

// misses waits until m has heard that name went away.
func (m *demoMember) misses(ctx context.Context, name string) error {
	for {
		m.mu.Lock()
		gone, more := m.left[name], m.more
		m.mu.Unlock()
		if gone {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return fmt.Errorf("%s has not gone away: %w", name, context.Cause(ctx))
		}
	}
}

// count returns how many messages have arrived.
func (m *demoMember) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.events)
}

func (d *demo) tour() error {
	d.say("Wirelab: a server on tcp %s and udp %s, its members in the room \"lobby\".", d.s.tcp.Addr(), d.s.udp.LocalAddr())
	d.head("One room, two transports")
	ana, err := d.join("ana", "TCP with the missed-message queue", d.tcp(), true)
	if err != nil {
		return err
	}
	bea, err := d.join("bea", "TCP", d.tcp(), false)
	if err != nil {
		return err
	}
	udo, err := d.join("udo", "UDP, mode unreliable", d.udp(udpchat.Unreliable), false)
	if err != nil {
		return err
	}
	const hello = "hello from a datagram"
	if err := udo.Emit("lobby", "msg", hello); err != nil {
		return err
	}
	for _, m := range []*demoMember{ana, bea, udo} {
		if _, err := m.until(d.ctx, 0, hello); err != nil {
			return err
		}
		d.say("  %-5s received \"%s\"", m.Name(), hello)
	}
	d.head("An emit with acknowledgement")
	ack, err := ana.EmitAck(d.ctx, "lobby", "msg", "is this stored?")
	if err != nil {
		return err
	}
	d.say("  ana emits message %016x; the server answers: stored as number %d of %s, after %v",
		ack.ID, ack.Seq, ack.Room, ack.RTT.Round(time.Microsecond))
	for _, m := range []*demoMember{bea, udo} {
		if _, err := m.until(d.ctx, 0, "is this stored?"); err != nil {
			return err
		}
	}
	if err := d.away(ana); err != nil {
		return err
	}
	return d.frames(bea, udo)
}

// away lets three members leave while five messages pass, and counts what each
// has of them when it is back.
func (d *demo) away(speaker *demoMember) error {
	d.head("Away while five messages pass")
	tom, err := d.join("tom", "TCP, no session", d.tcp(), false)
	if err != nil {
		return err
	}
	ulf, err := d.join("ulf", "UDP, no session", d.udp(udpchat.Unreliable), false)
	if err != nil {
		return err
	}
	quin, err := d.join("quin", "TCP with the missed-message queue", d.tcp(), true)
	if err != nil {
		return err
	}
	three := []*demoMember{tom, ulf, quin}
	from := make([]int, len(three))
	for i, m := range three {
		m.Offline(0)
		if err := speaker.misses(d.ctx, m.Name()); err != nil {
			return err
		}
		from[i] = m.count()
	}
	d.say("  tom, ulf and quin go away.")
	for i := range 5 {
		if _, err := speaker.EmitAck(d.ctx, "lobby", "msg", fmt.Sprintf("missed %d", i+1)); err != nil {
			return err
		}
	}
	d.say("  ana says \"missed 1\" to \"missed 5\"; each is stored and acknowledged. The three come back.")
	for _, m := range three {
		m.Online()
		if err := m.Ready(d.ctx); err != nil {
			return err
		}
	}
	const last = "welcome back"
	if _, err := speaker.EmitAck(d.ctx, "lobby", "msg", last); err != nil {
		return err
	}
	d.say("")
	for i, m := range three {
		texts, err := m.until(d.ctx, from[i], last)
		if err != nil {
			return err
		}
		got := "nothing"
		if len(texts) > 0 {
			got = strings.Join(texts, ", ")
		}
		d.say("  %-5s %-34s got %d of 5: %s", m.Name(), m.what, len(texts), got)
	}
	return nil
}

// frames shows the bytes of one event as a TCP member and a UDP member got it.
func (d *demo) frames(tcp, udp *demoMember) error {
	const text = "look at my bytes"
	if err := tcp.Emit("lobby", "msg", text); err != nil {
		return err
	}
	for _, m := range []*demoMember{tcp, udp} {
		if _, err := m.until(d.ctx, 0, text); err != nil {
			return err
		}
		t, ok := m.find(text)
		if !ok {
			return fmt.Errorf("%s received %q, but not its bytes", m.Name(), text)
		}
		fields := wire.DissectFrame
		title := "The same event on TCP: a length, since a stream has no boundaries"
		if t.Datagram {
			fields = wire.DissectDatagram
			title = "… and on UDP: a header, since a datagram has nothing else"
		}
		d.head(fmt.Sprintf("%s (%d bytes)", title, len(t.Bytes)))
		for _, f := range fields(t.Bytes) {
			d.say("  %4d  %-24s %-10s %s", f.Off, hexBytes(t.Bytes[f.Off:f.Off+f.Len]), f.Name, style.Visible(f.Value))
		}
	}
	return nil
}

// find returns the bytes in which the text arrived.
func (m *demoMember) find(text string) (client.Traffic, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.frames {
		if !t.Out && strings.Contains(string(t.Bytes), text) {
			return t, true
		}
	}
	return client.Traffic{}, false
}

// hexBytes spells b in hex, cut after eight bytes.
func hexBytes(b []byte) string {
	const show = 8
	if len(b) <= show {
		return fmt.Sprintf("% x", b)
	}
	return fmt.Sprintf("% x…", b[:show-1])
}

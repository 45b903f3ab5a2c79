package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"wirelab/internal/client"
	"wirelab/internal/impair"
	"wirelab/internal/vnet"
	"wirelab/labs/scenario"
	"wirelab/tcpchat"
	"wirelab/udpchat"
)

// retryTime is how long somebody waits before they start a program again that
// ended with an error.
const retryTime = time.Second

// A member is a chat program on a host of its own: the same client as that of
// `wirelab tcp chat` and `wirelab udp chat`.
type member struct {
	w        *world
	cfg      *scenario.Member
	host     *vnet.Host
	up, down impair.Config // its link when nothing is wrong

	saved atomic.Pointer[client.State] // on its disk: outlives the program
	life  int
	proc  *process // nil: killed
}

func newMember(w *world, cfg *scenario.Member, host *vnet.Host, up, down impair.Config) *member {
	return &member{w: w, cfg: cfg, host: host, up: up, down: down}
}

func (m *member) at() *vnet.Host { return m.host }

// A process is one life of a member's program.
type process struct {
	m      *member
	life   int
	ctx    context.Context
	cancel context.CancelFunc
	online chan struct{} // closed when it is connected for the first time
	once   sync.Once

	mu sync.Mutex
	c  *client.Client
}

// start starts the program, after a kill with what it had saved.
func (m *member) start() error {
	if m.proc != nil {
		return nil
	}
	if m.life > 0 {
		if err := m.host.Start(); err != nil {
			return err
		}
	}
	m.life++
	p := &process{m: m, life: m.life, online: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	m.proc = p
	m.w.log.life(m.cfg.Name, m.life, "started")
	go p.run()
	return nil
}

// kill takes the host's power away. Nothing that the program does from now on
// is seen by anybody, nor saved.
func (m *member) kill() {
	if m.proc == nil {
		return
	}
	m.proc.cancel()
	m.proc = nil
	m.host.Kill()
	m.w.log.killed(m.cfg.Name, m.life)
}

// ready waits until the program is connected and in its room.
func (m *member) ready(ctx context.Context) error {
	select {
	case <-m.proc.online:
	case <-ctx.Done():
		return ctx.Err()
	}
	return m.proc.client().Ready(ctx)
}

func (p *process) client() *client.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.c
}

// run keeps a client running until the process is killed. A client that ends
// with an error is started again, as a person would.
func (p *process) run() {
	name := p.m.cfg.Name
	for p.ctx.Err() == nil {
		c := client.New(p.config(name))
		p.mu.Lock()
		p.c = c
		p.mu.Unlock()
		err := c.Run(p.ctx)
		if p.ctx.Err() != nil {
			return
		}
		p.m.w.log.life(p.m.cfg.Name, p.life, "program ended: "+words(err))
		var r *client.Refusal
		if errors.As(err, &r) && r.Code == "name_taken" {
			// The server has not found the former connection dead yet: people
			// take another name then.
			name += "-2"
			continue
		}
		select {
		case <-time.After(retryTime):
		case <-p.ctx.Done():
		}
	}
}

func words(err error) string {
	if err == nil {
		return "closed"
	}
	return err.Error()
}

func (p *process) config(name string) client.Config {
	m := p.m
	cfg := client.Config{
		Dial: p.dial(), Name: name, Rooms: []string{room}, Queue: m.cfg.Transport.Queue(), Reconnect: true,
		OnEvent: p.take, OnStatus: p.status,
	}
	if cfg.Queue {
		cfg.State = m.saved.Load()
		cfg.SaveState = func(s client.State) {
			if p.ctx.Err() == nil {
				m.saved.Store(&s)
			}
		}
	}
	return cfg
}

func (p *process) dial() client.Dial {
	m := p.m
	net := m.w.server.dialer(m.host)
	if m.cfg.Transport.Stream() {
		return (&tcpchat.Dialer{Address: m.w.server.address(), Net: net}).Dial
	}
	mode := map[scenario.Transport]udpchat.Mode{
		scenario.UDP: udpchat.Unreliable, scenario.UDPARQ: udpchat.SelectiveRepeat, scenario.UDPQueue: udpchat.Queue,
	}[m.cfg.Transport]
	return (&udpchat.Dialer{Address: m.w.server.address(), Mode: mode, Net: net}).Dial
}

// emit says message number n in the room, if the program runs.
func (m *member) emit(n, size int) {
	p := m.proc
	if p == nil || m.host.Stopped() {
		return
	}
	c := p.client()
	if c == nil {
		return
	}
	msg := client.Message{Room: room, Event: "msg", Args: []any{text(m.cfg.Name, n, size)}}
	if m.cfg.Transport.Queue() {
		msg.Retries = -1
	}
	m.w.log.emit(m.cfg.Name, n, size)
	pending, err := c.Post(msg)
	if err != nil {
		m.w.log.refused(m.cfg.Name, n, err)
		return
	}
	if msg.Retries == 0 {
		return
	}
	m.w.log.await(1)
	go func() {
		defer m.w.log.await(-1)
		ack, err := pending.Wait(p.ctx)
		switch {
		case p.ctx.Err() != nil:
		case err != nil:
			m.w.log.refused(m.cfg.Name, n, err)
		default:
			m.w.log.acked(m.cfg.Name, n, ack)
		}
	}()
}

// take is handed an event.
func (p *process) take(e client.Event) any {
	p.m.host.Running(p.ctx)
	if p.ctx.Err() == nil {
		p.m.w.log.deliver(p.m.cfg.Name, p.life, &e)
	}
	return nil
}

// status is told of the connection and of losses.
func (p *process) status(s client.Status) {
	if p.ctx.Err() != nil {
		return
	}
	log, host := p.m.w.log, p.m.cfg.Name
	switch s.Kind {
	case client.StatusConnected:
		log.event(&scenario.Event{Kind: scenario.EventOnline, Host: host, Life: p.life, Text: s.Name})
		p.once.Do(func() { close(p.online) })
	case client.StatusDisconnected:
		log.event(&scenario.Event{Kind: scenario.EventOffline, Host: host, Life: p.life, Text: words(s.Err)})
	case client.StatusRoom:
		log.event(&scenario.Event{Kind: scenario.EventRoom, Host: host, Life: p.life, Seq: s.Cursor.Seq, Epoch: s.Cursor.Epoch})
	case client.StatusLost:
		log.event(&scenario.Event{Kind: scenario.EventLost, Host: host, Life: p.life, Count: s.Lost, Text: s.Reason})
	}
}

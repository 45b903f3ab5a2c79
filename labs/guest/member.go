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
	name  string   // that it connects under at first
}

func newMember(w *world, cfg *scenario.Member, host *vnet.Host, up, down impair.Config) *member {
	return &member{w: w, cfg: cfg, host: host, up: up, down: down, name: cfg.Name}
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

	mu     sync.Mutex
	c      *client.Client
	spaces []*client.Space // that it has entered
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
	m.launch(context.Background())
	return nil
}

// launch runs the program for another life.
func (m *member) launch(ctx context.Context) {
	m.life++
	p := &process{m: m, life: m.life, online: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(ctx)
	m.proc = p
	m.w.log.life(m.cfg.Name, m.life, "started")
	go p.run()
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
	name := p.m.name
	for p.ctx.Err() == nil {
		c := client.New(p.config(name))
		p.mu.Lock()
		p.c, p.spaces = c, nil
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
		Dial: p.dial(), Name: name, Namespace: m.cfg.Namespace, Rooms: m.cfg.Rooms, Queue: m.cfg.Transport.Queue(), Reconnect: true,
		OnEvent: p.handed, OnStatus: p.status,
	}
	if len(cfg.Rooms) == 0 {
		cfg.Rooms = []string{scenario.Lobby}
	}
	if cfg.Queue {
		cfg.State = m.saved.Load()
		if m.w.s.Without == scenario.SessionSecrets {
			cfg.State = m.w.keys.of(name)
		}
		cfg.SaveState = func(s client.State) {
			if p.ctx.Err() == nil {
				m.saved.Store(&s)
				m.w.keys.put(&s)
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
		scenario.UDP: udpchat.Unreliable, scenario.UDPSequenced: udpchat.Sequenced, scenario.UDPStopAndWait: udpchat.StopAndWait,
		scenario.UDPGoBackN: udpchat.GoBackN, scenario.UDPARQ: udpchat.SelectiveRepeat, scenario.UDPQueue: udpchat.Queue,
	}[m.cfg.Transport]
	return (&udpchat.Dialer{Address: m.w.server.address(), Mode: mode, Net: net}).Dial
}

// handed takes an event that the client hands over.
func (p *process) handed(e client.Event) any {
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
	case client.StatusOffline:
		log.event(&scenario.Event{Kind: scenario.EventOffline, Host: host, Life: p.life, Text: "by its own wish"})
	case client.StatusRoom:
		e := scenario.Event{Kind: scenario.EventRoom, Host: host, Life: p.life, Seq: s.Cursor.Seq, Epoch: s.Cursor.Epoch, Room: s.Room, Namespace: s.Namespace, Count: s.Missed}
		if own(s.Room) {
			e.Room, e.Direct = "", true
		}
		log.event(&e)
	case client.StatusLost:
		log.event(&scenario.Event{Kind: scenario.EventLost, Host: host, Life: p.life, Count: s.Lost, Text: s.Reason, Room: s.Room, Namespace: s.Namespace})
	}
}

// A keyring is what every name's latest client had saved. Without
// SessionSecrets whoever comes under a name gets it.
type keyring struct {
	mu   sync.Mutex
	last map[string]*client.State
}

func (k *keyring) put(s *client.State) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last == nil {
		k.last = make(map[string]*client.State)
	}
	k.last[s.Name] = s
}

func (k *keyring) of(name string) *client.State {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last[name]
}

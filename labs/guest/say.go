package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"wirelab/internal/client"
	"wirelab/labs/scenario"
)

// The events that carry what is said, and ask the server's program for
// something.
const (
	eventMessage = "msg"
	eventEmit    = "emit" // arguments: an emission, the text
	eventEcho    = "echo"
)

// An emission is what a member asks the server's program to say for it.
type emission struct {
	Rooms  []string `json:"rooms,omitempty"` // none: all of the namespace
	Except []string `json:"except,omitempty"`
	Now    bool     `json:"volatile,omitempty"`
	Acks   bool     `json:"acks,omitempty"` // all who get it are to answer
	Within int64    `json:"within_ns,omitempty"`
}

// say says message number n, if the program runs.
func (m *member) say(n int, text string, s *scenario.Say, namespace string) {
	p := m.proc
	if p == nil || m.host.Stopped() {
		return
	}
	c := p.client()
	if c == nil {
		return
	}
	msg := m.message(text, s)
	e := scenario.Event{
		Kind: scenario.EventEmit, Host: m.cfg.Name, N: n, Size: len(text), Form: s.Form, To: recipients(s),
		Namespace: p.namespace(namespace), Volatile: s.Now,
	}
	if s.Form == "" {
		e.Form, e.To = scenario.FormIn, m.cfg.Room()
	}
	if len(s.Rooms) == 1 {
		e.Room = s.Rooms[0]
	} else if s.Form == "" {
		e.Room = m.cfg.Room()
	}
	m.w.log.emit(&e)
	space := p.space(c, namespace)
	if space == nil {
		m.w.log.refused(m.cfg.Name, n, errNotThere)
		return
	}
	if m.w.s.Without == scenario.MessageIDs && msg.Retries != 0 {
		m.w.log.await(1)
		go p.insist(space, msg, n)
		return
	}
	pending, err := space.Post(msg)
	if err != nil {
		m.w.log.refused(m.cfg.Name, n, err)
		return
	}
	if msg.Retries == 0 && !msg.Ack {
		return
	}
	m.w.log.await(1)
	go func() {
		defer m.w.log.await(-1)
		ack, err := pending.Wait(p.ctx)
		p.answered(n, ack, err)
	}()
}

var errNotThere = errors.New("not in that namespace")

// answered writes what came of an emit.
func (p *process) answered(n int, ack client.Ack, err error) {
	log, name := p.m.w.log, p.m.cfg.Name
	switch {
	case p.ctx.Err() != nil:
	case err != nil:
		log.refused(name, n, err)
	default:
		log.acked(name, n, ack)
	}
}

// insist is what a client does that gives a message no id: it says it again as
// if it were another one, until one of them is acknowledged.
func (p *process) insist(space *client.Space, msg client.Message, n int) {
	defer p.m.w.log.await(-1)
	left := msg.Retries
	msg.Retries, msg.Ack = 0, true
	for tries := 1; ; tries++ {
		ack, err := space.Send(p.ctx, msg)
		again := errors.Is(err, client.ErrTimeout) || errors.Is(err, client.ErrDisconnected)
		if !again || left == 0 || p.ctx.Err() != nil {
			ack.Tries = tries
			p.answered(n, ack, err)
			return
		}
		left--
	}
}

// message returns what the client emits for s.
func (m *member) message(text string, s *scenario.Say) client.Message {
	msg := client.Message{Event: eventMessage, Args: []any{text}, Volatile: s.Now, Timeout: s.Within}
	switch s.Sure {
	case scenario.Acked:
		msg.Ack = true
	case scenario.Retry:
		if msg.Retries = s.Retries; msg.Retries == 0 {
			msg.Retries = -1
		}
	case "":
		if m.cfg.Transport.Queue() && !s.Now && s.Form != scenario.FormTo && s.Form != scenario.FormAll && s.Form != scenario.FormRequest {
			msg.Retries = -1
		}
	}
	switch s.Form {
	case "":
		msg.Room = m.cfg.Room()
	case scenario.FormIn, scenario.FormOthers:
		msg.Room = s.Rooms[0]
		msg.Broadcast = s.Form == scenario.FormOthers
	case scenario.FormTo, scenario.FormAll:
		msg.Volatile = false // the server's program does it
		msg.Event = eventEmit
		msg.Args = []any{emission{s.Rooms, s.Except, s.Now, msg.Ack, s.Within.Nanoseconds()}, text}
		if msg.Ack {
			msg.Timeout = 0 // the server answers after it has waited for all
		}
	case scenario.FormDirect:
		msg.Event, msg.Args = "direct", []any{s.Name, eventMessage, text}
	case scenario.FormRequest:
		msg.Event = eventEcho
	}
	return msg
}

// recipients names in the scenario's words whom something is said to.
func recipients(s *scenario.Say) string {
	text := strings.Join(s.Rooms, ",")
	switch s.Form {
	case scenario.FormAll:
		text = "all"
	case scenario.FormDirect:
		text = s.Name
	case scenario.FormRequest:
		text = scenario.ServerHost
	}
	if len(s.Except) > 0 {
		text += " except " + strings.Join(s.Except, ",")
	}
	return text
}

// namespace returns the name of the namespace that an act of no namespace is
// in.
func (p *process) namespace(name string) string {
	if name == "" {
		return p.m.cfg.Namespace
	}
	return name
}

// space returns the client's presence in a namespace, nil if it is not there.
func (p *process) space(c *client.Client, namespace string) *client.Space {
	if namespace == "" || namespace == p.m.cfg.Namespace {
		return c.Space
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.spaces, func(s *client.Space) bool { return s.Namespace() == namespace })
	if i < 0 {
		return nil
	}
	return p.spaces[i]
}

// do does what a member does besides saying something.
func (m *member) do(a *scenario.Act) error {
	if a.Do == scenario.Takes {
		return m.take(a.Name)
	}
	p := m.proc
	if p == nil || m.host.Stopped() {
		return nil
	}
	c := p.client()
	if c == nil {
		return nil
	}
	switch a.Do {
	case scenario.Disconnects:
		c.Offline(0)
	case scenario.Returns:
		c.Online()
	case scenario.Enters:
		go p.enter(c, a.Namespace)
	case scenario.Joins, scenario.Leaves:
		space := p.space(c, a.Namespace)
		if space == nil {
			m.w.log.refused(m.cfg.Name, 0, errNotThere)
			return nil
		}
		go p.move(space, a)
	}
	return nil
}

// enter connects to a further namespace.
func (p *process) enter(c *client.Client, namespace string) {
	space, err := c.Enter(p.ctx, namespace)
	p.tell(err, &scenario.Event{Kind: scenario.EventEntered, Namespace: namespace})
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spaces = append(p.spaces, space)
}

// move joins or leaves a room.
func (p *process) move(space *client.Space, a *scenario.Act) {
	kind, do := scenario.EventJoined, space.Join
	if a.Do == scenario.Leaves {
		kind, do = scenario.EventLeft, space.Leave
	}
	err := do(p.ctx, a.Room)
	p.tell(err, &scenario.Event{Kind: kind, Room: a.Room, Namespace: space.Namespace()})
}

// tell writes that something was done, or why it was not.
func (p *process) tell(err error, e *scenario.Event) {
	log, name := p.m.w.log, p.m.cfg.Name
	switch {
	case p.ctx.Err() != nil:
	case err != nil:
		log.refused(name, 0, err)
	default:
		e.Host, e.Life = name, p.life
		log.event(e)
	}
}

// take starts the program again under another's name.
func (m *member) take(name string) error {
	if m.proc == nil {
		return nil
	}
	m.proc.cancel()
	m.proc = nil
	m.name = name
	m.saved.Store(nil) // what it had saved is another's
	m.w.log.life(m.cfg.Name, m.life, "ended, to come back as "+name)
	m.launch(context.Background())
	return nil
}

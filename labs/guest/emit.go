package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"wirelab/internal/chat"
	"wirelab/labs/scenario"
)

// sockets are the members that are connected, as the server's program knows
// them by its hooks.
type sockets struct {
	mu  sync.Mutex
	all map[[2]string]*chat.Socket // by namespace and name
}

// hooks returns what keeps the list.
func (k *sockets) hooks() chat.Hooks {
	key := func(s *chat.Socket) [2]string { return [2]string{s.Namespace().Name(), s.Name()} }
	return chat.Hooks{
		Connect: func(s *chat.Socket) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.all[key(s)] = s
		},
		Disconnect: func(s *chat.Socket, reason string) {
			k.mu.Lock()
			defer k.mu.Unlock()
			if k.all[key(s)] == s {
				delete(k.all, key(s))
			}
		},
	}
}

func (k *sockets) find(namespace, name string) *chat.Socket {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.all[[2]string{namespace, name}]
}

// handle makes the server's program say for its members what only a server
// can: to several rooms, to all, except some.
func (s *server) handle() error {
	for _, name := range append([]string{""}, s.w.s.Server.Namespaces...) {
		ns := s.hub.Namespace(name)
		if err := ns.On(eventEmit, s.emitFor); err != nil {
			return err
		}
		if err := ns.On(eventEcho, func(c *chat.Call) (any, error) { return c.Args, nil }); err != nil {
			return err
		}
	}
	return nil
}

// emitFor says something for a member, as its request wants it.
func (s *server) emitFor(c *chat.Call) (any, error) {
	var e emission
	var text string
	if len(c.Args) != 2 || json.Unmarshal(c.Args[0], &e) != nil || json.Unmarshal(c.Args[1], &text) != nil {
		return nil, fmt.Errorf("emit: want rooms and a text")
	}
	op := c.Socket.Broadcast()
	if len(e.Rooms) > 0 {
		op = op.To(e.Rooms...)
	}
	op = s.aim(op, c.Socket.Namespace().Name(), &e)
	if !e.Acks {
		return "ok", op.Emit(eventMessage, text)
	}
	go func() {
		from, n, _, _ := untag(text)
		c.Answer("ok", s.ask(op, from, n, text))
	}()
	return nil, chat.ErrLater
}

// aim leaves out who is to be left out.
func (s *server) aim(op chat.Operator, namespace string, e *emission) chat.Operator {
	for _, name := range e.Except {
		if sock := s.sockets.find(namespace, name); sock != nil {
			name = sock.ID()
		}
		op = op.Except(name)
	}
	if e.Now {
		op = op.Volatile()
	}
	return op.Timeout(time.Duration(e.Within))
}

// ask emits and writes who answered.
func (s *server) ask(op chat.Operator, from string, n int, text string) error {
	replies, err := op.EmitAck(context.Background(), eventMessage, text)
	for _, r := range replies {
		s.w.log.event(&scenario.Event{Kind: scenario.EventReply, Host: s.w.nameOf(r.Name), From: from, N: n, Text: r.Status})
	}
	return err
}

// say says message number n of the server, if it runs.
func (s *server) say(n int, text string, a *scenario.Act) {
	if !s.alive || s.host.Stopped() {
		return
	}
	say := &a.Say
	ns := s.hub.Namespace(a.Namespace)
	s.w.log.emit(&scenario.Event{
		Kind: scenario.EventEmit, Host: scenario.ServerHost, N: n, Size: len(text), Form: say.Form, To: recipients(say),
		Namespace: a.Namespace, Volatile: say.Now,
	})
	refuse := func(err error) {
		if err != nil {
			s.w.log.refused(scenario.ServerHost, n, err)
		}
	}
	if ns == nil {
		refuse(errNotThere)
		return
	}
	op := ns.All()
	switch say.Form {
	case scenario.FormTo:
		op = ns.To(say.Rooms...)
	case scenario.FormDirect:
		sock := s.sockets.find(a.Namespace, say.Name)
		if sock == nil {
			refuse(fmt.Errorf("%s is not connected", say.Name))
			return
		}
		op = ns.To(sock.ID())
	}
	op = s.aim(op, a.Namespace, &emission{Except: say.Except, Now: say.Now, Within: say.Within.Nanoseconds()})
	if say.Sure != scenario.Acked {
		refuse(op.Emit(eventMessage, text))
		return
	}
	s.w.log.await(1)
	go func() {
		defer s.w.log.await(-1)
		refuse(s.ask(op, scenario.ServerHost, n, text))
	}()
}

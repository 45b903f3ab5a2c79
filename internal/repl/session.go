// Package repl reads what a person types in a chat and does it: lines are
// messages, those that begin with / are commands. It draws nothing: a
// [Session] yields items, which [Plain] writes as lines and package tui draws.
package repl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"wirelab/internal/client"
)

// A Session does what lines say. Its methods may be called from any goroutine;
// lines that must keep their order are for one.
type Session struct {
	client     Client
	unreliable bool

	mu     sync.Mutex
	spaces map[string]Space
}

// NewSession returns a session over c. If unreliable is set, chat lines are
// emitted once and without an acknowledgement, as fits the modes of UDP that
// do not send again.
func NewSession(c Client, unreliable bool) *Session {
	return &Session{client: c, unreliable: unreliable, spaces: map[string]Space{c.Namespace(): c}}
}

// Do begins what line says, for somebody who is at the place at. It does not
// block: what must wait for the network is left to Step.Then. A line is a
// message, or a command after one slash; two slashes begin a message with one.
func (s *Session) Do(at Place, line string) Step {
	trimmed := strings.TrimSpace(line)
	switch {
	case trimmed == "":
		return Step{}
	case strings.HasPrefix(line, "//"):
		return s.say(at, line[1:])
	case strings.HasPrefix(line, "/"):
		return s.command(at, trimmed[1:])
	}
	return s.say(at, line)
}

func (s *Session) say(at Place, text string) Step {
	if at.Room == "" {
		return failed(at, errors.New("in no room: nobody would read it"), "/join ROOM enters one, /rooms lists them")
	}
	return s.emit(at, client.Message{Event: textEvent, Args: []any{text}, Retries: s.retries()})
}

// retries is how often an own message is sent again.
func (s *Session) retries() int {
	if s.unreliable {
		return 0
	}
	return -1
}

// emit sends m to the place. With an acknowledgement asked for, Then waits for it.
func (s *Session) emit(at Place, m client.Message) Step {
	space := s.space(at.Namespace)
	if space == nil {
		return failed(at, fmt.Errorf("not in namespace %q", at.Namespace), "/namespace "+at.Namespace+" enters it")
	}
	shown := client.Event{Namespace: at.Namespace, Room: at.Room, Sender: s.client.Name(), Event: m.Event, Time: time.Now(), Own: true, Volatile: m.Volatile}
	raw, err := arguments(&m)
	if err != nil {
		return failed(at, err, "")
	}
	shown.Args = raw
	if name, ok := at.Person(); ok {
		// A direct message is a request to the server, which stores it for
		// the person and answers.
		shown.Direct = true
		args := []any{name, m.Event}
		for _, a := range elements(raw) {
			args = append(args, a)
		}
		m = client.Message{Event: "direct", Args: args, Ack: true, Retries: m.Retries, Timeout: m.Timeout}
	} else {
		m.Room = at.Room
	}
	p, err := space.Post(m)
	if err != nil {
		return Step{Items: []Item{failure(at, err)}}
	}
	shown.ID = p.ID()
	it := Item{Kind: Message, Time: shown.Time, Place: at, Event: &shown, ID: p.ID(), State: Waiting}
	if !m.Ack && m.Retries == 0 {
		it.State = Sent
		return Step{Items: []Item{it}}
	}
	return Step{Items: []Item{it}, Loose: true, Then: func(ctx context.Context) Step {
		ack, err := p.Wait(ctx)
		return Step{Items: []Item{receipt(at, p.ID(), &ack, err)}}
	}}
}

func receipt(at Place, id uint64, ack *client.Ack, err error) Item {
	it := Item{
		Kind: Receipt, Time: time.Now(), Place: at, ID: id, State: Acked, Err: err,
		Event: &client.Event{Namespace: at.Namespace, Room: at.Room, ID: id, Seq: ack.Seq},
	}
	if err == nil {
		it.Text = "stored"
		if ack.Seq != 0 {
			it.Text += fmt.Sprintf(" as %d", ack.Seq)
		}
		it.Text += " after " + round(ack.RTT)
		if ack.Tries > 1 {
			it.Text += fmt.Sprintf(", at the %s try", ordinal(ack.Tries))
		}
		return it
	}
	f := failure(at, err)
	it.State, it.Text, it.Hint = Refused, f.Text, f.Hint
	return it
}

func ordinal(n int) string {
	switch {
	case n%100/10 == 1:
		return fmt.Sprintf("%dth", n)
	case n%10 == 1:
		return fmt.Sprintf("%dst", n)
	case n%10 == 2:
		return fmt.Sprintf("%dnd", n)
	case n%10 == 3:
		return fmt.Sprintf("%drd", n)
	}
	return fmt.Sprintf("%dth", n)
}

// arguments returns what m carries as a JSON array.
func arguments(m *client.Message) (json.RawMessage, error) {
	if m.Raw != nil {
		return m.Raw, nil
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m.Args); err != nil {
		return nil, err
	}
	return json.RawMessage(strings.TrimSpace(b.String())), nil
}

func elements(array json.RawMessage) []json.RawMessage {
	var a []json.RawMessage
	if json.Unmarshal(array, &a) != nil {
		return nil
	}
	return a
}

// space returns the client's presence in a namespace, nil if it has none.
func (s *Session) space(namespace string) Space {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spaces[namespace]
}

func failed(at Place, err error, hint string) Step {
	it := failure(at, err)
	if hint != "" {
		it.Hint = hint
	}
	return Step{Items: []Item{it}}
}

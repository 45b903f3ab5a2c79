package repl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"wirelab/internal/client"
)

// later is a Step that fn finishes.
func later(fn func(ctx context.Context) Step) Step { return Step{Then: fn} }

// moving is a Step that fn finishes at another place.
func moving(fn func(ctx context.Context) Step) Step { return Step{Then: fn, Moves: true} }

// here returns the client's presence in the namespace of a place, or a failed
// step.
func (s *Session) here(at Place) (Space, *Step) {
	if space := s.space(at.Namespace); space != nil {
		return space, nil
	}
	st := failed(at, fmt.Errorf("not in namespace %q", at.Namespace), "/namespace "+at.Namespace+" enters it")
	return nil, &st
}

func (s *Session) join(at Place, rest string) Step {
	name, err := one(rest, "room")
	if err != nil {
		return failed(at, fmt.Errorf("/join: %w", err), "")
	}
	space, bad := s.here(at)
	if bad != nil {
		return *bad
	}
	to := Place{at.Namespace, name}
	return moving(func(ctx context.Context) Step {
		if err := space.Join(ctx, name); err != nil {
			return failed(at, err, "")
		}
		return Step{Items: []Item{info(to, "joined "+name)}, Move: &to}
	})
}

func (s *Session) leave(at Place, rest string) Step {
	name, bad := s.roomOr(at, rest, "leave")
	if bad != nil {
		return *bad
	}
	space, bad := s.here(at)
	if bad != nil {
		return *bad
	}
	return moving(func(ctx context.Context) Step {
		if err := space.Leave(ctx, name); err != nil {
			return failed(at, err, "")
		}
		st := Step{Items: []Item{info(Place{}, "left "+name)}}
		if name == at.Room {
			st.Move = &Place{Namespace: at.Namespace}
			if rooms := space.Rooms(); len(rooms) > 0 {
				st.Move.Room = rooms[0]
			}
		}
		return st
	})
}

// roomOr returns the room that rest names, or the one at the place.
func (s *Session) roomOr(at Place, rest, command string) (string, *Step) {
	if rest == "" {
		if _, person := at.Person(); person || at.Room == "" {
			hint := "/join ROOM enters one"
			if command == "who" || command == "leave" {
				hint = fmt.Sprintf("name it: /%s ROOM", command)
			}
			st := failed(at, fmt.Errorf("/%s: not in a room here", command), hint)
			return "", &st
		}
		return at.Room, nil
	}
	name, err := one(rest, "room")
	if err != nil {
		st := failed(at, fmt.Errorf("/%s: %w", command, err), "")
		return "", &st
	}
	return name, nil
}

func (s *Session) nick(at Place, rest string) Step {
	name := strings.Trim(rest, `"`)
	return later(func(ctx context.Context) Step {
		if err := s.client.Nick(ctx, name); err != nil {
			return failed(at, err, "")
		}
		return Step{Items: []Item{info(at, "you are now "+s.client.Name())}}
	})
}

func (s *Session) msg(at Place, rest string) Step {
	name, text, err := word(rest)
	switch {
	case err != nil:
		return failed(at, fmt.Errorf("/msg: %w", err), `a name with spaces is quoted: /msg "Ana Maria" hello`)
	case text == "":
		return failed(at, fmt.Errorf("/msg: no text for %q", name), "/msg NAME TEXT")
	}
	name = strings.TrimPrefix(name, "@")
	step := s.say(Place{at.Namespace, "@" + name}, text)
	if step.Then != nil {
		step.Items = append(step.Items, info(at, "to "+name+": "+text))
	}
	return step
}

func (s *Session) emitOnce(at Place, rest string) Step {
	return s.emitEvent(at, "emit", rest, client.Message{})
}

func (s *Session) emitVolatile(at Place, rest string) Step {
	if _, person := at.Person(); person {
		return failed(at, errors.New("/volatile: what is for one person is stored for them"), "use it in a room")
	}
	return s.emitEvent(at, "volatile", rest, client.Message{Volatile: true})
}

// emitAck emits and says when the acknowledgement is there, which otherwise is
// but a mark.
func (s *Session) emitAck(at Place, rest string) Step {
	st := s.emitEvent(at, "ack", rest, client.Message{Ack: true})
	if st.Then == nil {
		return st
	}
	wait := st.Then
	st.Loose = false
	st.Then = func(ctx context.Context) Step {
		st := wait(ctx)
		for _, it := range st.Items {
			if it.Kind == Receipt && it.State == Acked {
				st.Items = append(st.Items, info(at, "acknowledged: "+it.Text))
			}
		}
		return st
	}
	return st
}

func (s *Session) emitEvent(at Place, command, rest string, m client.Message) Step {
	if at.Room == "" {
		return failed(at, fmt.Errorf("/%s: in no room", command), "/join ROOM enters one")
	}
	event, values, err := word(rest)
	if err != nil {
		return failed(at, fmt.Errorf("/%s: %w", command, err), "")
	}
	raw, err := jsonArguments(values)
	if err != nil {
		return failed(at, fmt.Errorf("/%s %s: %w", command, event, err), `arguments are JSON values: 1 "text" {"x": [2, 3]}`)
	}
	m.Event, m.Raw = event, raw
	return s.emit(at, m)
}

// jsonArguments makes an array of the JSON values in s.
func jsonArguments(s string) (json.RawMessage, error) {
	dec := json.NewDecoder(strings.NewReader(s))
	b := bytes.NewBufferString("[")
	for n := 1; ; n++ {
		from := int(dec.InputOffset())
		var v json.RawMessage
		err := dec.Decode(&v)
		if err == io.EOF {
			break
		}
		if err != nil {
			bad, _, _ := strings.Cut(strings.TrimSpace(s[min(from, len(s)):]), " ")
			return nil, fmt.Errorf("argument %d, %s, is no JSON", n, bad)
		}
		if n > 1 {
			b.WriteByte(',')
		}
		if err := json.Compact(b, v); err != nil {
			return nil, fmt.Errorf("argument %d: %w", n, err)
		}
	}
	b.WriteByte(']')
	return b.Bytes(), nil
}

func (s *Session) namespace(at Place, rest string) Step {
	name := strings.Trim(rest, `"`)
	move := func(space Space) Step {
		to := Place{Namespace: name}
		text := "in the default namespace"
		if name != "" {
			text = "in namespace " + name
		}
		if rooms := space.Rooms(); len(rooms) > 0 {
			to.Room = rooms[0]
		} else {
			text += ", in no room there yet: /rooms, /join ROOM"
		}
		return Step{Items: []Item{info(to, text)}, Move: &to}
	}
	if space := s.space(name); space != nil {
		return move(space)
	}
	return moving(func(ctx context.Context) Step {
		space, err := s.client.Enter(ctx, name)
		if err != nil {
			return failed(at, err, "")
		}
		s.mu.Lock()
		s.spaces[name] = space
		s.mu.Unlock()
		return move(space)
	})
}

func (s *Session) offline(at Place, rest string) Step {
	return s.away(at, "offline", rest, s.client.Offline)
}
func (s *Session) cut(at Place, rest string) Step { return s.away(at, "cut", rest, s.client.Cut) }

func (s *Session) away(at Place, command, rest string, do func(time.Duration)) Step {
	var d time.Duration
	if rest != "" {
		var err error
		if d, err = time.ParseDuration(rest); err != nil {
			n, err := strconv.ParseUint(rest, 10, 20)
			if err != nil {
				return failed(at, fmt.Errorf("/%s: %q is no duration", command, rest), "30s, 2m or 1h30m; a bare number is seconds")
			}
			d = time.Duration(n) * time.Second
		}
		if d <= 0 {
			return failed(at, fmt.Errorf("/%s: %v is not more than 0", command, d), "without a duration it lasts until /online")
		}
	}
	do(d)
	return Step{}
}

func (s *Session) online(Place, string) Step {
	s.client.Online()
	return Step{}
}

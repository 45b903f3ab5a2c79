//go:build linux

package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"wirelab/internal/wire"
)

// A protocol is what the load generator must know of a server to be one of
// its members: little enough that the generator costs both servers the same.
type protocol interface {
	// join makes the connected c a member of room, or says why not.
	join(c *conn, room, name string) error
	// appendPublish appends one publish of payload in room to dst. What it
	// appends has the same size for every payload of one size.
	appendPublish(dst []byte, room string, payload []byte) []byte
	// next cuts one message off b. size 0 means that b holds less than one.
	// payload is nil when the message is not a delivery; answer, if not nil,
	// must be sent back.
	next(b []byte) (size int, payload, answer []byte, err error)
}

func protocolOf(server string) (protocol, error) {
	switch server {
	case "nats":
		return natsProtocol{}, nil
	case "wirelab":
		return wirelabProtocol{}, nil
	}
	return nil, fmt.Errorf("no server %q", server)
}

// natsProtocol is NATS core: a text line, then the payload.
type natsProtocol struct{}

func (natsProtocol) join(c *conn, room, name string) error {
	connect := fmt.Sprintf(`CONNECT {"verbose":false,"pedantic":false,"name":%q}`+"\r\nSUB %s 1\r\nPING\r\n", name, room)
	if err := c.write([]byte(connect)); err != nil {
		return err
	}
	for {
		b, err := c.message(natsProtocol{})
		if err != nil {
			return err
		}
		if bytes.HasPrefix(b, []byte("PONG")) {
			return nil
		}
	}
}

func (natsProtocol) appendPublish(dst []byte, room string, payload []byte) []byte {
	dst = fmt.Appendf(dst, "PUB %s %d\r\n", room, len(payload))
	dst = append(dst, payload...)
	return append(dst, '\r', '\n')
}

func (natsProtocol) next(b []byte) (size int, payload, answer []byte, err error) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return 0, nil, nil, nil
	}
	line := b[:end+1]
	switch {
	case bytes.HasPrefix(line, []byte("MSG ")):
		// MSG subject sid size
		n, err := strconv.Atoi(string(bytes.TrimSpace(line[bytes.LastIndexByte(line, ' '):])))
		if err != nil {
			return 0, nil, nil, fmt.Errorf("nats: %q: %w", line, err)
		}
		if len(b) < len(line)+n+2 {
			return 0, nil, nil, nil
		}
		return len(line) + n + 2, b[len(line) : len(line)+n], nil, nil
	case bytes.HasPrefix(line, []byte("PING")):
		return len(line), nil, []byte("PONG\r\n"), nil
	case bytes.HasPrefix(line, []byte("-ERR")):
		return 0, nil, nil, fmt.Errorf("nats: %s", bytes.TrimSpace(line))
	}
	return len(line), nil, nil, nil // INFO, PONG, +OK
}

// wirelabProtocol is wirelab's stream of frames, without a session.
type wirelabProtocol struct{}

// benchEvent is the event that members count.
const benchEvent = "m"

func (p wirelabProtocol) join(c *conn, room, name string) error {
	if err := p.connect(c, map[string]any{"name": name, "session": "none"}, nil); err != nil {
		return err
	}
	_, err := p.request(c, 1, "join", room)
	return err
}

// connect waits for the challenge, sends CONNECT with the fields given and
// waits for the answer, which it decodes into connected unless that is nil.
func (p wirelabProtocol) connect(c *conn, fields map[string]any, connected any) error {
	if _, err := p.await(c, wire.KindChallenge, 0); err != nil {
		return err
	}
	fields["nonce"] = hex.EncodeToString([]byte("0123456789abcdef"))
	args, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	if err := p.send(c, &wire.Envelope{Kind: wire.KindConnect, Args: args}); err != nil {
		return err
	}
	e, err := p.await(c, wire.KindConnected, 0)
	if err != nil || connected == nil {
		return err
	}
	return json.Unmarshal(e.Args, connected)
}

// request asks the server's handler of event and returns the arguments of its
// answer.
func (p wirelabProtocol) request(c *conn, id uint64, event string, args ...any) (json.RawMessage, error) {
	b, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	e := wire.Envelope{Kind: wire.KindEvent, Flags: wire.FlagAck, ID: id, Event: []byte(event), Args: b}
	if err := p.send(c, &e); err != nil {
		return nil, err
	}
	e, err = p.await(c, wire.KindAck, id)
	return json.RawMessage(e.Args), err
}

func (wirelabProtocol) send(c *conn, e *wire.Envelope) error {
	frame, err := wire.AppendFrame(nil, e)
	if err != nil {
		return err
	}
	return c.write(frame)
}

// await reads until a frame of kind with id comes. What comes before it is not
// for the benchmark: presence, cursors.
func (p wirelabProtocol) await(c *conn, kind wire.Kind, id uint64) (wire.Envelope, error) {
	for {
		b, err := c.message(p)
		if err != nil {
			return wire.Envelope{}, err
		}
		e, err := wire.Decode(b[wire.LengthSize:])
		if err != nil {
			return e, err
		}
		if e.Kind == kind && e.ID == id {
			if e.Flags&wire.FlagFailed != 0 {
				return e, fmt.Errorf("wirelab: refused: %s", e.Args)
			}
			return e, nil
		}
	}
}

func (wirelabProtocol) appendPublish(dst []byte, room string, payload []byte) []byte {
	dst, err := wire.AppendFrame(dst, &wire.Envelope{
		Kind: wire.KindEvent, Flags: wire.FlagBinary,
		Room: []byte(room), Event: []byte(benchEvent), Args: payload,
	})
	if err != nil {
		panic(err) // the names and sizes are constants of this program
	}
	return dst
}

func (wirelabProtocol) next(b []byte) (size int, payload, answer []byte, err error) {
	envelope, rest, err := wire.SplitFrame(b)
	if err != nil || envelope == nil {
		return 0, nil, nil, err
	}
	size = len(b) - len(rest)
	e, err := wire.Decode(envelope)
	if err != nil {
		return 0, nil, nil, err
	}
	switch e.Kind {
	case wire.KindEvent:
		if string(e.Event) == benchEvent {
			return size, e.Args, nil, nil
		}
	case wire.KindPing:
		answer, err = wire.AppendFrame(nil, &wire.Envelope{Kind: wire.KindPong, ID: e.ID})
		return size, nil, answer, err
	case wire.KindError:
		return 0, nil, nil, fmt.Errorf("wirelab: error: %s", e.Args)
	case wire.KindBye:
		return 0, nil, nil, errors.New("wirelab: the server said bye")
	}
	return size, nil, nil, nil
}

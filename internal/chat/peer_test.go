package chat_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// A link is the transport of one connection, in memory. It keeps the contract
// strictly: nothing is pulled before Wake was called.
type link struct {
	info   chat.Info
	woken  atomic.Bool
	closed atomic.Bool
	wakes  atomic.Int64
	bell   chan struct{} // one token while woken, for goroutines
}

func newLink(info chat.Info) *link { return &link{info: info, bell: make(chan struct{}, 1)} }

func (l *link) Wake() {
	l.woken.Store(true)
	l.wakes.Add(1)
	select {
	case l.bell <- struct{}{}:
	default:
	}
}

func (l *link) Close() {
	l.closed.Store(true)
	l.Wake()
}

func (l *link) Info() chat.Info { return l.info }

// A client is a member: what a program at the other end would do. It outlives
// its connections.
type client struct {
	t    testing.TB
	hub  *chat.Hub
	name string
	info chat.Info

	link  *link
	conn  *chat.Conn
	nonce []byte // the server's, of this connection
	batch int    // bytes that one Next takes

	session, secret string
	socket          map[string]string // by namespace
	asked           map[string]uint64 // ids of events that want an answer
	rooms           map[missed.Key]*place
	frames          []string // what came, in words, oldest first; see words
	id              uint64   // of the last emit
	broken          error    // what Receive returned
	connected       wire.Connected
	fault           wire.Fault // the last one
	quiet           bool       // frames are not kept
	tap             func(*wire.Envelope)
}

// A place is what a client knows of one room: the rules of a client that
// removes duplicates and can tell a gap.
type place struct {
	epoch, seq uint64
	got        []string // events handed to the application, "seq sender event args"
	seqs       []uint64
	lost       uint64 // as the server said
	hidden     uint64
	reasons    []string
	again      uint64 // duplicates dropped
	unmarked   uint64 // of them, not marked as redelivered
	marked     uint64 // up to here what comes may be a duplicate
	faults     []string
	head       uint64
}

// dial attaches a new connection for a client of that name.
func dial(t testing.TB, hub *chat.Hub, name string) *client {
	t.Helper()
	c := &client{
		t: t, hub: hub, name: name, batch: 64 << 10, info: chat.Info{Transport: "tcp", Remote: name},
		rooms: make(map[missed.Key]*place), socket: make(map[string]string), asked: make(map[string]uint64),
	}
	c.attach()
	return c
}

func (c *client) attach() {
	c.link = newLink(c.info)
	conn, err := c.hub.Attach(c.link, nil)
	if err != nil {
		c.t.Fatalf("Attach: %v", err)
	}
	c.conn, c.broken = conn, nil
	c.pump()
	c.frames = nil
	clear(c.socket)
}

// enter connects a client without a session and joins the rooms.
func enter(t testing.TB, hub *chat.Hub, name string, rooms ...string) *client {
	t.Helper()
	c := dial(t, hub, name)
	c.connect(wire.SessionNone, rooms...)
	return c
}

// enterKept connects a client with a new session and joins the rooms. It is
// heard once, so that the server knows that the secret has arrived.
func enterKept(t testing.TB, hub *chat.Hub, name string, rooms ...string) *client {
	t.Helper()
	c := dial(t, hub, name)
	c.connect(wire.SessionNew, rooms...)
	c.ping()
	return c
}

// connect sends CONNECT and requires CONNECTED.
func (c *client) connect(session string, rooms ...string) {
	c.t.Helper()
	body := wire.Connect{Name: c.name, Session: session}
	for _, r := range rooms {
		body.Rooms = append(body.Rooms, wire.RoomCursor{Room: r})
	}
	c.tryConnect(body)
	if c.socket[""] == "" {
		c.t.Fatalf("%s was not connected: %q", c.name, c.frames)
	}
	c.frames = nil
}

// resume comes back on a new connection and claims what was handled.
func (c *client) resume() {
	c.t.Helper()
	c.attach()
	c.tryConnect(c.resumption())
	if c.socket[""] == "" {
		c.t.Fatalf("%s was not resumed: %q", c.name, c.frames)
	}
}

func (c *client) resumption() wire.Connect {
	body := wire.Connect{Name: c.name, Session: wire.SessionResume, ID: c.session, Secret: c.secret}
	for _, key := range c.keys() {
		p := c.rooms[key]
		body.Rooms = append(body.Rooms, wire.RoomCursor{Namespace: key.Namespace, Room: key.Room, Epoch: wire.Epoch(p.epoch), Seq: p.seq})
	}
	return body
}

func (c *client) keys() []missed.Key {
	var keys []missed.Key
	for key := range c.rooms {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, missed.Key.Compare)
	return keys
}

func (c *client) tryConnect(body wire.Connect) {
	c.send(&wire.Envelope{Kind: wire.KindConnect, Args: wire.EncodeBody(body)})
}

// drop ends the connection without a goodbye; what was not pulled is lost.
func (c *client) drop() { c.conn.Detach("connection lost") }

// send hands one envelope to the hub, as a batch of its own, and takes in what
// came back.
func (c *client) send(e *wire.Envelope) {
	c.put(e)
	c.conn.Flush()
	c.pump()
}

// put hands one envelope to the hub. It goes through the codec, and the bytes
// are overwritten afterwards: the hub has to copy what it keeps.
func (c *client) put(e *wire.Envelope) {
	b, err := wire.AppendEnvelope(nil, e)
	if err != nil {
		c.t.Fatalf("%s sends %v: %v", c.name, e.Kind, err)
	}
	d, err := wire.Decode(b)
	if err != nil {
		c.t.Fatalf("%s sends %v: %v", c.name, e.Kind, err)
	}
	if err := c.conn.Receive(&d); err != nil {
		c.broken = err
	}
	for i := range b {
		b[i] = 0xee
	}
}

// emit sends an event and returns its message id.
func (c *client) emit(room, event string, flags wire.Flags, args ...any) uint64 {
	c.id++
	c.send(&wire.Envelope{Kind: wire.KindEvent, Flags: flags, ID: c.id, Room: []byte(room), Event: []byte(event), Args: encodeArgs(args)})
	return c.id
}

func encodeArgs(args []any) []byte {
	if args == nil {
		args = []any{}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(args); err != nil {
		panic(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

// say emits a "chat" event with a text.
func (c *client) say(room, text string) uint64 {
	c.t.Helper()
	return c.emit(room, "chat", 0, text)
}

// request asks the server's handler and returns the answer in words.
func (c *client) request(event string, args ...any) string {
	c.t.Helper()
	return c.requestIn("", event, args...)
}

func (c *client) requestIn(namespace, event string, args ...any) string {
	c.t.Helper()
	c.id++
	mark := len(c.frames)
	c.send(&wire.Envelope{
		Kind: wire.KindEvent, Flags: wire.FlagAck, ID: c.id, Namespace: []byte(namespace), Event: []byte(event), Args: encodeArgs(args),
	})
	for i, f := range c.frames[mark:] {
		if rest, ok := strings.CutPrefix(f, fmt.Sprintf("ack %d ", c.id)); ok {
			c.frames = slices.Delete(c.frames, mark+i, mark+i+1)
			return rest
		}
	}
	return "no answer"
}

// ask is request for an answer that must not be a refusal, decoded into v.
func (c *client) ask(v any, event string, args ...any) {
	c.t.Helper()
	answer := c.request(event, args...)
	list := []any{v}
	if err := json.Unmarshal([]byte(answer), &list); err != nil || strings.HasPrefix(answer, "failed") {
		c.t.Fatalf("%s: %s = %s (%v)", c.name, event, answer, err)
	}
}

// ping is heard, and requires the answer.
func (c *client) ping() {
	c.t.Helper()
	c.send(&wire.Envelope{Kind: wire.KindPing, ID: 99})
	if n := len(c.frames); n == 0 || c.frames[n-1] != "pong" {
		c.t.Fatalf("%s: no pong: %q", c.name, c.frames)
	}
	c.frames = c.frames[:len(c.frames)-1]
}

// consume acknowledges everything handled in the room.
func (c *client) consume(room string) {
	c.t.Helper()
	p := c.place(room)
	c.send(&wire.Envelope{Kind: wire.KindConsumed, Room: []byte(room), Seq: p.seq, Args: epochBody(p.epoch)})
}

func epochBody(epoch uint64) []byte {
	return wire.EncodeBody(struct {
		Epoch wire.Epoch `json:"epoch"`
	}{wire.Epoch(epoch)})
}

func (c *client) place(room string) *place { return c.placeIn("", room) }

func (c *client) placeIn(namespace, room string) *place {
	key := missed.Key{Namespace: namespace, Room: room}
	p := c.rooms[key]
	if p == nil {
		p = &place{}
		c.rooms[key] = p
	}
	return p
}

// pump takes in everything that the hub has for the client, if it was woken.
func (c *client) pump() {
	for c.link.woken.Swap(false) {
		for {
			bufs, some := c.conn.Next(nil, c.batch)
			if !some {
				break
			}
			c.take(bufs)
		}
	}
}

// take decodes what Next gave.
func (c *client) take(bufs [][]byte) {
	for _, b := range bufs {
		for len(b) > 0 {
			envelope, rest, err := wire.SplitFrame(b)
			if err != nil || envelope == nil {
				c.t.Fatalf("%s: Next gave no whole frames: %v", c.name, err)
			}
			e, err := wire.Decode(envelope)
			if err != nil {
				c.t.Fatalf("%s: Next gave %q: %v", c.name, envelope, err)
			}
			c.receive(&e)
			b = rest
		}
	}
}

// receive is what a client does with one envelope.
func (c *client) receive(e *wire.Envelope) {
	if c.tap != nil {
		c.tap(e)
	}
	if !c.quiet {
		c.frames = append(c.frames, c.words(e))
	}
	switch e.Kind {
	case wire.KindChallenge:
		var body wire.Challenge
		c.decode(e, &body)
		c.nonce, _ = hex.DecodeString(body.Nonce)
	case wire.KindConnected:
		var body wire.Connected
		c.decode(e, &body)
		c.connected = body
		c.socket[string(e.Namespace)] = body.Socket
		if body.Secret != "" {
			c.session, c.secret = body.Session, body.Secret
		}
	case wire.KindEvent:
		if e.Flags&wire.FlagAck != 0 {
			c.asked[string(e.Event)] = e.ID
		}
		c.placeIn(string(e.Namespace), string(e.Room)).event(e, c.quiet)
	case wire.KindError:
		c.fault = wire.Fault{}
		c.decode(e, &c.fault)
	case wire.KindCursor:
		var body wire.Position
		c.decode(e, &body)
		c.placeIn(string(e.Namespace), string(e.Room)).move(e, &body)
	}
}

func (c *client) decode(e *wire.Envelope, v any) {
	if err := wire.DecodeBody(e.Args, v); err != nil {
		c.t.Fatalf("%s: %v: %v", c.name, e.Kind, err)
	}
}

// event takes an event in: in order, once, and without a hole before it.
func (p *place) event(e *wire.Envelope, quiet bool) {
	switch {
	case e.Seq == 0 && quiet:
		return
	case e.Seq == 0:
		p.got = append(p.got, fmt.Sprintf("- %s %s %s", e.Sender, e.Event, e.Args))
		return
	case e.Seq <= p.seq:
		p.again++
		if e.Seq > p.marked {
			p.unmarked++
		}
		return
	case e.Prev > p.seq:
		p.faults = append(p.faults, fmt.Sprintf("event %d after %d follows %d: an unexplained gap", e.Seq, e.Prev, p.seq))
	}
	p.seq = e.Seq
	p.seqs = append(p.seqs, e.Seq)
	if quiet {
		return
	}
	p.got = append(p.got, fmt.Sprintf("%d %s %s %s", e.Seq, e.Sender, e.Event, e.Args))
}

// move follows a CURSOR.
func (p *place) move(e *wire.Envelope, body *wire.Position) {
	p.head = body.Head
	if body.Redelivered != 0 {
		p.marked = body.Redelivered
	}
	if body.Reason != "" {
		p.reasons = append(p.reasons, body.Reason)
	}
	if epoch := uint64(body.Epoch); epoch != p.epoch {
		p.epoch, p.seq, p.seqs = epoch, e.Seq, nil
		p.lost += body.Lost
		return
	}
	if e.Seq <= p.seq {
		return // what follows, up to p.seq, comes again
	}
	switch {
	case e.Prev > p.seq:
		p.faults = append(p.faults, fmt.Sprintf("cursor from %d to %d follows %d: an unexplained gap", e.Prev, e.Seq, p.seq))
	case body.Lost == 0 && !body.Hidden && body.Reason == "" && body.Recovered == nil:
		p.faults = append(p.faults, fmt.Sprintf("cursor from %d to %d says nothing of what is between", e.Prev, e.Seq))
	}
	if body.Hidden {
		p.hidden += e.Seq - p.seq
	}
	p.lost += body.Lost
	p.seq = e.Seq
}

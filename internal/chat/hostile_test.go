package chat_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// nasty is what a hostile member writes into a field of at most n bytes.
func nasty(draw *rand.Rand, n int) string {
	words := []string{
		"", "lobby", "red", "join", "leave", "nick", "direct", "kick", "ban", "history", "explain", "who", "rooms", "stats", "forget",
		"ana", "eve", "@", "#", "@0000000000000001", "#0000000000000001", "connect", "\x00", "\x1b]0;owned\x07", "\u202e", "<", "\U0010ffff",
		"\xff", "\"", "\\", "null", "{}", "[]", "[[", "1e999", "-1", "18446744073709551615", "ffffffffffffffff",
	}
	s := words[draw.IntN(len(words))]
	if draw.IntN(4) == 0 && s != "" {
		s = strings.Repeat(s, 1+n/len(s))
	}
	return s[:min(len(s), n)]
}

// nastyArgs is arguments: JSON as a rule, of any shape and size.
func nastyArgs(draw *rand.Rand) []byte {
	switch draw.IntN(8) {
	case 0:
		return []byte(nasty(draw, wire.MaxArguments))
	case 1:
		b := wire.EncodeBody(wire.Connect{
			Name: nasty(draw, 9000), Session: nasty(draw, 9000), ID: nasty(draw, 9000), Secret: nasty(draw, 9000),
			Rooms: []wire.RoomCursor{{Room: nasty(draw, 900), Epoch: wire.Epoch(draw.Uint64()), Seq: draw.Uint64()}, {Room: nasty(draw, 64)}},
		})
		return b[:min(len(b), wire.MaxArguments)]
	}
	if draw.IntN(8) == 0 { // as long as can be, and longer when it is quoted
		return []byte(`["` + strings.Repeat([]string{"<", "\U0010ffff", "\u2028", "x"}[draw.IntN(4)], 15_000) + `"]`)
	}
	var b bytes.Buffer
	b.WriteByte('[')
	for i := range draw.IntN(4) {
		if i > 0 {
			b.WriteByte(',')
		}
		switch draw.IntN(5) {
		case 0:
			fmt.Fprint(&b, draw.Uint64()>>draw.IntN(64))
		case 1:
			b.WriteString(`{"a":[1]}`)
		default:
			b.Write(wire.EncodeBody(nasty(draw, 3000)))
		}
	}
	b.WriteByte(']')
	return b.Bytes()[:min(b.Len(), wire.MaxArguments)]
}

// "sizes: frame, event name, arguments, nesting, rooms per socket, pending
// acks: a cap each"; "never a panic, never more than a bounded allocation".
// Members send whatever the codec lets through.
func TestHostileMembers(t *testing.T) {
	n := 40_000
	if underRace || testing.Short() {
		n = 6000
	}
	hub := newHub(t, chat.Config{Namespaces: []string{"red"}, MaxRooms: 8, MaxControl: 256 << 10, MaxSessions: 100},
		missed.Config{Limits: missed.Limits{Count: 100, Bytes: 1 << 20}, TotalBytes: 4 << 20})
	draw := rand.New(rand.NewPCG(1, 2))
	good, peer := enter(t, hub, "good", "lobby"), enter(t, hub, "peer", "lobby")
	good.quiet, peer.quiet = true, true
	var bad [6]*client
	for i := range n {
		c := bad[i%len(bad)]
		if c == nil || c.broken != nil || draw.IntN(500) == 0 {
			if c != nil {
				c.drop()
			}
			c = dial(t, hub, fmt.Sprint("bad", i%len(bad)))
			c.quiet = true
			bad[i%len(bad)] = c
			if draw.IntN(10) > 0 {
				session := wire.SessionNone
				if draw.IntN(2) == 0 {
					session = wire.SessionNew
				}
				c.tryConnect(wire.Connect{Name: fmt.Sprint("bad", i), Session: session, Rooms: []wire.RoomCursor{{Room: "lobby"}}})
			}
		}
		e := wire.Envelope{
			Kind: wire.KindEvent, Flags: wire.Flags(draw.IntN(128)), Seq: draw.Uint64() >> draw.IntN(64), Prev: draw.Uint64(), ID: uint64(draw.IntN(50)),
			Room: []byte(nasty(draw, wire.MaxName)), Event: []byte(nasty(draw, wire.MaxName)), Sender: []byte(nasty(draw, wire.MaxName)), Args: nastyArgs(draw),
		}
		switch draw.IntN(10) {
		case 0:
			e.Kind = wire.Kind(1 + draw.IntN(int(wire.KindBye)))
		case 1, 2:
			e.Room = nil // a request
		case 3:
			e.Room = []byte("lobby")
		}
		if draw.IntN(5) == 0 {
			e.Namespace = []byte(nasty(draw, wire.MaxName))
		}
		c.put(&e)
		if draw.IntN(3) == 0 {
			c.conn.Flush()
			c.pump()
		}
		if i%500 == 0 {
			id := good.emit("lobby", "chat", wire.FlagAck, "still here")
			peer.pump()
			if p := peer.place("lobby"); p.seq < id/2 || len(p.faults) > 0 {
				t.Fatalf("after %d envelopes the others are not served: at %d, %v", i, p.seq, p.faults)
			}
		}
	}
	s := hub.Snapshot()
	if s.Totals.Held > 5<<20 || len(s.Members) > 102 {
		t.Errorf("%d bytes are held, by %d members", s.Totals.Held, len(s.Members))
	}
	for _, m := range s.Members {
		if n := len(m.Cursors); n > 2*9 {
			t.Errorf("%s is in %d rooms", m.Name, n)
		}
	}
	var rooms []chat.RoomInfo
	good.quiet = false
	good.ask(&rooms, "rooms")
	if _, err := hub.Namespace("").Explain("lobby", good.place("lobby").seq); err != nil {
		t.Error(err)
	}
}

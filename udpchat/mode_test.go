package udpchat

import (
	"testing"

	"wirelab/internal/wire"
)

func TestReliable(t *testing.T) {
	for _, test := range []struct {
		name  string
		kind  wire.Kind
		flags wire.Flags
		room  string
		want  [modeEnd]bool
	}{
		{"event", wire.KindEvent, 0, "lobby", [modeEnd]bool{StopAndWait: true, GoBackN: true, SelectiveRepeat: true, Queue: true}},
		{"event with ack", wire.KindEvent, wire.FlagAck, "lobby", [modeEnd]bool{StopAndWait: true, GoBackN: true, SelectiveRepeat: true, Queue: true}},
		{"direct event", wire.KindEvent, wire.FlagDirect, "@1", [modeEnd]bool{StopAndWait: true, GoBackN: true, SelectiveRepeat: true, Queue: true}},
		{"volatile event", wire.KindEvent, wire.FlagVolatile, "lobby", [modeEnd]bool{}},
		{"request", wire.KindEvent, wire.FlagAck, "", [modeEnd]bool{true, true, true, true, true, true}},
		{"ack", wire.KindAck, 0, "lobby", [modeEnd]bool{true, true, true, true, true, true}},
		{"cursor", wire.KindCursor, 0, "lobby", [modeEnd]bool{true, true, true, true, true, true}},
		{"ping", wire.KindPing, 0, "", [modeEnd]bool{true, true, true, true, true, true}},
	} {
		for mode, want := range test.want {
			b, err := wire.AppendEnvelope(nil, &wire.Envelope{Kind: test.kind, Flags: test.flags, Room: []byte(test.room)})
			if err != nil {
				t.Fatal(err)
			}
			if got := Mode(mode).reliable(b); got != want {
				t.Errorf("%v: %s reliable = %v, want %v", Mode(mode), test.name, got, want)
			}
		}
	}
}

func TestParseMode(t *testing.T) {
	for mode := range modeEnd {
		if got, err := ParseMode(mode.String()); got != mode || err != nil {
			t.Errorf("ParseMode(%q) = %v, %v", mode.String(), got, err)
		}
	}
	if got, err := ParseMode(""); got != Unreliable || err != nil {
		t.Errorf("ParseMode of nothing = %v, %v", got, err)
	}
	if _, err := ParseMode("pigeon"); err == nil {
		t.Error("ParseMode(pigeon) is no error")
	}
}

func TestOrder(t *testing.T) {
	var o order
	pass := func(room string, number uint64, want bool) {
		t.Helper()
		if got := o.pass(&wire.Envelope{Room: []byte(room)}, number); got != want {
			t.Errorf("pass(%s, %d) = %v, want %v", room, number, got, want)
		}
	}
	pass("a", 5, true)
	pass("b", 3, true) // rooms do not wait for each other
	pass("a", 4, false)
	pass("a", 5, false)
	pass("a", 6, true)
	pass("b", 4, true)
	for i := range 2 * maxRooms {
		o.pass(&wire.Envelope{Room: []byte{byte(i), byte(i >> 8)}}, 1)
	}
	if len(o) > maxRooms {
		t.Errorf("%d rooms remembered, at most %d", len(o), maxRooms)
	}
}

func TestPacer(t *testing.T) {
	p := newPacer(1000)
	now, sent := epoch, 0
	for range 1000 { // one second, a look every millisecond
		for p.ready(now) {
			p.take(now, 1)
			sent++
		}
		if at := p.refilled(); !at.After(now) {
			t.Fatal("not ready, but refilled")
		}
		now = now.Add(ms)
	}
	if sent < 1000 || sent > 1000+paceBurst {
		t.Errorf("%d datagrams in a second, want 1000 and a burst of %d", sent, paceBurst)
	}
	p.take(now, 500)
	if p.ready(now.Add(400*ms)) || !p.ready(now.Add(501*ms)) {
		t.Error("what was taken on credit is not paid back")
	}
}

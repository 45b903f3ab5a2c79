package main

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"wirelab/internal/client"
	"wirelab/internal/wire"
)

// A handshake that never ends, silent or byte by byte, ends after the server's
// ten seconds, with the reason.
func TestSlowHandshake(t *testing.T) {
	t.Parallel()
	_, addr := serve(t)
	pulse := feel(t, addr)
	silent, dribbling := dialRaw(t, addr, ""), dialRaw(t, addr, "")
	go func() {
		b, err := wire.AppendFrame(nil, &wire.Envelope{Kind: wire.KindConnect, Args: []byte(strings.Repeat(" ", 1000))})
		if err != nil {
			panic(err)
		}
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for i := range b {
			if _, err := dribbling.Write(b[i : i+1]); err != nil {
				return
			}
			<-tick.C
		}
	}()
	for name, c := range map[string]*raw{"silent": silent, "dribbling": dribbling} {
		if f := refusal(t, c); f.Code != "connect_timeout" || !strings.Contains(f.Message, "no connect within 10s") {
			t.Errorf("%s: ended with %+v", name, f)
		}
	}
	pulse.beats(3)
}

// Two members stop reading, one with a session and one without. The others get
// everything meanwhile, the server keeps no more for that, and when the two
// read on they get what is there and are told what is not, to the event.
func TestStoppedReader(t *testing.T) {
	t.Parallel()
	const (
		count = 400 // events that the room keeps
		keep  = 2 << 20
		size  = 4000 // bytes of an event's text
		batch = 50
	)
	batches := 480 // nearly 100 MB
	if raceDetector {
		batches = 80 // within the 30 s after which the server gives such members up
	}
	events := batch * batches
	server, addr := serve(t, "--keep-count", fmt.Sprint(count), "--keep-bytes", fmt.Sprint(keep), "--rate", "-1")
	plain, kept := dialRaw(t, addr, ""), dialRaw(t, addr, "")
	for _, c := range []*raw{plain, kept} {
		c.Conn.(*net.TCPConn).SetReadBuffer(64 << 10)
	}
	plain.enter("plain", wire.SessionNone)
	kept.enter("kept", wire.SessionNew)
	ana, bo, udo := joinTCP(t, addr, "ana"), joinTCP(t, addr, "bo"), joinUDP(t, addr, "udo")

	pid := server.cmd.Process.Pid
	before, most := resident(pid), int64(0)
	text := strings.Repeat("x", size-8)
	began := time.Now()
	for b := range batches {
		var last *client.Pending
		for i := range batch {
			var err error
			if last, err = ana.Post(client.Message{Room: "lobby", Event: "msg", Args: []any{fmt.Sprintf("%s%08d", text, b*batch+i+1)}, Ack: true}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := last.Wait(soon(t)); err != nil {
			t.Fatal(err)
		}
		// The next ones when the others have these: they must not fall behind.
		for _, g := range []*guest{bo, udo} {
			if !g.await(g.ended, func() bool { return len(g.texts) >= batch || len(g.lost) > 0 }) || len(g.texts) != batch {
				t.Fatalf("%s has %d of batch %d, lost %v", g.Name(), len(g.texts), b, g.lost)
			}
			for i, text := range g.texts {
				if want := fmt.Sprintf("%08d", b*batch+i+1); !strings.HasSuffix(text, want) {
					t.Fatalf("%s got …%s, want %s", g.Name(), text[len(text)-8:], want)
				}
			}
			g.change(func() { g.texts = g.texts[:0] })
		}
		most = max(most, resident(pid))
	}
	t.Logf("%d events of %d bytes in %v; memory grew from %d to %d kB", events, size, time.Since(began).Round(time.Millisecond), before>>10, most>>10)
	// What is kept, the same again as garbage and in flight, and what every
	// server needs: a tenth of what went through.
	if limit := int64(4*keep + 16<<20); most-before > limit && !raceDetector {
		t.Errorf("memory grew by %d bytes, want %d at most", most-before, limit)
	}
	for _, c := range []*raw{plain, kept} {
		readOn(t, c, uint64(events), count)
	}
}

// readOn reads what a member missed up to the last event, with the lobby's log
// at rest.
func readOn(t *testing.T, c *raw, events, count uint64) {
	t.Helper()
	var at, got, lost uint64
	for at < events {
		e, err := c.next()
		if err != nil {
			t.Fatalf("at %d: %v", at, err)
		}
		switch {
		case e.Kind == wire.KindPing:
			c.send(wire.Envelope{Kind: wire.KindPong, ID: e.ID})
		case string(e.Room) != "lobby" || e.Seq == 0:
		case e.Kind == wire.KindEvent:
			if e.Prev != at || e.Seq != at+1 || !strings.HasSuffix(string(e.Args), fmt.Sprintf(`%08d"]`, e.Seq)) {
				t.Fatalf("event %d after %d follows %d, its text ends with %s", e.Seq, e.Prev, at, e.Args[len(e.Args)-10:])
			}
			at, got = e.Seq, got+1
		case e.Kind == wire.KindCursor:
			var p wire.Position
			if err := wire.DecodeBody(e.Args, &p); err != nil {
				t.Fatal(err)
			}
			if e.Prev != at || e.Seq != at+p.Lost || p.Lost == 0 || p.Reason != "overflow" {
				t.Fatalf("cursor from %d to %d at %d: %+v", e.Prev, e.Seq, at, p)
			}
			at, lost = e.Seq, lost+p.Lost
		}
	}
	if got+lost != events || lost == 0 || got < count {
		t.Errorf("got %d, lost %d of %d", got, lost, events)
	}
	t.Logf("got %d, was told of %d lost", got, lost)
}

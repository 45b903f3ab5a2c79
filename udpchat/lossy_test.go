package udpchat

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/wire"
)

const serverAt = "10.0.0.1:9000"

// sayings is how often each member of TestLossy speaks.
const sayings = 150

// TestLossy chats over a network that loses up to a fifth, doubles a tenth and
// reorders, in virtual time, and counts what everybody hears of everybody.
func TestLossy(t *testing.T) {
	for _, key := range []string{"", "sesame"} {
		for mode := range modeEnd {
			for seed := range uint64(3) {
				t.Run(fmt.Sprintf("%v key=%q seed=%d", mode, key, seed), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { testLossy(t, mode, key, seed) })
				})
			}
		}
	}
}

func testLossy(t *testing.T, mode Mode, key string, seed uint64) {
	n := newNetwork(seed)
	loss := .2
	if mode == StopAndWait || mode == GoBackN {
		// They wait for the timer so often that once in thousands of tests
		// nothing would come through for half a minute.
		loss = .15
	}
	n.set(loss, .1, 20*ms, 30*ms)
	server := &Server{Hub: newHub(t, chat.Config{Key: []byte(key)})}
	serve(t, server, n.listen(serverAt))
	d := &Dialer{Address: serverAt, Mode: mode, Key: []byte(key), Net: n.dial}
	names := []string{"ana", "bob", "eve"}
	var members []*member
	for _, name := range names {
		members = append(members, join(t, d, name, wire.Connect{Session: wire.SessionNew}, nil))
	}
	var (
		wg    sync.WaitGroup
		heard [3]map[string][]int // by sender
	)
	for i, m := range members {
		heard[i] = make(map[string][]int)
		wg.Go(func() {
			for range sayings {
				m.say(names[i], 0)
				time.Sleep(20 * ms)
			}
		})
		wg.Go(func() {
			for {
				e, _, err := m.link.Receive()
				if err != nil {
					return
				}
				m.pong(&e)
				if e.Kind == wire.KindEvent && string(e.Event) == "say" {
					heard[i][string(e.Sender)] = append(heard[i][string(e.Sender)], int(e.ID))
				}
			}
		})
	}
	time.Sleep(2 * time.Minute)
	if mode == StopAndWait || mode == GoBackN {
		time.Sleep(20 * time.Minute) // a round trip for each datagram, or a window for each loss
	}
	for i, m := range members {
		if s := m.link.Stats(); s.Mode != mode.String() || mode.Reliable() && s.Retransmits == 0 || s.RTT < 40*ms {
			t.Errorf("%s: %+v", names[i], s)
		}
		m.link.Close()
	}
	wg.Wait()
	for i, name := range names {
		for _, sender := range names {
			ids := heard[i][sender]
			seen, ordered := make(map[int]bool), true
			for j, id := range ids {
				if seen[id] {
					t.Errorf("%s heard message %d of %s twice", name, id, sender)
				}
				seen[id] = true
				ordered = ordered && (j == 0 || id > ids[j-1])
			}
			switch {
			case mode.Reliable() && (len(ids) != sayings || !ordered):
				t.Errorf("%s heard %d of %d messages of %s, in order: %v", name, len(ids), sayings, sender, ordered)
			case mode == Sequenced && !ordered:
				t.Errorf("%s heard %s out of order: %v", name, sender, ids)
			case !mode.Reliable() && len(ids) == sayings:
				t.Errorf("%s heard all %d messages of %s: the network lost nothing?", name, len(ids), sender)
			case !mode.Reliable() && len(ids) < sayings/4:
				t.Errorf("%s heard %d of %d messages of %s", name, len(ids), sayings, sender)
			}
		}
	}
	if s := server.Stats(); s.BadMACs+s.Malformed+s.WrongAddresses > 0 || mode.Reliable() && s.Resent == 0 {
		t.Errorf("the server refused something, or sent nothing again: %+v", s)
	}
}

// TestVolatile: where nothing else waits, a volatile event comes in every mode,
// sent once and outside of the reliable channel.
func TestVolatile(t *testing.T) {
	for mode := range modeEnd {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(1)
			serve(t, &Server{Hub: newHub(t, chat.Config{})}, n.listen(serverAt))
			d := &Dialer{Address: serverAt, Net: n.dial, Mode: mode}
			ana, bob := join(t, d, "ana", wire.Connect{}, nil), join(t, d, "bob", wire.Connect{}, nil)
			time.Sleep(time.Second)
			reliable := bob.arrived()
			ana.say("quick", wire.FlagVolatile)
			bob.hears("quick")
			if bob.arrived() != reliable {
				t.Errorf("%v: the volatile event went through the reliable channel", mode)
			}
			ana.link.Close()
			bob.link.Close()
		})
	}
}

// TestVanish: a member that says nothing any more is gone after half a minute;
// nobody else notices anything before.
func TestVanish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(1)
		server := &Server{Hub: newHub(t, chat.Config{})}
		serve(t, server, n.listen(serverAt))
		d := &Dialer{Address: serverAt, Net: n.dial, Mode: Queue}
		ana, bob := join(t, d, "ana", wire.Connect{}, nil), join(t, d, "bob", wire.Connect{}, nil)
		bob.link.(*link).conn.Close()
		start := time.Now()
		ana.wait("bob to be gone", func(e *wire.Envelope) bool { return string(e.Event) == "member_left" })
		if took := time.Since(start); took < 25*time.Second || took > 40*time.Second {
			t.Errorf("noticed after %v, want about 30s", took)
		}
		time.Sleep(5 * time.Second) // the goodbye to nobody is given up
		if got := server.Stats().Sessions; got != 1 {
			t.Errorf("%d sessions, want 1", got)
		}
		// The other direction: the server vanishes.
		n.set(1, 0, 0, 0)
		ana.say("anybody?", 0)
		start = time.Now()
		for {
			if _, _, err := ana.link.Receive(); err != nil {
				break
			}
		}
		if took := time.Since(start); took < 25*time.Second || took > 40*time.Second {
			t.Errorf("the client gave up after %v, want about 30s", took)
		}
	})
}

// TestIdle: a server whose members say nothing does nothing but ping.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(1)
		server := &Server{Hub: newHub(t, chat.Config{})}
		serve(t, server, n.listen(serverAt))
		ana := join(t, &Dialer{Address: serverAt, Net: n.dial}, "ana", wire.Connect{}, nil)
		go ana.idle()
		time.Sleep(time.Minute)
		before := server.Stats().Sent
		time.Sleep(10 * time.Minute)
		// A ping and the ack of its pong, every ten seconds.
		if got := server.Stats().Sent - before; got > 125 {
			t.Errorf("%d datagrams in ten idle minutes, want 120", got)
		}
		ana.link.Close()
	})
}

// TestMove: with MACs a member whose NAT gives it another port goes on; without
// them nobody can tell it from an impostor.
func TestMove(t *testing.T) {
	for _, key := range []string{"", "sesame"} {
		t.Run("key="+key, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(1)
				server := &Server{Hub: newHub(t, chat.Config{Key: []byte(key)})}
				serve(t, server, n.listen(serverAt))
				d := &Dialer{Address: serverAt, Net: n.dial, Mode: Queue, Key: []byte(key)}
				ana, bob := join(t, d, "ana", wire.Connect{}, nil), join(t, d, "bob", wire.Connect{}, nil)
				bob.link.(*link).conn.(*connected).move()
				bob.say("I moved", 0)
				if key == "" {
					synctest.Wait()
					if got := server.Stats().WrongAddresses; got == 0 {
						t.Error("no datagram from a wrong address was counted")
					}
				} else {
					ana.hears("I moved")
					ana.say("welcome", 0)
					bob.hears("welcome")
				}
				bob.link.Close()
				ana.link.Close()
			})
		})
	}
}

// TestMoveElsewhere: a member that has the key, and lies about its source, makes
// the server send nothing to another host.
func TestMoveElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(1)
		server := &Server{Hub: newHub(t, chat.Config{Key: []byte("sesame")})}
		serve(t, server, n.listen(serverAt))
		d := &Dialer{Address: serverAt, Net: n.dial, Mode: Queue, Key: []byte("sesame")}
		ana, bob := join(t, d, "ana", wire.Connect{}, nil), join(t, d, "bob", wire.Connect{}, nil)
		victim := n.listen("10.9.9.9:53")
		own := bob.link.(*link).conn.(*connected)
		home := own.at
		spoof := func(at netip.AddrPort) {
			own.mu.Lock()
			defer own.mu.Unlock()
			own.at = at
		}
		spoof(victim.at)
		bob.say("send it there", 0)
		synctest.Wait()
		spoof(home)
		if got := server.Stats().WrongAddresses; got == 0 {
			t.Error("no datagram from a wrong address was counted")
		}
		for range 20 {
			ana.say("a word", 0)
		}
		bob.hears("a word")
		if got := len(victim.queue); got > 0 {
			t.Errorf("%d datagrams went to somebody who never said a word", got)
		}
		bob.link.Close()
		ana.link.Close()
	})
}

// TestManyRooms: a Connect and its answer that do not fit into one datagram.
func TestManyRooms(t *testing.T) {
	for _, key := range []string{"", "sesame"} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(7)
			n.set(.2, .1, 10*ms, 10*ms)
			serve(t, &Server{Hub: newHub(t, chat.Config{Key: []byte(key)})}, n.listen(serverAt))
			var rooms []wire.RoomCursor
			for i := range 60 {
				rooms = append(rooms, wire.RoomCursor{Room: fmt.Sprintf("%s-%02d", strings.Repeat("r", 60), i), Epoch: 1 << 60, Seq: 1 << 60})
			}
			d := &Dialer{Address: serverAt, Mode: Queue, Net: n.dial, Key: []byte(key)}
			m := join(t, d, "ana", wire.Connect{Session: wire.SessionNew, Rooms: rooms}, nil)
			for range rooms {
				m.wait("the rooms' cursors", func(e *wire.Envelope) bool {
					return e.Kind == wire.KindCursor && strings.HasPrefix(string(e.Room), "rrr")
				})
			}
			m.link.Close()
			again := join(t, d, "ana", wire.Connect{Session: wire.SessionResume, ID: m.body.Session, Secret: m.body.Secret, Rooms: rooms}, nil)
			if len(again.body.Rooms) != 60 {
				t.Errorf("back in %d rooms, want 60", len(again.body.Rooms))
			}
			again.link.Close()
		})
	}
}

// TestGoodbye: when the server stops, members hear why even over a bad network.
func TestGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(3)
		hub := newHub(t, chat.Config{})
		server := &Server{Hub: hub}
		serve(t, server, n.listen(serverAt))
		m := join(t, &Dialer{Address: serverAt, Net: n.dial}, "ana", wire.Connect{}, nil)
		n.set(.3, 0, ms, 0)
		hub.Close("closing time")
		e := m.wait("bye", func(e *wire.Envelope) bool { return e.Kind == wire.KindBye })
		var why []string
		if json.Unmarshal(e.Args, &why); len(why) != 1 || why[0] != "closing time" {
			t.Errorf("bye %s", e.Args)
		}
		m.link.Close()
		time.Sleep(5 * time.Second)
		if got := server.Stats().Sessions; got != 0 {
			t.Errorf("%d sessions left", got)
		}
	})
}

// TestQuickGoodbye: a member that hears the goodbye and closes at once still
// acknowledges it: the server need not wait for its time to be over.
func TestQuickGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(4)
		n.set(0, 0, ms, 0)
		hub := newHub(t, chat.Config{})
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		ended := make(chan error, 1)
		conn := n.listen(serverAt)
		go func() { ended <- (&Server{Hub: hub}).Serve(ctx, conn) }()
		m := join(t, &Dialer{Address: serverAt, Mode: Queue, Net: n.dial}, "ana", wire.Connect{}, nil)
		time.Sleep(time.Second)
		start := time.Now()
		hub.Close("closing time")
		cancel()
		m.wait("bye", func(e *wire.Envelope) bool { return e.Kind == wire.KindBye })
		m.link.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > 100*ms {
			t.Errorf("the server ended after %v", took)
		}
	})
}

package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"wirelab/internal/client"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
	"wirelab/tcpchat"
	"wirelab/udpchat"
)

var killRooms = []string{"den", "lobby"}

// A durable server is killed, again and again, at any moment: while it starts,
// while members come back, while it stores and acknowledges. Everything that
// was acknowledged is there, once and in order: for those who stay, for one
// who quits and comes back, and on the disk.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds := 100
	if testing.Short() || raceDetector {
		rounds = 50
	}
	r := seeded(t)
	k := &killing{t: t, addr: freeAddress(t), dir: t.TempDir(), acked: make(map[stream]uint64), up: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	k.start()
	var members []*witness
	for _, m := range []struct {
		name  string
		dial  client.Dial
		queue bool
	}{
		{"ana", (&tcpchat.Dialer{Address: k.addr}).Dial, true},
		{"bo", (&tcpchat.Dialer{Address: k.addr}).Dial, true},
		{"cy", (&tcpchat.Dialer{Address: k.addr}).Dial, false},
		{"udo", impatient((&udpchat.Dialer{Address: k.addr, Mode: udpchat.Queue, Linger: time.Millisecond}).Dial), true},
	} {
		w := k.witness(m.name, m.dial, m.queue)
		w.run(ctx)
		if err := w.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		members = append(members, w)
	}
	hopper := k.witness("hopper", (&tcpchat.Dialer{Address: k.addr}).Dial, true)
	hopper.run(ctx)
	if err := hopper.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	var publishers sync.WaitGroup
	for _, w := range members {
		publishers.Go(func() { k.publish(ctx, w) })
	}

	began := time.Now()
	for round := range rounds {
		if t.Failed() {
			t.Fatalf("round %d; the server says:\n%s", round, &k.server.err)
		}
		k.strike(r)
		if r.IntN(4) == 0 {
			hopper.quit()
		}
		if !k.start() {
			t.Fatalf("round %d: the server does not come up", round)
		}
		hopper.hop(ctx, r)
	}
	k.change(func() { k.over = true })
	publishers.Wait()
	t.Logf("%d kills in %v, %d events acknowledged", rounds, time.Since(began).Round(time.Millisecond), k.total)
	for _, w := range members {
		s := w.Stats()
		t.Logf("%s: %d connections, %d retries, %d events, %d again, %d duplicates", w.Name(), s.Connects, s.Retries, s.Received, s.Redelivered, s.Duplicates)
	}
	for hopper.Ready(ctx) != nil && !t.Failed() {
		hopper.hop(ctx, r) // the last attempt met a server that was killed
	}
	for _, w := range append(members, hopper) {
		if w.cfg.Queue && !w.await(nil, func() bool { return w.has(k.acked) }) {
			t.Errorf("%s has %v, acknowledged were %v", w.Name(), w.got, k.acked)
		}
		w.quit()
	}
	k.server.signal(syscall.SIGTERM)
	k.server.exit(exitOK)
	k.look()
}

// impatient gives a handshake up that the server was killed in. Over UDP its
// end is not seen, and the next server drops the cookie of the one before: the
// client would try for 10 s, a tenth of them all.
func impatient(dial client.Dial) client.Dial {
	return func(ctx context.Context, tap client.Tap) (client.Link, client.Greeting, error) {
		link, greeting, err := dial(ctx, tap)
		if err != nil {
			return nil, greeting, err
		}
		return &impatientLink{link, time.AfterFunc(500*time.Millisecond, func() { link.Close() })}, greeting, nil
	}
}

type impatientLink struct {
	client.Link
	limit *time.Timer
}

func (l *impatientLink) Receive() (wire.Envelope, []byte, error) {
	e, raw, err := l.Link.Receive()
	l.limit.Stop()
	return e, raw, err
}

// A stream is what one member says in one room: its numbers from 1 on.
type stream struct{ room, sender string }

// A killing is a server that is killed again and again, and what its members
// know.
type killing struct {
	t         *testing.T
	addr, dir string
	server    *child

	board
	acked map[stream]uint64 // the newest
	total uint64            // of all
	over  bool              // publishers are to end
	up    chan struct{}     // closed while the server listens
}

// start starts the server and lets the members know.
func (k *killing) start() bool {
	k.server = launch(k.t, "wirelab", "serve", "--plain", "--listen", k.addr, "--data", k.dir, "--rate", "-1")
	if err := k.server.heard("udp " + k.addr); err != nil {
		k.t.Error(err)
		return false
	}
	k.change(func() { close(k.up) })
	return true
}

// strike kills the server after some acknowledgements and a moment; and then,
// now and then, another one while it starts.
func (k *killing) strike(r *rand.Rand) {
	k.t.Helper()
	target := k.total + uint64(r.IntN(40))
	if r.IntN(4) == 0 {
		target = 0 // while members come back
	}
	if !k.await(k.server.done, func() bool { return k.total >= target || k.t.Failed() }) {
		k.t.Fatalf("%d events are acknowledged, waiting for %d; the server says:\n%s", k.total, target, &k.server.err)
	}
	<-time.After(time.Duration(r.Int64N(int64(3 * time.Millisecond))))
	k.change(func() { k.up = make(chan struct{}) })
	k.server.kill()
	if r.IntN(4) == 0 {
		c := launch(k.t, "wirelab", "serve", "--plain", "--listen", k.addr, "--data", k.dir, "--rate", "-1")
		<-time.After(time.Duration(r.Int64N(int64(60 * time.Millisecond))))
		c.kill()
	}
}

// publish emits, one after the other and until it is told to stop.
func (k *killing) publish(ctx context.Context, w *witness) {
	for n := uint64(1); ; n++ {
		for _, room := range killRooms {
			k.mu.Lock()
			over := k.over
			k.mu.Unlock()
			if over || k.t.Failed() {
				return
			}
			if _, err := w.EmitRetry(ctx, room, "n", n); err != nil {
				if ctx.Err() == nil {
					k.t.Errorf("%s: emit %d in %s: %v", w.Name(), n, room, err)
				}
				return
			}
			k.change(func() {
				k.acked[stream{room, w.Name()}] = n
				k.total++
			})
		}
	}
}

// look reads the store of a server that has ended: it holds what was
// acknowledged, each once, in order.
func (k *killing) look() {
	store, err := openStore(k.dir, nil)
	if err != nil {
		k.t.Fatal(err)
	}
	q, err := missed.Open(missed.Config{Store: store})
	if err != nil {
		k.t.Fatal(err)
	}
	defer q.Close()
	got := make(map[stream]uint64)
	for _, room := range killRooms {
		l := q.Lookup(missed.Key{Room: room})
		if l == nil {
			k.t.Fatalf("no room %q in the store", room)
		}
		for seq := l.First(); seq <= l.Head(); seq++ {
			e, _, ok := l.Event(seq)
			ev := client.Event{Room: room, Sender: string(e.Sender), Args: e.Args}
			var n uint64
			if err := ev.Decode(&n); !ok || err != nil {
				k.t.Fatalf("event %d of %s: %v, %v", seq, room, ok, err)
			}
			s := stream{room, ev.Sender}
			if n != got[s]+1 {
				k.t.Errorf("on disk, %v: %d follows %d", s, n, got[s])
			}
			got[s] = n
		}
	}
	for s, n := range k.acked {
		if got[s] != n {
			k.t.Errorf("on disk, %v: %d events, acknowledged were %d", s, got[s], n)
		}
	}
}

// A witness is a member that comes back whenever the server does, and
// complains of what an application must never see.
type witness struct {
	*client.Client
	k       *killing
	cfg     client.Config
	dropped chan struct{} // the connection was lost
	ended   chan struct{} // Run has returned

	board
	state *client.State
	got   map[stream]uint64
}

func (k *killing) witness(name string, dial client.Dial, queue bool) *witness {
	w := &witness{k: k, dropped: make(chan struct{}, 1), got: make(map[stream]uint64)}
	w.cfg = client.Config{
		Dial: dial, Name: name, Rooms: killRooms, Queue: queue, Reconnect: true, AckTimeout: 2 * time.Second,
		OnEvent: w.take, OnStatus: w.told,
		SaveState: func(s client.State) { w.change(func() { w.state = &s }) },
	}
	k.t.Cleanup(func() { w.quit() })
	return w
}

// run starts the client, from what was saved.
func (w *witness) run(ctx context.Context) {
	w.cfg.State = w.state
	w.Client = client.New(w.cfg)
	ended := make(chan struct{})
	w.ended = ended
	go func(c *client.Client) {
		defer close(ended)
		err := c.Run(ctx)
		var no *client.Refusal
		if errors.As(err, &no) {
			w.k.t.Errorf("%s: Run() = %v", w.cfg.Name, err)
		}
	}(w.Client)
	go func(c *client.Client) {
		for {
			select {
			case <-w.dropped:
			case <-ended:
				return
			}
			w.k.mu.Lock()
			up := w.k.up
			w.k.mu.Unlock()
			select {
			case <-up:
				c.Online()
			case <-ended:
				return
			}
		}
	}(w.Client)
}

func (w *witness) quit() {
	w.Close()
	<-w.ended
}

// hop quits by chance and comes back as another process would, or does so
// because its first attempt to connect has failed.
func (w *witness) hop(ctx context.Context, r *rand.Rand) {
	if r.IntN(3) == 0 {
		w.quit()
	}
	select {
	case <-w.ended:
		w.run(ctx)
	default:
	}
}

// take is OnEvent.
func (w *witness) take(e client.Event) any {
	var n uint64
	if e.Event != "n" || e.Decode(&n) != nil {
		return nil
	}
	w.change(func() {
		s := stream{e.Room, e.Sender}
		last := w.got[s]
		if n <= last || n > last+1 && w.cfg.Queue {
			w.k.t.Errorf("%s: %v: %d follows %d (seq %d, redelivered %v)", w.cfg.Name, s, n, last, e.Seq, e.Redelivered)
		}
		w.got[s] = n
	})
	return nil
}

// told is OnStatus.
func (w *witness) told(st client.Status) {
	switch {
	case st.Kind == client.StatusDisconnected:
		select {
		case w.dropped <- struct{}{}:
		default:
		}
	case st.Kind == client.StatusLost && w.cfg.Queue, st.Kind == client.StatusNotice:
		w.k.t.Errorf("%s: %v: %d lost in %q, at %+v of %d: %s %v", w.cfg.Name, st.Kind, st.Lost, st.Room, st.Cursor, st.Head, st.Reason, st.Err)
	}
}

// has reports whether all of that has arrived.
func (w *witness) has(acked map[stream]uint64) bool {
	for s, n := range acked {
		if w.got[s] < n {
			return false
		}
	}
	return true
}

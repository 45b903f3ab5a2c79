package tcpchat

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/client"
	"wirelab/internal/missed"
)

// A fragile connection breaks after a number of bytes, in either direction,
// wherever that is in a frame; the bytes before it arrive.
type fragile struct {
	net.Conn
	mu   sync.Mutex
	left int
}

func (f *fragile) spend(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n = min(n, f.left)
	f.left -= n
	return n
}

func (f *fragile) Write(b []byte) (int, error) {
	n := f.spend(len(b))
	if n == len(b) {
		return f.Conn.Write(b)
	}
	f.Conn.Write(b[:n])
	f.Conn.Close()
	return n, net.ErrClosed
}

func (f *fragile) Read(b []byte) (int, error) {
	n, err := f.Conn.Read(b)
	if kept := f.spend(n); kept < n {
		f.Conn.Close()
		return kept, net.ErrClosed
	}
	return n, err
}

const defaultSeeds = 100

var seeds = flag.Uint64("seeds", defaultSeeds, "how many runs over breaking connections; the default takes 4 s at most")

// Connections break anywhere, members come back, publishers try again: with
// sessions and retries every message reaches every member once, in one order.
func TestEffectivelyOnceOverBreakingConnections(t *testing.T) {
	began := time.Now()
	for seed := range *seeds {
		synctest.Test(t, func(t *testing.T) { breaking(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
		if *seeds == defaultSeeds && time.Since(began) > 4*time.Second {
			t.Logf("%d of %d seeds in the time there is", seed+1, *seeds)
			return
		}
	}
}

func breaking(t *testing.T, seed uint64) {
	const publishers, readers, each = 2, 2, 30
	s := servePipes(t, chat.Config{Rate: -1}, missed.Config{})
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, 1))
	calm := false
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := s.dial(ctx, network, address)
		mu.Lock()
		defer mu.Unlock()
		if err != nil || calm {
			return nc, err
		}
		// Enough for the handshake, which must succeed the first time.
		return &fragile{Conn: nc, left: 1500 + rng.IntN(6000)}, nil
	}
	type reader struct {
		*Client
		err  chan error
		got  []string
		lost []string
	}
	join := func(name string) *reader {
		r := &reader{err: make(chan error, 1)}
		r.Client = NewClient("", Config{
			Name: name, Rooms: lobby, Queue: true, Reconnect: true, AckTimeout: 3 * time.Second,
			Dial: (&Dialer{Net: dial}).Dial,
			OnEvent: func(e Event) any {
				text, _ := e.Text()
				mu.Lock()
				defer mu.Unlock()
				if e.Room == "lobby" && !e.Volatile {
					r.got = append(r.got, text)
				}
				return nil
			},
			OnStatus: func(st Status) {
				mu.Lock()
				defer mu.Unlock()
				if st.Kind == client.StatusLost {
					r.lost = append(r.lost, fmt.Sprintf("%d %s in %q", st.Lost, st.Reason, st.Room))
				}
			},
		})
		go func() { r.err <- r.Run(context.Background()) }()
		if err := r.Ready(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return r
	}
	var all []*reader
	for i := range publishers + readers {
		all = append(all, join(fmt.Sprintf("member-%d", i)))
	}
	var publishing sync.WaitGroup
	for i, p := range all[:publishers] {
		publishing.Go(func() {
			for n := range each {
				if _, err := p.EmitRetry(context.Background(), "lobby", "msg", fmt.Sprintf("%d/%d", i, n)); err != nil {
					t.Errorf("EmitRetry: %v", err)
					return
				}
				mu.Lock()
				pause := time.Duration(rng.IntN(300)) * time.Millisecond
				mu.Unlock()
				time.Sleep(pause)
			}
		})
	}
	publishing.Wait()
	mu.Lock()
	calm = true
	mu.Unlock()
	for _, r := range all {
		r.Cut(time.Millisecond)
	}
	time.Sleep(2 * time.Minute)
	synctest.Wait()
	mu.Lock()
	defer mu.Unlock()
	want := all[0].got
	for i, r := range all {
		if len(r.lost) > 0 {
			t.Errorf("member %d lost %v", i, r.lost)
		}
		if a, b := strings.Join(r.got, " "), strings.Join(want, " "); a != b {
			t.Errorf("member %d got %s\nmember 0 got %s", i, a, b)
		}
	}
	next := make(map[string]int)
	for _, text := range want {
		var i, n int
		fmt.Sscanf(text, "%d/%d", &i, &n)
		if key := fmt.Sprint(i); next[key] != n {
			t.Errorf("%s where %s/%d was due", text, key, next[key])
		} else {
			next[key]++
		}
	}
	if len(want) != publishers*each {
		t.Errorf("got %d messages, want %d", len(want), publishers*each)
	}
	mu.Unlock()
	for _, r := range all {
		r.Close()
		if err := <-r.err; err != nil {
			t.Errorf("Run() = %v", err)
		}
	}
	mu.Lock()
}

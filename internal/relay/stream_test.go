package relay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

// socketPair returns the two ends of a TCP connection on this machine.
func socketPair(t testing.TB) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a = dialTCP(t, l.Addr().String())
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	b = c.(*net.TCPConn)
	b.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { b.Close() })
	return a, b
}

func dialTCP(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// spliced returns the outer ends of two connections whose inner ends are
// spliced, and what the splice returns.
func spliced(t *testing.T, ctx context.Context) (client, server *net.TCPConn, ended <-chan error) {
	client, a := socketPair(t)
	server, b := socketPair(t)
	return client, server, splicing(t, ctx, a, func(context.Context) (stream, error) { return kernelStream{b}, nil })
}

func splicing(t *testing.T, ctx context.Context, a *net.TCPConn, dial func(context.Context) (stream, error)) <-chan error {
	ended, over := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(over)
		var s splice
		ended <- s.run(ctx, kernelStream{a}, dial)
	}()
	t.Cleanup(func() {
		a.Close()
		<-over
	})
	return ended
}

func await[T any](t *testing.T, what string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatalf("no %s after %v", what, patience)
	}
	return v
}

// wantReset checks that a connection ended by RST, not FIN.
func wantReset(t *testing.T, who string, c net.Conn) {
	t.Helper()
	n, err := io.Copy(io.Discard, c)
	var late net.Error
	if err == nil || errors.As(err, &late) && late.Timeout() {
		t.Errorf("%s got %d bytes, then %v, want a reset", who, n, err)
	}
}

// numbers returns n bytes that compress badly, so that none can stand for
// another.
func numbers(seed uint64, n int) []byte {
	var key [32]byte
	key[0] = byte(seed)
	b := make([]byte, n)
	rand.NewChaCha8(key).Read(b)
	return b
}

// exchange sends up and down at once, closes each direction, and checks that
// each side got what the other sent and a FIN behind it.
func exchange(t *testing.T, client, server *net.TCPConn, up, down []byte) {
	t.Helper()
	var wg sync.WaitGroup
	for _, e := range []struct {
		name       string
		c          *net.TCPConn
		send, want []byte
	}{{"client", client, up, down}, {"server", server, down, up}} {
		wg.Go(func() {
			if _, err := e.c.Write(e.send); err != nil {
				t.Errorf("%s: write: %v", e.name, err)
			}
			if err := e.c.CloseWrite(); err != nil {
				t.Errorf("%s: close: %v", e.name, err)
			}
		})
		wg.Go(func() {
			got, err := io.ReadAll(e.c)
			if err != nil || sha256.Sum256(got) != sha256.Sum256(e.want) {
				t.Errorf("%s got %d bytes (equal: %v) and %v, want %d", e.name, len(got), bytes.Equal(got, e.want), err, len(e.want))
			}
		})
	}
	wg.Wait()
}

func TestSpliceCarriesBytes(t *testing.T) {
	client, server, ended := spliced(t, t.Context())
	exchange(t, client, server, numbers(1, 3<<20), numbers(2, 5<<20))
	if err := await(t, "end", ended); err != nil {
		t.Errorf("run = %v, want nil", err)
	}
}

func TestSpliceHalfClose(t *testing.T) {
	client, server, ended := spliced(t, t.Context())
	client.Write([]byte("question"))
	client.CloseWrite()
	if got, err := io.ReadAll(server); string(got) != "question" || err != nil {
		t.Fatalf("server got %q, %v", got, err)
	}
	// The other direction is as good as before.
	for range 3 {
		server.Write([]byte("answer"))
		got := make([]byte, 6)
		if _, err := io.ReadFull(client, got); err != nil || string(got) != "answer" {
			t.Fatalf("client got %q, %v", got, err)
		}
	}
	server.CloseWrite()
	if got, err := io.ReadAll(client); len(got) != 0 || err != nil {
		t.Errorf("client got %q, %v, want the end", got, err)
	}
	if err := await(t, "end", ended); err != nil {
		t.Errorf("run = %v, want nil", err)
	}
}

func TestSpliceReset(t *testing.T) {
	for name, swap := range map[string]bool{"client": false, "server": true} {
		t.Run(name, func(t *testing.T) {
			client, server, ended := spliced(t, t.Context())
			if swap {
				client, server = server, client
			}
			client.Write([]byte("hello"))
			if _, err := io.ReadFull(server, make([]byte, 5)); err != nil {
				t.Fatal(err)
			}
			client.SetLinger(0)
			client.Close()
			wantReset(t, "the other", server)
			if err := await(t, "end", ended); err == nil {
				t.Error("run = nil, want why")
			}
		})
	}
}

// Data behind a reset: a FIN came first, then the reader vanished.
func TestSpliceResetAfterFIN(t *testing.T) {
	client, server, ended := spliced(t, t.Context())
	client.CloseWrite()
	io.ReadAll(server)
	client.SetLinger(0)
	client.Close()
	// The server learns it as it would from the client's kernel: by sending.
	var err error
	for end := time.Now().Add(patience); err == nil && time.Now().Before(end); {
		_, err = server.Write(make([]byte, 1000))
	}
	if err == nil {
		t.Error("the server may send for ever")
	}
	if err := await(t, "end", ended); err == nil {
		t.Error("run = nil, want why")
	}
}

func TestSpliceRefused(t *testing.T) {
	client, a := socketPair(t)
	no := errors.New("no")
	ended := splicing(t, t.Context(), a, func(context.Context) (stream, error) { return nil, no })
	wantReset(t, "client", client)
	if err := await(t, "end", ended); !errors.Is(err, no) {
		t.Errorf("run = %v, want %v", err, no)
	}
}

func TestSpliceResetWhileDialing(t *testing.T) {
	client, a := socketPair(t)
	dialing := make(chan struct{})
	ended := splicing(t, t.Context(), a, func(ctx context.Context) (stream, error) {
		close(dialing)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	await(t, "dial", dialing)
	client.SetLinger(0)
	client.Close()
	if err := await(t, "end", ended); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("run = %v, want the reset", err)
	}
}

// A question that is asked, and closed, before the far side is there.
func TestSpliceEarlyFIN(t *testing.T) {
	client, a := socketPair(t)
	server, b := socketPair(t)
	client.Write(numbers(1, 100_000))
	client.CloseWrite()
	ready := make(chan struct{})
	ended := splicing(t, t.Context(), a, func(context.Context) (stream, error) {
		<-ready
		return kernelStream{b}, nil
	})
	close(ready)
	if got, err := io.ReadAll(server); !bytes.Equal(got, numbers(1, 100_000)) || err != nil {
		t.Errorf("server got %d bytes, %v", len(got), err)
	}
	server.Close()
	if err := await(t, "end", ended); err != nil {
		t.Errorf("run = %v, want nil", err)
	}
}

func TestSpliceCancel(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	client, server, ended := spliced(t, ctx)
	over := errors.New("over")
	cancel(over)
	wantReset(t, "client", client)
	wantReset(t, "server", server)
	if err := await(t, "end", ended); !errors.Is(err, over) {
		t.Errorf("run = %v, want %v", err, over)
	}
}

func TestBufferFollowsLoad(t *testing.T) {
	buf := make([]byte, leastBuffer)
	for range 10 {
		buf = resized(buf, len(buf))
	}
	if len(buf) != mostBuffer {
		t.Errorf("after full reads: %d bytes, want %d", len(buf), mostBuffer)
	}
	if got := len(resized(buf, len(buf)/2)); got != mostBuffer {
		t.Errorf("after half a read: %d bytes, want %d", got, mostBuffer)
	}
	for range 10 {
		buf = resized(buf, 10)
	}
	if len(buf) != leastBuffer {
		t.Errorf("after small reads: %d bytes, want %d", len(buf), leastBuffer)
	}
}

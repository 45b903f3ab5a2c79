package tcpchat_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
	"wirelab/internal/wire/wiretest"
	"wirelab/tcpchat"
)

// The session in SPEC.md happens: its client bytes, sent to a server, are
// answered by its server bytes.
func TestSpecHappens(t *testing.T) {
	queue, err := missed.Open(missed.Config{Store: missed.NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close()
	hub, err := chat.New(chat.Config{Queue: queue})
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close("the test is over")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- (&tcpchat.Server{Hub: hub}).Serve(ctx, ln) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()

	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	r := wire.NewReader(conn)
	for _, step := range wiretest.Session(t, "SPEC.md", "../internal/wire/testdata/vectors.txtar") {
		if step.By == "C" {
			if _, err := conn.Write(step.Bytes); err != nil {
				t.Fatalf("%s: %v", step.Name, err)
			}
			continue
		}
		_, raw, err := r.Next()
		if err != nil {
			t.Fatalf("%s: %v", step.Name, err)
		}
		wiretest.Same(t, step.Name, step.Bytes[wire.LengthSize:], raw[wire.LengthSize:])
	}
	if _, raw, err := r.Next(); err != io.EOF {
		t.Errorf("after the bye: %q and %v, want the end of the stream", raw, err)
	}
}

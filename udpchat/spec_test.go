package udpchat_test

import (
	"context"
	"net"
	"testing"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
	"wirelab/internal/wire/wiretest"
	"wirelab/udpchat"
)

// The session in SPEC.md happens: its client bytes, sent to a server with the
// cookie and session id that it gave, are answered by its server bytes.
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
	listener, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		done <- (&udpchat.Server{Hub: hub, Linger: time.Millisecond}).Serve(ctx, listener)
	}()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	conn, err := net.Dial("udp", listener.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}

	const handshake = wire.DatagramHeader + wire.NonceSize + wire.CookieSize
	var (
		cookie, session []byte // from the server
		reliable        uint64 // the newest that came
		buf             = make([]byte, wire.MaxUDPPayload)
	)
	for _, step := range wiretest.Session(t, "SPEC.md", "../internal/wire/testdata/vectors.txtar") {
		b := step.Bytes
		h, payload, err := wire.DecodeHeader(b)
		if err != nil {
			t.Fatal(err)
		}
		if step.By == "C" {
			copy(b[4:12], session)
			if h.Type == wire.TypeOpen {
				copy(b[wire.DatagramHeader:handshake], cookie)
			}
			if _, err := conn.Write(b); err != nil {
				t.Fatalf("%s: %v", step.Name, err)
			}
			continue
		}
		if step.By == "" {
			continue
		}
		for {
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatalf("%s: %v", step.Name, err)
			}
			got, answer, err := wire.DecodeHeader(buf[:n])
			if err != nil {
				t.Fatalf("%s: %x: %v", step.Name, buf[:n], err)
			}
			if got.Type == wire.TypeAck || got.Reliable != 0 && got.Reliable <= reliable {
				continue // a slow machine: an ack by itself, or a retransmission
			}
			if got.Type != h.Type || got.Flags != h.Flags || got.Reliable != h.Reliable {
				t.Fatalf("%s: got %v %v reliable %d, want %v %v %d", step.Name, got.Type, got.Flags, got.Reliable, h.Type, h.Flags, h.Reliable)
			}
			reliable = got.Reliable
			switch got.Type {
			case wire.TypeCookie:
				cookie = append([]byte(nil), answer...)
				if len(answer) != len(payload) || [wire.NonceSize]byte(answer) != [wire.NonceSize]byte(payload) {
					t.Fatalf("%s: got %x, want the nonce and a cookie", step.Name, answer)
				}
			case wire.TypeAccept:
				session = append([]byte(nil), buf[4:12]...)
				wiretest.Same(t, step.Name, payload[wire.NonceSize:], answer[wire.NonceSize:])
			default:
				wiretest.Same(t, step.Name, payload, answer)
			}
			break
		}
	}
}

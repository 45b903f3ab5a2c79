package client

import (
	"context"
	"fmt"
	"testing"

	"wirelab/internal/wire"
)

// A flood is a link that delivers the same event again and again, with the
// next sequence number, as fast as it is asked.
type flood struct {
	first []wire.Envelope
	event wire.Envelope
	n     uint64
	done  chan struct{}
}

func (f *flood) Send([]byte) error { return nil }
func (f *flood) Stats() LinkStats  { return LinkStats{} }

func (f *flood) Close() error {
	select {
	case <-f.done:
	default:
		close(f.done)
	}
	return nil
}

func (f *flood) Receive() (wire.Envelope, []byte, error) {
	if len(f.first) > 0 {
		e := f.first[0]
		f.first = f.first[1:]
		return e, nil, nil
	}
	if f.event.Seq == f.n {
		<-f.done
		return wire.Envelope{}, nil, context.Canceled
	}
	f.event.Prev = f.event.Seq
	f.event.Seq++
	return f.event, nil, nil
}

// BenchmarkReceive is what the engine costs per event, from link to OnEvent.
func BenchmarkReceive(b *testing.B) {
	f := &flood{n: uint64(b.N), done: make(chan struct{})}
	f.first = []wire.Envelope{
		{Kind: wire.KindConnected, Args: wire.EncodeBody(wire.Connected{Name: "ana", Session: "s", Secret: "x"})},
		{Kind: wire.KindCursor, Room: []byte("lobby"), Args: wire.EncodeBody(wire.Position{Epoch: 1})},
	}
	f.event = wire.Envelope{Kind: wire.KindEvent, Room: []byte("lobby"), Sender: []byte("bob"), Event: []byte("msg"), Time: 1, Args: fmt.Appendf(nil, `["%0100d"]`, 1)}
	done := make(chan struct{})
	c := New(Config{Name: "ana", Queue: true, Rooms: []string{"lobby"}, Dial: func(context.Context, Tap) (Link, Greeting, error) { return f, Greeting{}, nil }, OnEvent: func(e Event) any {
		if e.Seq == f.n {
			close(done)
		}
		return nil
	}})
	b.ReportAllocs()
	b.ResetTimer()
	go c.Run(context.Background())
	<-done
	b.StopTimer()
	c.Close()
}

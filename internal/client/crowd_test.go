package client

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"wirelab/internal/wire"
)

// A crowdLink is a server that lets the client in and then makes it know ever
// more: each envelope is another of make's.
type crowdLink struct {
	mode string
	make func(n int) wire.Envelope
	n    int
	once sync.Once
	done chan struct{}
}

func (l *crowdLink) Send([]byte) error { return nil }

func (l *crowdLink) Receive() (wire.Envelope, []byte, error) {
	l.n++
	if l.n == 1 {
		return wire.Envelope{Kind: wire.KindConnected, Args: wire.EncodeBody(wire.Connected{Name: "ana", Socket: "#1"})}, nil, nil
	}
	select {
	case <-l.done:
		return wire.Envelope{}, nil, io.EOF
	default:
	}
	if l.n > 20_000 {
		return wire.Envelope{}, nil, io.EOF
	}
	return l.make(l.n), nil, nil
}

func (l *crowdLink) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *crowdLink) Stats() LinkStats { return LinkStats{Transport: "udp", Mode: l.mode} }

// A server cannot make a client remember without end.
func TestCrowdedServer(t *testing.T) {
	number := func(n int) []byte { return fmt.Appendf(nil, "%d", n) }
	cursor := wire.EncodeBody(wire.Position{Epoch: 1})
	var many []string
	for i := range maxRooms + 1 {
		many = append(many, fmt.Sprint(i))
	}
	for _, tt := range []struct {
		name, want string
		make       func(n int) wire.Envelope
	}{
		{"rooms by cursor", "more than 1024 rooms", func(n int) wire.Envelope {
			return wire.Envelope{Kind: wire.KindCursor, Room: number(n), Args: cursor}
		}},
		{"rooms by event", "more than 1024 rooms", func(n int) wire.Envelope {
			return wire.Envelope{Kind: wire.KindEvent, Room: number(n), Seq: 7, Args: make([]byte, 1000)}
		}},
		{"rooms by removal", "more than 1024 rooms", func(n int) wire.Envelope {
			return wire.Envelope{Kind: wire.KindError, Room: number(n), Args: wire.EncodeBody(wire.Fault{Code: "removed", Message: "out"})}
		}},
		{"rooms at once", "into 1025 rooms", func(n int) wire.Envelope {
			return wire.Envelope{Kind: wire.KindConnected, Namespace: []byte("a"), Args: wire.EncodeBody(wire.Connected{Rooms: many})}
		}},
		{"namespaces", "more than 256 namespaces", func(n int) wire.Envelope {
			return wire.Envelope{Kind: wire.KindConnected, Namespace: number(n), Args: []byte("{}")}
		}},
	} {
		for _, mode := range []string{"queue", "unreliable"} {
			t.Run(tt.name+"/"+mode, func(t *testing.T) {
				l := &crowdLink{mode: mode, make: tt.make, done: make(chan struct{})}
				c := New(Config{Name: "ana", Rooms: []string{"lobby"}, Dial: func(context.Context, Tap) (Link, Greeting, error) {
					return l, Greeting{}, nil
				}})
				if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Run() = %v after %d envelopes, want %q", err, l.n, tt.want)
				}
			})
		}
	}
}

// Events that overtake their room's CURSOR wait for it, but not any number.
func TestCrowdOfEarlyEvents(t *testing.T) {
	l := &live{}
	bytes := 0
	for range 1000 {
		r := &room{}
		for range 100 {
			if ev := (&Event{Args: make([]byte, 20_000)}); l.keepEarly(r, ev) {
				bytes += len(ev.Args)
			}
		}
	}
	if bytes == 0 || bytes > maxEarlyRooms*maxEarlyBytes {
		t.Errorf("%d bytes wait, at most %d", bytes, maxEarlyRooms*maxEarlyBytes)
	}
}

package chat_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// from is a connection that comes from that address and does not connect.
func from(hub *chat.Hub, remote string) (*link, error) {
	l := newLink(chat.Info{Transport: "tcp", Remote: remote})
	_, err := hub.Attach(l, nil)
	return l, err
}

// Whoever opens connections and leaves them so does not keep others out.
func TestHalfOpenCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, chat.Config{ConnectTimeout: time.Hour, MaxHalfOpen: 8, MaxConns: 1000})
		var crowd []*link
		for i := range 8 {
			l, err := from(hub, fmt.Sprintf("10.0.0.1:%d", 1000+i))
			if err != nil {
				t.Fatal(err)
			}
			crowd = append(crowd, l)
		}
		if _, err := from(hub, "10.0.0.1:2000"); err == nil {
			t.Error("a crowd made room for one more of itself at once")
		}
		for i := range 4 {
			if _, err := from(hub, fmt.Sprintf("10.0.0.%d:1000", 2+i)); err != nil {
				t.Errorf("another host: %v", err)
			}
			if !crowd[i].closed.Load() {
				t.Errorf("the crowd's %d. connection stays", i+1)
			}
		}
		if s := hub.Snapshot(); s.HalfOpen != 8 {
			t.Errorf("%d half-open, want 8", s.HalfOpen)
		}
		// Those of another host that behave are not put out by the crowd.
		time.Sleep(2 * time.Second)
		for i := range 100 {
			if _, err := from(hub, fmt.Sprintf("10.0.0.1:%d", 3000+i)); (err == nil) != (i < 4) {
				t.Errorf("%d. of the crowd again: %v", i+1, err)
			}
		}
		// One that is behind the same address comes in after a while.
		time.Sleep(2 * time.Second)
		ana := &client{
			t: t, hub: hub, name: "ana", batch: 64 << 10, info: chat.Info{Transport: "tcp", Remote: "10.0.0.1:9"},
			rooms: make(map[missed.Key]*place), socket: make(map[string]string), asked: make(map[string]uint64),
		}
		ana.attach()
		ana.connect(wire.SessionNone)
		if s := hub.Snapshot(); s.HalfOpen != 7 || len(s.Members) != 1 {
			t.Errorf("%d half-open, %d members; want 7 and 1", s.HalfOpen, len(s.Members))
		}
	})
}

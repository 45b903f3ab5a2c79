package chat_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// words says what an envelope is, so that tests can quote what came:
//
//	event ROOM SEQ<PREV SENDER NAME ARGS [FLAGS]
//	cursor ROOM PREV>SEQ head=N lost=N reason=R hidden again=N recovered=B
//	ack ID ARGS                  ack ID ROOM SEQ for a published event
//	error CODE                   error CODE ROOM or error CODE @ID
//	connected NAME ROOMS [resumed]
//
// A namespace other than the default one is put in front of the kind.
func (c *client) words(e *wire.Envelope) string {
	c.t.Helper()
	b := new(strings.Builder)
	if len(e.Namespace) > 0 {
		fmt.Fprintf(b, "/%s ", e.Namespace)
	}
	room := string(e.Room)
	if room == "" {
		room = "."
	}
	b.WriteString(e.Kind.String())
	switch e.Kind {
	case wire.KindEvent:
		sender := string(e.Sender)
		if sender == "" {
			sender = "."
		}
		fmt.Fprintf(b, " %s %d<%d %s %s %s", room, e.Seq, e.Prev, sender, e.Event, e.Args)
		if e.Flags != 0 {
			fmt.Fprintf(b, " [%v]", e.Flags)
		}
	case wire.KindCursor:
		var p wire.Position
		c.decode(e, &p)
		fmt.Fprintf(b, " %s %d>%d head=%d", room, e.Prev, e.Seq, p.Head)
		if p.Lost > 0 {
			fmt.Fprintf(b, " lost=%d", p.Lost)
		}
		if p.Reason != "" {
			fmt.Fprintf(b, " reason=%s", p.Reason)
		}
		if p.Hidden {
			b.WriteString(" hidden")
		}
		if p.Redelivered > 0 {
			fmt.Fprintf(b, " again=%d", p.Redelivered)
		}
		if p.Recovered != nil {
			fmt.Fprintf(b, " recovered=%v", *p.Recovered)
		}
	case wire.KindAck:
		fmt.Fprintf(b, " %d", e.ID)
		if e.Flags&wire.FlagFailed != 0 {
			var f []wire.Fault
			if err := json.Unmarshal(e.Args, &f); err != nil || len(f) != 1 {
				c.t.Fatalf("%s: a failed ack with %q", c.name, e.Args)
			}
			fmt.Fprintf(b, " failed %s", f[0].Code)
		} else if len(e.Room) > 0 {
			fmt.Fprintf(b, " %s %d", room, e.Seq)
		} else {
			fmt.Fprintf(b, " %s", e.Args)
		}
	case wire.KindError:
		var f wire.Fault
		c.decode(e, &f)
		fmt.Fprintf(b, " %s", f.Code)
		if len(e.Room) > 0 {
			fmt.Fprintf(b, " %s", room)
		}
		if e.ID != 0 {
			fmt.Fprintf(b, " @%d", e.ID)
		}
	case wire.KindConnected:
		var body wire.Connected
		c.decode(e, &body)
		fmt.Fprintf(b, " %s %q", body.Name, body.Rooms)
		if body.Resumed {
			b.WriteString(" resumed")
		}
	case wire.KindBye:
		fmt.Fprintf(b, " %s", e.Args)
	}
	return b.String()
}

// taken returns what came since the last call, in words, without the frames
// whose words start with one of the prefixes.
func (c *client) taken(without ...string) []string {
	c.t.Helper()
	c.pump()
	frames := slices.DeleteFunc(c.frames, func(f string) bool {
		return slices.ContainsFunc(without, func(p string) bool { return strings.HasPrefix(f, p) })
	})
	c.frames = nil
	if frames == nil {
		frames = []string{}
	}
	return frames
}

// want fails unless exactly these frames came since the last look. Notices of
// who comes and goes are left out.
func (c *client) want(frames ...string) {
	c.t.Helper()
	if frames == nil {
		frames = []string{}
	}
	got := slices.DeleteFunc(c.taken(), func(f string) bool { return strings.Contains(f, " . member_") })
	if diff := cmp.Diff(frames, got); diff != "" {
		c.t.Errorf("%s got other frames (-want +got):\n%s", c.name, diff)
	}
}

// heard fails unless exactly these texts of "chat" events came in the room,
// all in all.
func (c *client) heard(room string, texts ...string) {
	c.t.Helper()
	c.pump()
	got := []string{}
	for _, s := range c.place(room).got {
		f := strings.SplitN(s, " ", 4)
		var args []string
		if f[2] != "chat" || json.Unmarshal([]byte(f[3]), &args) != nil || len(args) != 1 {
			continue
		}
		got = append(got, args[0])
	}
	if texts == nil {
		texts = []string{}
	}
	if diff := cmp.Diff(texts, got); diff != "" {
		c.t.Errorf("%s heard something else in %q (-want +got):\n%s", c.name, room, diff)
	}
	c.sound()
}

// sound fails if a room had an unexplained gap or an unmarked duplicate.
func (c *client) sound() {
	c.t.Helper()
	for _, key := range c.keys() {
		p := c.rooms[key]
		for _, f := range p.faults {
			c.t.Errorf("%s in %v: %s", c.name, key, f)
		}
		if p.unmarked > 0 {
			c.t.Errorf("%s in %v: %d duplicates were not marked as redelivered", c.name, key, p.unmarked)
		}
	}
}

// newHub returns a hub in memory that ends with the test.
func newHub(t testing.TB, cfg chat.Config, q ...missed.Config) *chat.Hub {
	t.Helper()
	if cfg.Queue == nil {
		mc := missed.Config{Store: missed.NewMemory()}
		if len(q) > 0 {
			mc = q[0]
			if mc.Store == nil {
				mc.Store = missed.NewMemory()
			}
		}
		queue, err := missed.Open(mc)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { queue.Close() })
		cfg.Queue = queue
	}
	if cfg.Rate == 0 {
		cfg.Rate = -1
	}
	hub, err := chat.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hub.Close("the test is over") })
	return hub
}

// memberWith returns what the snapshot says of the member of that name.
func memberWith(t testing.TB, hub *chat.Hub, name string) chat.MemberView {
	t.Helper()
	for _, m := range hub.Snapshot().Members {
		if m.Name == name {
			return m
		}
	}
	t.Fatalf("no member %q in the snapshot", name)
	return chat.MemberView{}
}

// faults returns how often that code was counted.
func faults(hub *chat.Hub, code string) uint64 { return hub.Snapshot().Faults[code] }

package repl

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/client"
)

func listing(at Place, command string, t *Table, result json.RawMessage) Item {
	it := Item{Kind: Listing, Time: time.Now(), Place: at, Table: t}
	if result != nil {
		it.Answer = &Answer{command, result}
	}
	return it
}

// ask requests something and makes items of the answer, which is read into v.
func (s *Session) ask(at Place, v any, items func(result json.RawMessage) []Item, event string, args ...any) Step {
	space, bad := s.here(at)
	if bad != nil {
		return *bad
	}
	return later(func(ctx context.Context) Step {
		result, err := space.Request(ctx, event, args...)
		if err != nil {
			return failed(at, err, "")
		}
		if err := json.Unmarshal(result, v); err != nil {
			return failed(at, fmt.Errorf("/%s: the server's answer cannot be read: %w", event, err), "")
		}
		return Step{Items: items(result)}
	})
}

func (s *Session) rooms(at Place, _ string) Step {
	var rooms []chat.RoomInfo
	return s.ask(at, &rooms, func(result json.RawMessage) []Item {
		t := &Table{Columns: []string{"room", "here", "away", "events"}, Right: []bool{false, true, true, true}, Empty: "no rooms"}
		for _, r := range rooms {
			t.Rows = append(t.Rows, []string{r.Room, strconv.Itoa(r.Members), strconv.Itoa(r.Away), strconv.FormatUint(r.Head, 10)})
		}
		return []Item{listing(at, "rooms", t, result)}
	}, "rooms")
}

func (s *Session) who(at Place, rest string) Step {
	room, bad := s.roomOr(at, rest, "who")
	if bad != nil {
		return *bad
	}
	var people []chat.Person
	return s.ask(at, &people, func(result json.RawMessage) []Item {
		t := &Table{Columns: []string{"member", "over", "since", "waiting", ""}, Right: []bool{false, false, false, true}, Empty: "nobody"}
		for _, p := range people {
			state := ""
			if p.Away {
				state = "away"
			}
			t.Rows = append(t.Rows, []string{p.Name, Link(p.Transport, p.Mode), p.Since.Local().Format("15:04:05"), strconv.FormatUint(p.Waiting, 10), state})
		}
		return []Item{listing(at, "who", t, result)}
	}, "who", room)
}

// People asks who is in a room.
func (s *Session) People(ctx context.Context, at Place) ([]chat.Person, error) {
	space := s.space(at.Namespace)
	if space == nil {
		return nil, fmt.Errorf("not in namespace %q", at.Namespace)
	}
	result, err := space.Request(ctx, "who", at.Room)
	if err != nil {
		return nil, err
	}
	var people []chat.Person
	if err := json.Unmarshal(result, &people); err != nil {
		return nil, fmt.Errorf("who: the server's answer cannot be read: %w", err)
	}
	return people, nil
}

// Rooms returns the places that the client is in.
func (s *Session) Rooms() []Place {
	s.mu.Lock()
	defer s.mu.Unlock()
	var places []Place
	for name, space := range s.spaces {
		for _, room := range space.Rooms() {
			places = append(places, Place{name, room})
		}
	}
	slices.SortFunc(places, func(a, b Place) int { return strings.Compare(a.String(), b.String()) })
	return places
}

func (s *Session) history(at Place, rest string) Step {
	n := uint64(20)
	if rest != "" {
		var err error
		if n, err = strconv.ParseUint(rest, 10, 32); err != nil || n == 0 {
			return failed(at, fmt.Errorf("/history: %q is no number of events", rest), "1 to 100: /history 50")
		}
	}
	room, bad := s.roomOr(at, "", "history")
	if bad != nil {
		return *bad
	}
	var past []chat.Past
	return s.ask(at, &past, func(json.RawMessage) []Item {
		items := []Item{info(at, "history: "+count(uint64(len(past)), "event"))}
		for _, p := range past {
			id, _ := strconv.ParseUint(p.ID, 16, 64)
			items = append(items, Item{Kind: Message, Time: p.Time, Place: at, Past: true, Event: &client.Event{
				Namespace: at.Namespace, Room: room, Sender: p.Sender, Event: p.Event, Seq: p.Seq, ID: id, Time: p.Time,
				Args: p.Args, Binary: p.Args == nil, Own: p.Sender == s.client.Name(),
			}})
		}
		return items
	}, "history", room, n)
}

// explain takes a sequence number, or a message id of 16 hex digits.
func (s *Session) explain(at Place, rest string) Step {
	room, bad := s.roomOr(at, "", "explain")
	if bad != nil {
		return *bad
	}
	rest = strings.TrimPrefix(rest, "#")
	var what any
	switch seq, err := strconv.ParseUint(rest, 10, 64); {
	case rest == "":
		what = s.newest(at)
		if what == uint64(0) {
			return failed(at, fmt.Errorf("/explain: no event in %s yet", room), "/explain SEQ")
		}
	case err == nil && len(rest) < 16:
		what = seq
	default:
		if _, err := strconv.ParseUint(rest, 16, 64); err != nil {
			return failed(at, fmt.Errorf("/explain: %q is neither a sequence number nor a message id", rest), "/explain 17, or 16 hex digits; without a number the newest event")
		}
		what = rest
	}
	var story chat.Story
	return s.ask(at, &story, func(result json.RawMessage) []Item {
		return []Item{listing(at, "explain", storyTable(&story), result)}
	}, "explain", room, what)
}

// newest is the newest event of the room that the client knows of.
func (s *Session) newest(at Place) uint64 {
	for _, r := range s.client.Stats().Rooms {
		if r.Namespace == at.Namespace && r.Room == at.Room {
			return r.Head
		}
	}
	return 0
}

func storyTable(st *chat.Story) *Table {
	title := fmt.Sprintf("%d in %s", st.Seq, st.Room)
	if st.Trimmed {
		title += ", no longer kept"
	} else {
		title += fmt.Sprintf(": %s of %s, stored %s", eventName(st.Event), st.Sender, st.Stored.Local().Format("15:04:05.000"))
	}
	if st.ID != "" {
		title += ", id " + st.ID
	}
	if st.More > 0 {
		title += fmt.Sprintf("; not listed: %d more", st.More)
	}
	t := &Table{
		Title: title, Columns: []string{"member", "over", "status", "sent", "acked", "why"},
		Right: []bool{false, false, false, true, true}, Empty: "it was for nobody",
	}
	for _, f := range st.Members {
		t.Rows = append(t.Rows, []string{f.Name, f.Transport, f.Status, after(st.Stored, f.Sent), after(st.Stored, f.Acked), f.Why})
	}
	return t
}

// after writes an instant as the time since another.
func after(from, t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case from.IsZero() || t.Before(from):
		return t.Local().Format("15:04:05.000")
	}
	return "+" + round(t.Sub(from))
}

func (s *Session) stats(at Place, _ string) Step {
	st := s.client.Stats()
	n := func(v uint64) string { return strconv.FormatUint(v, 10) }
	link := Link(st.Link.Transport, st.Link.Mode)
	if !st.Online {
		link = "not connected"
	}
	t := &Table{Title: "stats of " + st.Name, Rows: [][]string{
		{"connection", link}, {"server", st.Server}, {"remote", st.Link.Remote}, {"local", st.Link.Local}, {"socket", st.Socket},
		{"session", st.Session}, {"round trip", rtt(&st)}, {"connects", n(st.Connects)},
		{"emits sent", n(st.Sent)}, {"sent again", n(st.Retries)}, {"waiting to be sent", strconv.Itoa(st.Waiting)},
		{"answers received", n(st.Acks)}, {"acks awaited", strconv.Itoa(st.PendingAcks)}, {"acks too late", n(st.LateAcks + st.AckTimeouts)},
		{"events received", n(st.Received)}, {"duplicates dropped", n(st.Duplicates)}, {"redelivered", n(st.Redelivered)},
		{"lost", n(st.Lost)}, {"datagrams sent again", n(st.Link.Retransmits)}, {"volatile dropped", n(st.VolatileDropped)},
	}}
	for _, r := range st.Rooms {
		p := Place{r.Namespace, r.Room}
		switch {
		case Private(r.Room) && r.Head == 0:
			continue
		case r.Room == "":
			p.Room = "to everybody"
		case Private(r.Room):
			p.Room = "direct messages"
		}
		t.Rows = append(t.Rows, []string{p.String(), fmt.Sprintf("at %d of %d, %d acknowledged, %d lost", r.Handled, r.Head, r.Consumed, r.Lost)})
	}
	t.Rows = slices.DeleteFunc(t.Rows, func(r []string) bool { return r[1] == "" })
	result, err := json.Marshal(statsOf(&st))
	if err != nil {
		result = nil
	}
	return Step{Items: []Item{listing(at, "stats", t, result)}}
}

func rtt(st *client.Stats) string {
	d := st.RTT
	if d == 0 {
		d = st.Link.RTT
	}
	if d == 0 {
		return ""
	}
	return round(d)
}

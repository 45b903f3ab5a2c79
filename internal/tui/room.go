package tui

import (
	"slices"
	"strings"
	"time"

	"wirelab/internal/cells"
	"wirelab/internal/chat"
	"wirelab/internal/client"
	"wirelab/internal/repl"
)

// A room is what the screen knows of one place: what was said, and who is there.
type room struct {
	place   repl.Place
	pane    pane
	entries map[*block]*entry
	own     map[uint64]*entry // own messages that may still change, by id
	people  []chat.Person     // sorted by name
	asked   bool              // people are the server's answer, kept up to date by its notices
	unread  int
	names   int // cells of the widest name
	last    time.Time
}

const (
	maxEntries = 5000 // kept for each room
	maxOwn     = 2000 // own messages whose marks may still change
)

func newRoom(p repl.Place) *room {
	return &room{place: p, pane: pane{max: maxEntries}, entries: make(map[*block]*entry), own: make(map[uint64]*entry)}
}

// add appends an item to the room's pane.
func (r *room) add(it repl.Item, m *chatModel) *entry {
	if !it.Time.IsZero() && !it.Past {
		if y := it.Time.Local().Format(time.DateOnly); !r.last.IsZero() && r.last.Local().Format(time.DateOnly) != y {
			text := day(it.Time)
			r.pane.add(&block{make: func(width int) []string { return banner(width, text, m.palette.Dim) }})
		}
		r.last = it.Time
	}
	e := &entry{item: it, room: r, marks: m.palette}
	e.make = e.render
	if it.Kind == repl.Message {
		if n := cells.Width(cells.Visible(it.Event.Sender)); n > r.names {
			if min(n, maxName) > max(r.names, minName) {
				// The column of names grows: all messages move.
				for _, b := range r.pane.blocks {
					b.stale()
				}
			}
			r.names = n
		}
	}
	r.entries[&e.block] = e
	r.pane.add(&e.block)
	if len(r.entries) > 2*maxEntries {
		r.forget()
	}
	return e
}

// forget drops what the pane has dropped.
func (r *room) forget() {
	kept := make(map[*block]*entry, len(r.pane.blocks))
	for _, b := range r.pane.blocks {
		if e := r.entries[b]; e != nil {
			kept[b] = e
		}
	}
	r.entries = kept
}

// said takes in a message. One of this client's own that is here already, shown
// since it was typed, goes to where the room has it: at the end now.
func (r *room) said(it repl.Item, m *chatModel) {
	if it.State == repl.Theirs && it.Event.Own && !it.Past {
		if e := r.own[it.Event.ID]; e != nil && it.Event.ID != 0 && e.item.Event.Seq == 0 {
			it.State, it.ID = e.item.State, e.item.ID
			r.pane.remove(&e.block)
			delete(r.entries, &e.block)
			r.own[it.ID] = r.add(it, m)
			return
		}
	}
	e := r.add(it, m)
	if it.State == repl.Waiting || it.State == repl.Sent {
		if len(r.own) >= maxOwn {
			clear(r.own)
		}
		r.own[it.ID] = e
	}
}

// receipt notes what became of an own message.
func (r *room) receipt(it repl.Item) {
	e := r.own[it.ID]
	if e == nil {
		return
	}
	r.pane.change(&e.block, func() {
		e.item.State = it.State
		if it.Event.Seq != 0 && e.item.Event.Seq == 0 && e.item.Event.Direct {
			ev := *e.item.Event
			ev.Seq = it.Event.Seq
			e.item.Event = &ev
		}
	})
}

// notice takes in who came or went.
func (r *room) notice(e *client.Event) {
	var name, a, b string
	if e.Decode(&name, &a, &b) != nil {
		return
	}
	i, found := slices.BinarySearchFunc(r.people, name, func(p chat.Person, name string) int { return strings.Compare(p.Name, name) })
	switch e.Event {
	case "member_joined", "member_back":
		if !found {
			r.people = slices.Insert(r.people, i, chat.Person{Name: name})
		}
		p := &r.people[i]
		p.Away, p.Since, p.Waiting = false, e.Time, 0
		if a != "" {
			p.Transport, p.Mode = a, b
		}
	case "member_left":
		if found {
			r.people = slices.Delete(r.people, i, i+1)
		}
	case "member_away":
		if found {
			r.people[i].Away, r.people[i].Since = true, e.Time
		}
	case "member_renamed":
		if found {
			p := r.people[i]
			p.Name = a
			r.people = slices.Delete(r.people, i, i+1)
			r.setPeople(append(r.people, p))
		}
	}
}

func (r *room) setPeople(people []chat.Person) {
	r.people = people
	slices.SortStableFunc(r.people, func(a, b chat.Person) int { return strings.Compare(a.Name, b.Name) })
}

// here counts who is present and who is away.
func (r *room) here() (present, away int) {
	for _, p := range r.people {
		if p.Away {
			away++
		} else {
			present++
		}
	}
	return present, away
}

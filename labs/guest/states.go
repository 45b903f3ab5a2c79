package main

import (
	"slices"
	"sync"
	"time"

	"wirelab/internal/vnet"
	"wirelab/labs/scenario"
)

// A states writes the states that the connections of raw hosts go through. The
// stack says nothing of them, so it is asked after whatever may have changed one:
// at the end of the instant, when all that happens at it has happened.
type states struct {
	log *ledger

	mu      sync.Mutex
	ends    []watchedEnd
	moving  bool // some are about to be in another state
	pending bool
}

// A watchedEnd is one end of a connection.
type watchedEnd struct {
	m     *machine
	life  int64 // of the machine, that it belongs to
	name  string
	conn  *vnet.Conn
	state string
}

// timeWait is how long the stack stays in TIME-WAIT (2 MSL; RFC 9293, section
// 3.4.2, has 4 minutes, Linux and this stack 60 s).
const timeWait = 60 * time.Second

// established is the state in which a connection stays.
const established = "ESTABLISHED"

// add begins to watch a connection that is established.
func (w *states) add(s *sock) {
	w.log.event(&scenario.Event{Kind: scenario.EventSock, Host: s.m.cfg.Name, Sock: s.name, Do: "state", Text: established})
	w.mu.Lock()
	w.ends = append(w.ends, watchedEnd{s.m, s.m.alive.Load(), s.name, s.conn, established})
	w.mu.Unlock()
	w.look()
}

// stir has the connections looked at, at the end of this instant, if one is about
// to be in another state or will be now. It may be called in any hook.
func (w *states) stir(now bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pending || len(w.ends) == 0 || !now && !w.moving {
		return
	}
	w.pending = true
	time.AfterFunc(1, w.look)
}

// look asks for all states.
func (w *states) look() {
	w.mu.Lock()
	w.pending, w.moving = false, false
	var news []scenario.Event
	wait := false
	w.ends = slices.DeleteFunc(w.ends, func(e watchedEnd) bool { return e.dead() })
	for i := range w.ends {
		e := &w.ends[i]
		w.moving = w.moving || e.state != established
		if s := e.conn.State(); s != e.state {
			e.state = s
			news = append(news, scenario.Event{Kind: scenario.EventSock, Host: e.m.cfg.Name, Sock: e.name, Do: "state", Text: s})
			w.moving = true
			wait = wait || s == "TIME-WAIT"
		}
	}
	w.ends = slices.DeleteFunc(w.ends, func(e watchedEnd) bool { return e.state == "CLOSED" })
	w.mu.Unlock()
	for i := range news {
		w.log.event(&news[i])
	}
	if wait {
		time.AfterFunc(timeWait+time.Millisecond, w.look)
	}
}

// dead reports whether the host was killed since: a state that nobody is in any
// more.
func (e *watchedEnd) dead() bool { return e.life == 0 || e.m.alive.Load() != e.life }

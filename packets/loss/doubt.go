package loss

// plausible returns which of alike packets that are waited for an arrival is, plus
// 1: the newest that had as much time as the quickest, else the oldest.
func (m *Matcher) plausible(c *chain, s *Sighting, w *wayState) (found uint64) {
	found = c.arrive
	if m.c.Link || !w.any {
		return found
	}
	n := found
	for range alike {
		if n = m.after(n, (*entry).due); n == 0 || m.at(n-1).Sent.Add(w.least).After(s.Time) {
			break
		}
		found = n
	}
	return found
}

// wasChanged gives e an arrival, shortly before, of itself with a part changed.
func (m *Matcher) wasChanged(e *entry, w *wayState) {
	for n := m.tail - 1; n > m.head && m.tail-n < nearby; n-- {
		a := m.at(n - 1)
		if !a.stray || a.ReceivedNumber == 0 || a.Link != e.Link || a.Dir != e.Dir || !a.id.near(e.id) {
			continue
		}
		e.Arrived, e.ReceivedNumber, e.ArrivedFlags, e.ReceivedFlow, e.Refused = a.Arrived, a.ReceivedNumber, a.ArrivedFlags, a.ReceivedFlow, a.Refused
		e.Corrupted = true
		m.measure(e)
		a.ReceivedNumber = 0
		w.unseen--
		return
	}
}

// changed looks for the packet that an arrival was before a part of it was
// changed: the oldest that is waited for, else the newest that arrived. It
// returns its number plus 1, or 0.
func (m *Matcher) changed(s *Sighting, id identity) (found uint64) {
	for n := m.tail; n != m.head && m.tail-n < nearby; n-- {
		e := m.at(n - 1)
		if e.SentNumber == 0 || e.Link != s.Link || e.Dir != s.Dir || !e.id.near(id) {
			continue
		}
		if e.due() && e.Fate == Came || found == 0 {
			found = n
		}
	}
	return found
}

// mayFly reports whether e may have arrived after the other capture ended. It may
// not if that only fell silent: then what arrived from there, as the first capture
// has it, was seen to leave.
func (m *Matcher) mayFly(e *entry) bool {
	w, back := m.way(e.Link, e.Dir), m.way(e.Link, 1-e.Dir)
	arrives := e.Sent.Add(w.most)
	if !w.any || !arrives.After(w.to.last) {
		return !w.any
	}
	return arrives.After(m.now) || !back.any || back.unseen > 0 && back.unseenLast.After(w.to.last)
}

// mayBeEarly is the same for the beginning of the other capture.
func (m *Matcher) mayBeEarly(e *entry, w *wayState) bool {
	if w.to.first.IsZero() {
		return true
	}
	if !e.Sent.Add(w.least).Before(w.to.first) {
		return false
	}
	back := m.way(e.Link, 1-e.Dir)
	return !back.any || back.unseen > 0 && back.unseenFirst.Before(w.to.first)
}

package chat

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// A Room is a log and the members that read it.
type Room struct {
	ns     *Namespace
	name   string
	key    missed.Key
	log    *missed.Log
	pinned bool // stays when it is empty

	members  map[uint64]*Member // by session id, present and away; Hub.mu
	draining int                // who was removed and has not read to the end; Hub.mu
	past     []*Member          // who left, the newest last, for the ledger; Hub.mu
	failing  atomic.Bool        // the log could not be read

	mu     sync.Mutex
	feeds  []*feed // of the present members
	parked []*feed // those of them that have read everything
	spare  []*feed // parked's other backing array
	woken  uint64  // the head when parked ones were woken last
}

// maxPast caps the members that a room's ledger remembers after they left.
const maxPast = 64

// A Member is a session's place in a room. It stays when the session is away.
type Member struct {
	room  *Room
	sess  *Session
	epoch uint64
	from  uint64        // joined when the head was here
	acked atomic.Uint64 // consumed up to here; what follows is delivered again after an absence
	sent  atomic.Uint64 // handed to some connection up to here
	until atomic.Uint64 // may see nothing after this; 0: no end
	ended bool          // removed: reads up to until and is gone; Hub.mu
	drain bool          // is counted in Room.draining; Hub.mu
	feed  *feed         // of the present connection, nil while away; Hub.mu
	left  time.Time     // for past members
	trace trace
}

// A feed is a member's reader on one connection. Only the goroutine in
// Conn.Next moves its cursor. A resume makes a new feed and fences the old.
type feed struct {
	m      *Member
	conn   *Conn
	cursor atomic.Uint64 // stopped once the feed is
	at     int32         // index in Room.feeds, -1 if not there; Room.mu
	slot   int32         // index in Room.parked, -1 if not there; Room.mu
	next   *feed         // in the connection's list of ready ones; Conn.mu
	queued bool          // in that list; Conn.mu
}

// stopped is the cursor of a feed that reads no more. Because the cursor and
// the fence are one word, nothing is handed out after the fence.
const stopped = math.MaxUint64

func (f *feed) gone() bool { return f.cursor.Load() == stopped }

// start begins to feed m to conn from after the cursor on.
func (r *Room) start(m *Member, conn *Conn, cursor uint64) *feed {
	f := &feed{m: m, conn: conn, slot: -1}
	f.cursor.Store(cursor)
	r.mu.Lock()
	f.at = int32(len(r.feeds))
	r.feeds = append(r.feeds, f)
	r.mu.Unlock()
	conn.push(f)
	return f
}

// stop ends a feed and returns where it stood: what Next was given before is
// still sent, and on return counted in Member.sent; nothing more is.
func (f *feed) stop() (cursor uint64) {
	r := f.m.room
	if cursor = f.cursor.Swap(stopped); cursor == stopped {
		return cursor
	}
	f.m.handed(cursor)
	r.mu.Lock()
	if f.at >= 0 {
		last := len(r.feeds) - 1
		r.feeds[f.at] = r.feeds[last]
		r.feeds[f.at].at = f.at
		r.feeds[last] = nil
		r.feeds = r.feeds[:last]
		f.at = -1
	}
	f.unpark()
	r.mu.Unlock()
	return cursor
}

// halt ends m's feed, if it has one. Hub.mu is held.
func (m *Member) halt() {
	if m.feed != nil {
		m.feed.stop()
		m.feed = nil
	}
}

func (f *feed) unpark() {
	r := f.m.room
	if f.slot < 0 {
		return
	}
	last := len(r.parked) - 1
	r.parked[f.slot] = r.parked[last]
	r.parked[f.slot].slot = f.slot
	r.parked[last] = nil
	r.parked = r.parked[:last]
	f.slot = -1
}

// park puts a feed that has read everything aside, unless there is more.
// Looking and parking happen under the lock that wake takes: no event can
// slip between.
func (f *feed) park(cursor uint64) bool {
	r := f.m.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.slot >= 0 || f.gone() {
		return true
	}
	until := f.m.until.Load()
	if r.log.Head() > cursor && (until == 0 || cursor < until) {
		return false
	}
	f.aside()
	return true
}

// aside parks f. Room.mu is held.
func (f *feed) aside() {
	r := f.m.room
	f.slot = int32(len(r.parked))
	r.parked = append(r.parked, f)
}

// wake hands the parked feeds to their connections if there is something new
// for them. It costs nothing per member that is still reading: that one finds
// the new head by itself.
func (r *Room) wake() {
	r.mu.Lock()
	// Whoever is parked had read up to the head of then, which is not before
	// that of the last wake.
	if head := r.log.Head(); head == r.woken {
		r.mu.Unlock()
		return
	} else {
		r.woken = head
	}
	r.unparkAll()
}

// unparkAll hands the parked feeds to their connections. Room.mu is held;
// unparkAll releases it.
func (r *Room) unparkAll() {
	woken := r.parked
	if len(woken) == 0 {
		r.mu.Unlock()
		return
	}
	r.parked, r.spare = r.spare[:0], nil
	for _, f := range woken {
		f.slot = -1
	}
	r.mu.Unlock()
	for _, f := range woken {
		f.conn.push(f)
	}
	clear(woken)
	r.mu.Lock()
	if r.spare == nil {
		r.spare = woken[:0]
	}
	r.mu.Unlock()
}

// pull reads on from the feed's cursor: it appends slices of the log to dst
// until about max bytes are taken in all (n are already), and reports whether
// the feed has more.
func (f *feed) pull(dst [][]byte, n, max int) ([][]byte, int, bool) {
	m, h := f.m, f.conn.hub
	for n < max {
		cursor, until := f.cursor.Load(), m.until.Load()
		if cursor == stopped {
			return dst, n, false
		}
		if until != 0 && cursor >= until {
			h.drained(m)
			return dst, n, false
		}
		b, err := m.room.log.Read(cursor, until, m.sess.id, max-n)
		if err != nil {
			h.unreadable(f, err)
			return dst, n, false
		}
		if b.Cursor == cursor {
			if f.park(cursor) {
				return dst, n, false
			}
			continue
		}
		if !f.cursor.CompareAndSwap(cursor, b.Cursor) {
			return dst, n, false // stopped meanwhile
		}
		m.handed(b.Cursor)
		if b.Frames != nil {
			dst = append(dst, b.Frames)
			n += len(b.Frames)
			count := b.Last - b.First + 1
			m.sess.delivered.Add(count)
			h.stats.delivered.Add(count)
			m.trace.add(traceSent, cursor, b.Cursor)
		} else {
			jump := f.jump(cursor, &b)
			dst = append(dst, jump)
			n += len(jump)
		}
	}
	return dst, n, true
}

// handed notes that everything up to the cursor was given to a transport.
func (m *Member) handed(to uint64) {
	raise(&m.sent, to)
	if !m.sess.keep {
		// Without a session, written is all that is known.
		raise(&m.acked, to)
	}
}

// unreadable parks a feed whose log could not be read. The member stands where
// it stood, and is tried again at the next event or beat.
func (h *Hub) unreadable(f *feed, err error) {
	r := f.m.room
	h.faults.add("store")
	if r.failing.CompareAndSwap(false, true) {
		h.log.Error("reading the log", "room", r.name, "namespace", r.key.Namespace, "after", f.cursor.Load(), "err", err)
	}
	r.mu.Lock()
	if f.slot < 0 && !f.gone() {
		f.aside()
	}
	r.mu.Unlock()
}

// tryAgain wakes the feeds of a room whose log could not be read.
func (r *Room) tryAgain() {
	if r.failing.CompareAndSwap(true, false) {
		r.mu.Lock()
		r.unparkAll()
	}
}

// raise lifts a to v if v is more, and reports whether it was.
func raise(a *atomic.Uint64, v uint64) bool {
	for {
		old := a.Load()
		if v <= old {
			return false
		}
		if a.CompareAndSwap(old, v) {
			return true
		}
	}
}

// jump is the frame that tells a member that its cursor moved without events.
func (f *feed) jump(from uint64, b *missed.Batch) []byte {
	m := f.m
	p := wire.Position{Epoch: wire.Epoch(m.room.log.Epoch()), Head: m.room.log.Head(), Hidden: b.Hidden, Lost: b.Lost}
	if until := m.until.Load(); until != 0 {
		p.Head = min(p.Head, until)
	}
	if b.Lost > 0 {
		p.Reason = b.Reason.String()
		m.sess.lost.Add(b.Lost)
		f.conn.hub.stats.lost.Add(b.Lost)
		m.trace.add(traceLost, from, b.Cursor)
	} else {
		p.Hidden = true
	}
	return f.conn.hub.cursorFrame(m.room, from, b.Cursor, &p)
}

func (h *Hub) cursorFrame(r *Room, from, to uint64, p *wire.Position) []byte {
	return encode(&wire.Envelope{
		Kind: wire.KindCursor, Namespace: []byte(r.key.Namespace), Room: []byte(r.name),
		Seq: to, Prev: from, Args: wire.EncodeBody(p),
	})
}

// encode is AppendFrame for envelopes that the hub itself makes, within the caps.
func encode(e *wire.Envelope) []byte {
	b, err := wire.AppendFrame(nil, e)
	if err != nil {
		panic("chat: the hub made a frame that cannot be sent: " + err.Error())
	}
	return b
}

// publish appends an event. The caller wakes the room: once for a batch. If
// publish returns no error, done, if not nil, is told once whether the event
// is stored, in the store's sense of the word.
func (r *Room) publish(e *wire.Envelope, mark *missed.Mark, done func(seq uint64, err error)) error {
	_, dup, err := r.log.AppendThen(e, mark, done)
	stats := &r.ns.hub.stats
	switch {
	case err != nil:
	case dup:
		stats.duplicates.Add(1)
	default:
		stats.published.Add(1)
	}
	return err
}

// sendVolatile hands a frame to every present member that has nothing else
// waiting, and counts the others as dropped. Nothing is stored.
func (r *Room) sendVolatile(frame []byte, mark *missed.Mark) {
	r.mu.Lock()
	feeds := slices.Clone(r.feeds)
	r.mu.Unlock()
	stats := &r.ns.hub.stats
	for _, f := range feeds {
		if until := f.m.until.Load(); until != 0 || !mark.Allows(f.m.sess.id) {
			continue
		}
		if f.conn.offer(frame) {
			stats.volatile.Add(1)
		} else {
			stats.dropped.Add(1)
			f.m.sess.dropped.Add(1)
		}
	}
}

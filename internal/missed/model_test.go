package missed

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"wirelab/internal/wire"
)

var seedFlag = flag.Uint64("seed", 0, "replay the random tests with this seed; if zero, a random one")

var stepsFlag = flag.Int("steps", 1500, "how many random operations the model test does in each configuration")

func seeds(t *testing.T) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("replay with -run '%s$' -seed %d", t.Name(), seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// A model is what a Queue should be, in the simplest way: every event that was
// ever appended, in a slice per room.
type model struct {
	t    *testing.T
	rand *rand.Rand
	cfg  Config
	fake *fakeStore // nil: the store is ephemeral
	q    *Queue

	rooms     map[Key]*modelLog
	ids       []modelID // oldest first
	records   map[string]string
	open      int // outcomes that have not been told
	restarted bool
}

type modelLog struct {
	epoch       uint64
	log         *Log
	events      []modelEvent // event n at n-1
	first, head uint64
	last        Reason // why the newest of the gone events are
}

type modelEvent struct {
	frame  []byte
	mark   *Mark
	time   int64
	id     modelKey
	reason Reason // why it is gone
	before bool   // it was gone before a restart
	told   *error // the outcome that was told
}

type modelKey struct {
	epoch  uint64
	sender string
	id     uint64
}

type modelID struct {
	modelKey
	seq  uint64
	time int64
	back bool // was taken back
}

func TestModel(t *testing.T) {
	some := Limits{Count: 40, Bytes: -1, Age: time.Minute}
	for _, c := range []struct {
		name    string
		durable bool
		cfg     Config
	}{
		{"memory", false, Config{Limits: Limits{Count: 50, Bytes: 6000, Age: time.Minute}}},
		{"memory, large", false, Config{Limits: Limits{Count: 5000, Bytes: -1, Age: time.Hour}}},
		{"memory, refuse", false, Config{Limits: Limits{Count: 60, Bytes: 7000, Age: 20 * time.Second}, Policy: RefuseNew}},
		{"memory, total", false, Config{TotalBytes: 20_000}},
		{"durable, hot", true, Config{Limits: Limits{Count: 50, Bytes: 6000, Age: time.Minute}}},
		{"durable, cold", true, Config{Limits: some, HotBytes: 1}},
		{"durable, large and cold", true, Config{Limits: Limits{Count: 2000, Bytes: -1, Age: time.Hour}, HotBytes: 5000}},
		{"durable, refuse", true, Config{Limits: Limits{Count: 60, Bytes: 7000, Age: 20 * time.Second}, Policy: RefuseNew}},
		{"durable, total", true, Config{TotalBytes: 20_000, HotBytes: 4000}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := seeds(t)
			synctest.Test(t, func(t *testing.T) {
				m := &model{t: t, rand: r, cfg: c.cfg, rooms: make(map[Key]*modelLog), records: make(map[string]string)}
				m.cfg.Dedup = Dedup{Count: 150, Age: 90 * time.Second}
				m.cfg.Store = NewMemory()
				if c.durable {
					m.fake = newFake()
					m.fake.hold = make(chan error)
					m.cfg.Store = m.fake
				}
				m.start()
				defer func() {
					if t.Failed() { // let the committer go
						if m.fake != nil {
							close(m.fake.quit)
						}
						m.q.Close()
					}
				}()
				for range *stepsFlag {
					m.step()
				}
				m.stop()
			})
		})
	}
}

var modelKeys = []Key{{Room: "a"}, {Room: "b"}, {Namespace: "n", Room: "a"}, {Room: "c"}}

func (m *model) start() {
	q, err := Open(m.cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	m.q = q
	for k, l := range m.rooms {
		l.log = q.Lookup(k)
	}
}

func (m *model) step() {
	key := modelKeys[m.rand.IntN(len(modelKeys))]
	switch n := m.rand.IntN(1000); {
	case n < 600:
		m.append(key)
	case n < 750:
		m.verdict()
	case n < 760:
		m.drop(key)
	case n < 800:
		time.Sleep(time.Duration(m.rand.IntN(8000)) * time.Millisecond)
		m.expire()
	case n < 805 && m.fake != nil:
		m.restart()
	case n < 830:
		m.put()
	}
	synctest.Wait()
	m.compare()
}

func (m *model) room(key Key) *modelLog {
	l := m.rooms[key]
	if l == nil {
		l = &modelLog{log: m.q.Log(key), first: 1}
		l.epoch = l.log.Epoch()
		if l.log != m.q.Log(key) || l.log != m.q.Lookup(key) || l.log.Key() != key {
			m.t.Fatalf("Log(%v) gives another log", key)
		}
		m.rooms[key] = l
	}
	return l
}

func (m *model) append(key Key) {
	time.Sleep(time.Microsecond) // no two events at one instant
	l := m.room(key)
	e := &wire.Envelope{
		Kind: wire.KindEvent, Namespace: []byte(key.Namespace), Room: []byte(key.Room),
		Sender: []byte{"xyz"[m.rand.IntN(3)]}, Event: []byte("say"),
		Args: bytes.Repeat([]byte{'1'}, m.rand.IntN(200)),
	}
	if m.rand.IntN(4) == 0 {
		e.ID = 1 + m.rand.Uint64N(300)
	}
	var mark *Mark
	switch m.rand.IntN(4) {
	case 0:
		mark = &Mark{Except: m.viewers()}
	case 1:
		mark = &Mark{Only: m.viewers(), Except: m.viewers()}
	}
	id := modelKey{l.epoch, string(e.Sender), e.ID}
	told := new(error)
	*told = errOpen
	m.open++
	held := l.log.Bytes()
	seq, dup, err := l.log.AppendThen(e, mark, func(seq uint64, err error) {
		if *told != errOpen {
			m.t.Errorf("event %d of %v: told %v, then %v", seq, key, *told, err)
		}
		*told = err
		m.open--
	})
	if i := slices.IndexFunc(m.ids, func(i modelID) bool { return i.modelKey == id && !i.back }); e.ID != 0 && i >= 0 {
		if !dup || seq != m.ids[i].seq || err != nil {
			m.t.Fatalf("append of known id %+v = %d, %v, %v, want %d, true", id, seq, dup, err, m.ids[i].seq)
		}
		if stored := seq <= l.head; stored != (*told == nil) {
			m.t.Fatalf("append of known id %+v: told %v, head %d", id, *told, l.head)
		}
		return
	}
	size := int64(wire.LengthSize+e.Size()) + mark.cost()
	if full := m.full(l, held, size); full != "" {
		m.open--
		if !errors.Is(err, ErrFull) || *told != errOpen {
			m.t.Fatalf("append = %d, %v, %v, want ErrFull: %s", seq, dup, err, full)
		}
		return
	}
	if err != nil || dup || seq != uint64(len(l.events))+1 {
		m.t.Fatalf("append = %d, %v, %v, want %d", seq, dup, err, len(l.events)+1)
	}
	frame, err := wire.AppendFrame(nil, e)
	if err != nil || e.Seq != seq || e.Prev != seq-1 || e.Time != time.Now().UnixMicro() {
		m.t.Fatalf("append left seq %d, prev %d, time %d: %v", e.Seq, e.Prev, e.Time, err)
	}
	// What the caller does with its slices later is nothing to the log.
	clear(e.Args)
	kept := copyMark(mark)
	if mark != nil {
		clear(mark.Only)
		clear(mark.Except)
	}
	l.events = append(l.events, modelEvent{frame: frame, mark: kept, time: e.Time, id: id, told: told})
	if e.ID != 0 {
		if len(m.ids) == m.cfg.Dedup.Count {
			m.ids = m.ids[1:]
		}
		m.ids = append(m.ids, modelID{modelKey: id, seq: seq, time: e.Time})
	}
	if m.fake == nil {
		l.head = seq
		m.enforce(l)
	}
}

var errOpen = errors.New("no outcome yet")

func copyMark(m *Mark) *Mark {
	if m == nil {
		return nil
	}
	c := &Mark{Only: slices.Clone(m.Only), Except: slices.Clone(m.Except)}
	slices.Sort(c.Only)
	slices.Sort(c.Except)
	return c
}

func (m *model) viewers() []uint64 {
	v := make([]uint64, m.rand.IntN(3))
	for i := range v {
		v[i] = m.rand.Uint64N(4)
	}
	if m.rand.IntN(20) == 0 {
		v = append(v, make([]uint64, 40)...)
	}
	return v
}

func (l *modelLog) bytes(from, to uint64) (n int64) {
	for seq := from; seq <= to; seq++ {
		e := &l.events[seq-1]
		n += int64(len(e.frame)) + e.mark.cost()
	}
	return n
}

func (l *modelLog) tail() uint64 { return uint64(len(l.events)) }

func (m *model) full(l *modelLog, held, size int64) string {
	if m.cfg.Policy != RefuseNew {
		return ""
	}
	if n := l.tail() + 1 - l.first; n >= uint64(m.cfg.Limits.Count) {
		return fmt.Sprint(n, " events")
	}
	if held+size > m.cfg.Limits.Bytes {
		return fmt.Sprint(held, " bytes")
	}
	return ""
}

// trim notes that the events before first are gone.
func (l *modelLog) trim(first uint64, reason Reason) {
	for ; l.first < first; l.first++ {
		l.events[l.first-1].reason = reason
		l.last = reason
	}
}

func (m *model) enforce(l *modelLog) {
	limits := m.cfg.Limits.filled()
	if m.cfg.Policy == RefuseNew {
		return
	}
	for l.first < l.head && (l.head+1-l.first > uint64(limits.Count) || l.bytes(l.first, l.head) > limits.Bytes) {
		l.trim(l.first+1, ReasonOverflow)
	}
}

// verdict lets the commit that waits go on, if there is one.
func (m *model) verdict() {
	if m.fake == nil {
		return
	}
	c := m.fake.held()
	if c == nil {
		return
	}
	if m.rand.IntN(4) == 0 {
		m.fake.hold <- errDisk
		synctest.Wait()
		for _, l := range m.rooms {
			m.rollBack(l)
		}
		return
	}
	m.fake.hold <- nil
	synctest.Wait()
	m.stored(c)
}

func (m *model) stored(c *Change) {
	for _, b := range c.Blocks {
		l := m.rooms[b.Key]
		if l == nil || m.q.Lookup(b.Key) != l.log || l.tail() < b.Last || !bytes.HasSuffix(b.Frames, l.events[b.Last-1].frame) {
			continue // dropped meanwhile
		}
		for seq := l.head + 1; seq <= b.Last; seq++ {
			if *l.events[seq-1].told != nil {
				m.t.Errorf("event %d of %v is stored: told %v", seq, b.Key, *l.events[seq-1].told)
			}
		}
		l.head = max(l.head, b.Last)
	}
	for _, l := range m.rooms {
		m.enforce(l)
	}
}

func (m *model) rollBack(l *modelLog) {
	for seq := l.head + 1; seq <= l.tail(); seq++ {
		e := &l.events[seq-1]
		if !errors.Is(*e.told, ErrStore) || !errors.Is(*e.told, errDisk) {
			m.t.Errorf("event %d was rolled back: told %v", seq, *e.told)
		}
		for i := range m.ids {
			if m.ids[i].modelKey == e.id && m.ids[i].seq == seq {
				m.ids[i].back = true
			}
		}
	}
	l.events = l.events[:l.head]
}

func (m *model) drop(key Key) {
	l := m.rooms[key]
	m.q.Drop(key)
	if l == nil {
		return
	}
	delete(m.rooms, key)
	for seq := l.head + 1; seq <= l.tail(); seq++ {
		if told := *l.events[seq-1].told; !errors.Is(told, ErrDropped) {
			m.t.Errorf("event %d of a dropped room: told %v", seq, told)
		}
	}
	if _, _, err := l.log.Append(&wire.Envelope{Kind: wire.KindEvent}, nil); !errors.Is(err, ErrDropped) {
		m.t.Errorf("append to a dropped log = %v", err)
	}
	if b, err := l.log.Read(0, 0, 0, 1000); err != nil || b.Cursor != 0 || b.Frames != nil {
		m.t.Errorf("read of a dropped log = %+v, %v", b, err)
	}
	if _, _, ok := l.log.Event(1); ok || l.log.Bytes() != 0 {
		m.t.Errorf("a dropped log still has events")
	}
}

func (m *model) expire() {
	now := time.Now()
	m.q.Expire(now)
	for _, l := range m.rooms {
		for l.first <= l.head && l.events[l.first-1].time < now.Add(-m.cfg.Limits.filled().Age).UnixMicro() {
			l.trim(l.first+1, ReasonExpired)
		}
	}
	for len(m.ids) > 0 && m.ids[0].time < now.Add(-m.cfg.Dedup.Age).UnixMicro() {
		m.ids = m.ids[1:]
	}
}

func (m *model) put() {
	key, value := fmt.Sprint(m.rand.IntN(10)), fmt.Sprint(m.rand.Uint64())
	if m.rand.IntN(3) == 0 {
		m.q.Put("t", key, nil)
		delete(m.records, key)
	} else {
		m.q.Put("t", key, []byte(value))
		m.records[key] = value
	}
	if m.rand.IntN(2) == 0 {
		m.open++
		m.q.After(func(error) { m.open-- })
	}
}

// settle lets commits succeed until none is waiting.
func (m *model) settle() {
	for m.fake != nil {
		synctest.Wait()
		c := m.fake.held()
		if c == nil {
			break
		}
		m.fake.hold <- nil
		synctest.Wait()
		m.stored(c)
	}
	if m.open != 0 {
		m.t.Errorf("%d outcomes were never told", m.open)
	}
}

func (m *model) stop() {
	m.settle()
	closed := make(chan error)
	go func() { closed <- m.q.Close() }()
	for m.fake != nil {
		synctest.Wait()
		if m.fake.held() == nil {
			break
		}
		m.fake.hold <- nil
	}
	if err := <-closed; err != nil {
		m.t.Errorf("Close() = %v", err)
	}
	if err := m.q.Close(); err != nil {
		m.t.Errorf("second Close() = %v", err)
	}
	if _, _, err := m.q.Log(Key{Room: "late"}).Append(&wire.Envelope{Kind: wire.KindEvent}, nil); !errors.Is(err, ErrClosed) {
		m.t.Errorf("append after Close() = %v", err)
	}
}

func (m *model) restart() {
	m.settle()
	m.compare()
	m.stop()
	for k, l := range m.rooms {
		if l.head == 0 {
			delete(m.rooms, k)
		}
		for i := range l.events[:l.first-1] {
			l.events[i].before = true
			l.events[i].reason = l.last
		}
	}
	// What is remembered of ids is what is stored and young enough.
	m.ids = nil
	for _, l := range m.rooms {
		for seq := l.first; seq <= l.head; seq++ {
			if e := l.events[seq-1]; e.id.id != 0 && e.time >= time.Now().Add(-m.cfg.Dedup.Age).UnixMicro() &&
				seq+uint64(m.cfg.Dedup.Count) > l.head {
				m.ids = append(m.ids, modelID{modelKey: e.id, seq: seq, time: e.time})
			}
		}
	}
	slices.SortFunc(m.ids, func(a, b modelID) int { return int(a.time - b.time) })
	m.ids = m.ids[max(0, len(m.ids)-m.cfg.Dedup.Count):]
	m.start()
	m.restarted = true
}

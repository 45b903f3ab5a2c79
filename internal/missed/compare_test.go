package missed

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"wirelab/internal/wire"
)

// compare checks everything that can be seen from outside.
func (m *model) compare() {
	t := m.t
	t.Helper()
	var keys []Key
	var bytes, events, pending int64
	for k, l := range m.rooms {
		keys = append(keys, k)
		m.compareLog(k, l)
		bytes += l.log.Bytes()
		events += int64(l.log.Count())
		pending += l.bytes(l.head+1, l.tail())
	}
	slices.SortFunc(keys, Key.Compare)
	if got := m.q.Keys(); !slices.Equal(got, keys) {
		t.Fatalf("Keys() = %v, want %v", got, keys)
	}
	s := m.q.Stats()
	if s.Rooms != len(keys) || s.Bytes != bytes || s.Events != events || s.Pending != pending && m.fake != nil {
		t.Fatalf("Stats() = %+v, want %d rooms, %d bytes, %d events, %d pending", s, len(keys), bytes, events, pending)
	}
	if m.cfg.TotalBytes > 0 && bytes-pending > m.cfg.TotalBytes {
		t.Fatalf("%d bytes in all rooms, at most %d", bytes-pending, m.cfg.TotalBytes)
	}
	records := make(map[string]string)
	last := ""
	m.q.Each("t", func(key string, value []byte) error {
		if key <= last {
			t.Fatalf("Each gave %q after %q", key, last)
		}
		records[key] = string(value)
		last = key
		return nil
	})
	if len(records) != len(m.records) {
		t.Fatalf("Each gave %v, want %v", records, m.records)
	}
	for k, v := range m.records {
		if records[k] != v {
			t.Fatalf("Each gave %v, want %v", records, m.records)
		}
	}
}

func (m *model) compareLog(k Key, l *modelLog) {
	t := m.t
	t.Helper()
	if l.log.Epoch() != l.epoch {
		t.Fatalf("%v: Epoch() = %x, want %x", k, l.log.Epoch(), l.epoch)
	}
	// Which room pays is for TestBalance, and after a restart bytes are
	// counted by runs.
	if m.cfg.TotalBytes > 0 || m.restarted && m.cfg.Limits.Bytes > 0 && m.cfg.Policy == DropOldest {
		if l.log.First() < l.first {
			t.Fatalf("%v: First() = %d, was %d", k, l.log.First(), l.first)
		}
		l.trim(l.log.First(), ReasonOverflow)
	}
	if l.log.Head() != l.head || l.log.First() != l.first || l.log.Count() != int(l.head+1-l.first) {
		t.Fatalf("%v: events %d to %d, count %d; want %d to %d", k, l.log.First(), l.log.Head(), l.log.Count(), l.first, l.head)
	}
	want := l.bytes(l.first, l.tail())
	if got := l.log.Bytes(); got != want && !(m.fake != nil && (m.cfg.HotBytes != 0 || m.restarted) && got <= want+2*coldSpan) {
		t.Fatalf("%v: Bytes() = %d, want %d", k, got, want)
	}
	for range 3 {
		after := m.rand.Uint64N(l.tail() + 3)
		until := uint64(0)
		if m.rand.IntN(2) == 0 {
			until = m.rand.Uint64N(l.tail() + 3)
		}
		m.compareRead(k, l, after, until, m.rand.Uint64N(5), m.rand.IntN(3000))
		m.compareEvent(k, l, after)
	}
	if m.rand.IntN(50) == 0 {
		m.readThrough(k, l, m.rand.Uint64N(5))
	}
}

func (m *model) compareRead(k Key, l *modelLog, after, until, viewer uint64, most int) Batch {
	t := m.t
	t.Helper()
	fail := m.fake != nil && m.rand.IntN(30) == 0
	if fail {
		m.fake.set(func(f *fakeStore) { f.noRead = errDisk })
		defer m.fake.set(func(f *fakeStore) { f.noRead = nil })
	}
	b, err := l.log.Read(after, until, viewer, most)
	if err != nil {
		if !fail || b.Cursor != after || b.Frames != nil {
			t.Fatalf("%v: Read(%d) = %+v, %v", k, after, b, err)
		}
		return b
	}
	limit := l.head
	if until != 0 {
		limit = min(limit, until)
	}
	if after >= limit {
		if b.Cursor != after || b.Frames != nil || b.Hidden || b.Reason != 0 || b.Lost != 0 {
			t.Fatalf("%v: Read(%d, %d) = %+v with head %d, want nothing", k, after, until, b, l.head)
		}
		return b
	}
	if b.Cursor <= after || b.Cursor > limit {
		t.Fatalf("%v: Read(%d, %d) = %+v with head %d", k, after, until, b, l.head)
	}
	run := l.events[after:b.Cursor]
	switch {
	case b.Reason != ReasonNone:
		lost := uint64(0)
		for i, e := range run {
			if e.reason != b.Reason {
				t.Fatalf("%v: Read(%d) = %+v, but event %d is gone for %v, before a restart: %v", k, after, b, after+uint64(i)+1, e.reason, e.before)
			}
			if e.before || e.mark.Allows(viewer) {
				lost++
			}
		}
		if b.Frames != nil || b.Hidden || b.Lost != lost {
			t.Fatalf("%v: Read(%d, viewer %d) = %+v, want %d lost", k, after, viewer, b, lost)
		}
	case b.Hidden:
		for i, e := range run {
			if e.reason != 0 || e.mark.Allows(viewer) {
				t.Fatalf("%v: Read(%d, viewer %d) = %+v, but event %d is gone (%v) or visible", k, after, viewer, b, after+uint64(i)+1, e.reason)
			}
		}
		if b.Frames != nil || b.Lost != 0 {
			t.Fatalf("%v: Read(%d) = %+v", k, after, b)
		}
	default:
		var want []byte
		for i, e := range run {
			if e.reason != 0 || !e.mark.Allows(viewer) {
				t.Fatalf("%v: Read(%d, viewer %d) = events %d to %d, but event %d is gone (%v) or hidden", k, after, viewer, b.First, b.Last, after+uint64(i)+1, e.reason)
			}
			want = append(want, e.frame...)
		}
		if b.First != after+1 || b.Last != b.Cursor || !bytes.Equal(b.Frames, want) || b.Lost != 0 {
			t.Fatalf("%v: Read(%d) = events %d to %d, cursor %d: other bytes", k, after, b.First, b.Last, b.Cursor)
		}
		if len(run) > 1 && len(b.Frames) > most {
			t.Fatalf("%v: Read(%d, %d) = %d bytes in %d events", k, after, most, len(b.Frames), len(run))
		}
	}
	return b
}

// readThrough reads as a member does, from the first event ever to the head.
func (m *model) readThrough(k Key, l *modelLog, viewer uint64) {
	m.t.Helper()
	for after := uint64(0); after < l.head; {
		after = m.compareRead(k, l, after, 0, viewer, 500).Cursor
		if m.t.Failed() {
			return
		}
	}
}

func (m *model) compareEvent(k Key, l *modelLog, seq uint64) {
	t := m.t
	t.Helper()
	e, mark, ok := l.log.Event(seq)
	if want := seq >= l.first && seq <= l.head; ok != want {
		t.Fatalf("%v: Event(%d) = %v with events %d to %d", k, seq, ok, l.first, l.head)
	}
	if !ok {
		return
	}
	frame, err := wire.AppendFrame(nil, &e)
	want := l.events[seq-1]
	if err != nil || !bytes.Equal(frame, want.frame) {
		t.Fatalf("%v: Event(%d) = %+v, %v", k, seq, e, err)
	}
	for viewer := range uint64(5) {
		if mark.Allows(viewer) != want.mark.Allows(viewer) {
			t.Fatalf("%v: Event(%d) has the mark %+v, want %+v", k, seq, mark, want.mark)
		}
	}
	if got := l.log.Waiting(seq); got != l.head-seq {
		t.Fatalf("%v: Waiting(%d) = %d with head %d", k, seq, got, l.head)
	}
}

// TestLimitsFilled is for the zero and negative fields.
func TestLimitsFilled(t *testing.T) {
	got := Limits{Count: -1, Bytes: 5}.filled()
	if want := (Limits{Count: math.MaxInt64, Bytes: 5, Age: DefaultLimits().Age}); got != want {
		t.Errorf("filled() = %+v, want %+v", got, want)
	}
}

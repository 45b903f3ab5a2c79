package bolt

import (
	"bytes"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"wirelab/internal/missed"
)

const (
	// maxEntry is the size in bytes beyond which a block is stored in
	// several pieces. bbolt writes the last four values of a bucket again
	// whenever it adds one.
	maxEntry = 32 << 10
	// maxArena is the largest arena that is kept for the next commit.
	maxArena = 1 << 20
	// fill is how full a page is made before the next is begun. Events come
	// in order, so nothing is ever put in between.
	fill = 0.95
)

// Commit implements missed.Store. When a commit failed for anything but space,
// the disk's state is not known, and all later ones fail: after a failed sync
// the system may believe that what it dropped was written.
func (s *Store) Commit(c *missed.Change) error {
	s.mu.Lock()
	err := s.broken
	if s.closed {
		err = berrors.ErrDatabaseNotOpen
	}
	s.mu.Unlock()
	if err != nil {
		return s.explain("commit", err)
	}
	refused := false
	err = guard(func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			err := s.write(tx, c)
			refused = err != nil
			return err
		})
	})
	if cap(s.arena) > maxArena {
		s.arena = nil
	}
	if err == nil {
		return nil
	}
	if !refused && !isFull(err) || errors.Is(err, errPanic) {
		s.mu.Lock()
		s.broken = fmt.Errorf("stopped after: %w", err)
		s.stuck = errors.Is(err, errPanic)
		s.mu.Unlock()
	}
	return s.explain("commit", err)
}

func (s *Store) write(tx *bbolt.Tx, c *missed.Change) error {
	logs := tx.Bucket(logBucket)
	for _, k := range c.Drop {
		if err := dropRoom(logs, k); err != nil {
			return err
		}
	}
	w := writer{logs: logs, rooms: make(map[missed.Key]*roomBucket), arena: s.arena[:0]}
	for i := range c.Rooms {
		if err := w.create(c.Rooms[i]); err != nil {
			return err
		}
	}
	for i := range c.Blocks {
		if err := w.block(c.Blocks[i]); err != nil {
			return err
		}
	}
	for _, t := range c.Trim {
		if err := w.trim(t); err != nil {
			return err
		}
	}
	for k, r := range w.rooms {
		if err := r.bucket.Put(recordKey, appendRecord(nil, &r.Room)); err != nil {
			return fmt.Errorf("room %v: %w", k, err)
		}
	}
	s.arena = w.arena
	return putEntries(tx.Bucket(tableBucket), c.Puts)
}

func dropRoom(logs *bbolt.Bucket, k missed.Key) error {
	if err := logs.DeleteBucket(roomKey(k)); err != nil && !errors.Is(err, berrors.ErrBucketNotFound) {
		return fmt.Errorf("room %v: drop: %w", k, err)
	}
	return nil
}

func putEntries(table *bbolt.Bucket, entries []missed.Entry) error {
	for _, p := range entries {
		k, err := entryKey(p.Table, p.Key)
		switch {
		case err != nil:
		case p.Value == nil:
			err = table.Delete(k)
		default:
			err = table.Put(k, appendEntry(nil, k, p.Value))
		}
		if err != nil {
			return fmt.Errorf("table %q: key %q: %w", p.Table, p.Key, err)
		}
	}
	return nil
}

// A writer is one transaction's work on the logs.
type writer struct {
	logs  *bbolt.Bucket
	rooms map[missed.Key]*roomBucket // whose record is to be written
	arena []byte                     // blocks; bbolt wants them to stay until the end
}

type roomBucket struct {
	missed.Room
	bucket *bbolt.Bucket
}

// create makes an empty room. One that is there comes from a commit that was
// reported as failed and reached the disk all the same.
func (w *writer) create(r missed.Room) error {
	if err := dropRoom(w.logs, r.Key); err != nil {
		return err
	}
	b, err := w.logs.CreateBucket(roomKey(r.Key))
	if err != nil {
		return fmt.Errorf("room %v: create: %w", r.Key, err)
	}
	r.Last, r.Gone = r.First-1, missed.ReasonNone
	w.rooms[r.Key] = &roomBucket{Room: r, bucket: b}
	return nil
}

// room returns a room that is stored, for writing.
func (w *writer) room(k missed.Key) (*roomBucket, error) {
	if r := w.rooms[k]; r != nil {
		return r, nil
	}
	b := w.logs.Bucket(roomKey(k))
	if b == nil {
		return nil, fmt.Errorf("room %v: %w", k, berrors.ErrBucketNotFound)
	}
	room, err := parseRecord(k, b.Get(recordKey))
	if err != nil {
		return nil, err
	}
	r := &roomBucket{Room: room, bucket: b}
	w.rooms[k] = r
	return r, nil
}

// block stores a block, in pieces if it is long.
func (w *writer) block(b missed.Block) error {
	r, err := w.room(b.Key)
	if err != nil {
		return err
	}
	r.bucket.FillPercent = fill
	if r.Last >= b.First {
		// Events of a commit that was reported as failed and reached
		// the disk all the same. Nobody has seen them.
		if err := cutFrom(r.bucket, b.First); err != nil {
			return fmt.Errorf("room %v: %w", b.Key, err)
		}
		r.Last = b.First - 1
	}
	if r.Last+1 != b.First {
		return fmt.Errorf("room %v: event %d cannot follow event %d", b.Key, b.First, r.Last)
	}
	for {
		piece := b.Head(maxEntry)
		at := len(w.arena)
		w.arena = missed.AppendBlock(w.arena, &piece)
		if err := r.bucket.Put(seqKey(piece.First), w.arena[at:len(w.arena):len(w.arena)]); err != nil {
			return fmt.Errorf("room %v: block of event %d: %w", b.Key, piece.First, err)
		}
		r.Last = piece.Last
		if piece.Last == b.Last {
			return nil
		}
		b = b.From(piece.Last + 1)
	}
}

// cutFrom deletes the blocks that start at seq or later.
func cutFrom(b *bbolt.Bucket, seq uint64) error {
	return deleteKeys(b, seqKey(seq), recordKey)
}

// trim deletes the blocks that are wholly before t.First.
func (w *writer) trim(t missed.Trim) error {
	r, err := w.room(t.Key)
	if err != nil {
		return err
	}
	if t.First > r.Last+1 {
		return fmt.Errorf("room %v: trim to event %d of %d", t.Key, t.First, r.Last)
	}
	if t.First <= r.First {
		return nil
	}
	r.First, r.Gone = t.First, t.Reason
	// The block that holds First, or all if there is none.
	k := holding(r.bucket.Cursor(), t.First)
	if k == nil {
		k = recordKey
	}
	if err := deleteKeys(r.bucket, seqKey(0), k); err != nil {
		return fmt.Errorf("room %v: trim: %w", t.Key, err)
	}
	return nil
}

// holding moves c to the block that holds the event seq, or to the next one
// after it, and returns its key, nil if there is none.
func holding(c *bbolt.Cursor, seq uint64) (key []byte) {
	next, _ := c.Seek(seqKey(seq))
	if parseSeqKey(next) == seq {
		return next
	}
	if k, v := c.Prev(); parseSeqKey(k) != 0 {
		// Without a look at the check: a damaged block holds what the
		// one after it does not.
		s, err := missed.BlockSpan(missed.Key{}, parseSeqKey(k), v)
		if err != nil || s.Last >= seq {
			return k
		}
	}
	if k, _ := c.Seek(seqKey(seq)); parseSeqKey(k) != 0 {
		return k
	}
	return nil
}

// deleteKeys deletes the keys from first on and before end.
func deleteKeys(b *bbolt.Bucket, first, end []byte) error {
	// Deleting under a cursor moves it in ways that differ; collect first.
	var keys [][]byte
	c := b.Cursor()
	for k, _ := c.Seek(first); k != nil && bytes.Compare(k, end) < 0; k, _ = c.Next() {
		keys = append(keys, k)
	}
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

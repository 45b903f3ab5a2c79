package bolt

import (
	"bytes"
	"fmt"
	"math/rand/v2"

	"go.etcd.io/bbolt"

	"wirelab/internal/missed"
)

// spanBytes is how many bytes of blocks Load makes one span of: a room where
// people type has one block per event.
const spanBytes = 4 << 10

// Load implements missed.Store. It first takes damaged blocks and entries out,
// each with a line in the log.
func (s *Store) Load(fn func(missed.Record) error) error {
	if s.rolledBack {
		s.logger.Error("store: a page of roots is damaged: the last commit may be lost, all rooms have a new epoch", "path", s.path)
	}
	var found []missed.Record
	var repair []func(*bbolt.Tx) error
	err := guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			return tx.Bucket(logBucket).ForEachBucket(func(name []byte) error {
				records, fix := s.loadRoom(tx, name)
				found = append(found, records...)
				if fix != nil {
					repair = append(repair, fix)
				}
				return nil
			})
		})
	})
	if err == nil {
		err = guard(func() error {
			return s.db.View(func(tx *bbolt.Tx) error {
				return tx.Bucket(tableBucket).ForEach(func(k, v []byte) error {
					e, err := parseEntry(k, v)
					if err != nil {
						s.logger.Error("store: a damaged record was cut", "path", s.path, "key", fmt.Sprintf("%q", k))
						k = append([]byte(nil), k...)
						repair = append(repair, func(tx *bbolt.Tx) error { return tx.Bucket(tableBucket).Delete(k) })
						return nil
					}
					found = append(found, missed.Record{Entry: &e})
					return nil
				})
			})
		})
	}
	if err == nil && repair != nil {
		err = guard(func() error {
			return s.db.Update(func(tx *bbolt.Tx) error {
				for _, fix := range repair {
					if err := fix(tx); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	if err != nil {
		return s.explain("load", err)
	}
	s.rolledBack = false
	for _, r := range found {
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

// loadRoom returns what can be used of a room, and how to repair it if that is
// not all. A damaged block is cut; a room without a good record gets another
// epoch, so that nobody trusts numbers that may come again.
func (s *Store) loadRoom(tx *bbolt.Tx, name []byte) ([]missed.Record, func(*bbolt.Tx) error) {
	name = bytes.Clone(name)
	b := tx.Bucket(logBucket).Bucket(name)
	k, err := parseRoomKey(name)
	if err != nil {
		s.logger.Error("store: a room with a damaged name was cut", "path", s.path, "name", fmt.Sprintf("%x", name))
		return nil, func(tx *bbolt.Tx) error { return tx.Bucket(logBucket).DeleteBucket(name) }
	}
	room, recordErr := parseRecord(k, b.Get(recordKey))
	var spans []missed.Span
	var bad [][]byte
	var last uint64
	c := b.Cursor()
	for key, value := c.First(); key != nil; key, value = c.Next() {
		if bytes.Equal(key, recordKey) {
			continue
		}
		span, err := missed.CheckBlock(k, parseSeqKey(key), value)
		if err == nil && (span.First <= last || recordErr == nil && span.Last > room.Last) {
			err = fmt.Errorf("events %d to %d are out of place: %w", span.First, span.Last, missed.ErrDamaged)
		}
		if err != nil {
			s.logger.Error("store: a damaged block was cut", "path", s.path, "room", k, "err", err)
			bad = append(bad, bytes.Clone(key))
			continue
		}
		last = span.Last
		if n := len(spans); n > 0 && spans[n-1].Last+1 == span.First && spans[n-1].Bytes < spanBytes {
			spans[n-1].Last, spans[n-1].LastTime = span.Last, span.LastTime
			spans[n-1].Bytes += span.Bytes
			spans[n-1].Marked = spans[n-1].Marked || span.Marked
			continue
		}
		spans = append(spans, span)
	}
	if recordErr == nil && bad == nil && !s.rolledBack {
		return records(room, spans), nil
	}
	if recordErr == nil && s.rolledBack {
		room.Epoch = newEpoch(room.Epoch)
	}
	if recordErr != nil {
		if len(spans) == 0 {
			s.logger.Error("store: a damaged room was cut", "path", s.path, "room", k)
			return nil, func(tx *bbolt.Tx) error { return tx.Bucket(logBucket).DeleteBucket(name) }
		}
		room = missed.Room{Key: k, Epoch: newEpoch(0), First: spans[0].First, Last: last, Gone: missed.ReasonDamaged}
		s.logger.Error("store: a damaged room has a new epoch", "path", s.path, "room", k)
	}
	return records(room, spans), func(tx *bbolt.Tx) error {
		b := tx.Bucket(logBucket).Bucket(name)
		for _, key := range bad {
			if err := b.Delete(key); err != nil {
				return err
			}
		}
		return b.Put(recordKey, appendRecord(nil, &room))
	}
}

// newEpoch returns a random number that is not zero and not old.
func newEpoch(old uint64) uint64 {
	for {
		if e := rand.Uint64(); e != 0 && e != old {
			return e
		}
	}
}

func records(room missed.Room, spans []missed.Span) []missed.Record {
	r := []missed.Record{{Room: &room}}
	for i := range spans {
		r = append(r, missed.Record{Span: &spans[i]})
	}
	return r
}

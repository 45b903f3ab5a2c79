package bolt

import (
	"fmt"
	"io"

	"go.etcd.io/bbolt"

	"wirelab/internal/missed"
)

// Read implements missed.Store. Blocks that follow each other are given as one.
func (s *Store) Read(k missed.Key, from uint64, most int) (b missed.Block, err error) {
	eof := false
	err = guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			room := tx.Bucket(logBucket).Bucket(roomKey(k))
			if room == nil {
				eof = true
				return nil
			}
			r, err := parseRecord(k, room.Get(recordKey))
			if err != nil {
				return err
			}
			b, eof, err = read(room.Cursor(), &r, from, most)
			return err
		})
	})
	switch {
	case err != nil:
		return missed.Block{}, s.explain("read", err)
	case eof:
		return missed.Block{}, io.EOF
	}
	return b, nil
}

func read(c *bbolt.Cursor, r *missed.Room, from uint64, most int) (b missed.Block, eof bool, err error) {
	from = max(from, r.First, 1)
	if holding(c, from) == nil {
		return b, true, nil
	}
	k, v := c.Seek(holding(c, from))
	var parts [][]byte
	size := 0
	for ; parseSeqKey(k) != 0; k, v = c.Next() {
		first := parseSeqKey(k)
		part, err := missed.DecodeBlock(r.Key, first, v)
		if err != nil {
			if parts != nil {
				break
			}
			next, _ := c.Next()
			return damagedBlock(r, first, parseSeqKey(next), from), false, nil
		}
		if parts == nil {
			part = part.From(max(from, first))
			b = missed.Block{Key: r.Key, First: part.First}
		} else if part.First != b.Last+1 {
			break
		}
		left := most - size
		if parts != nil && left <= 0 {
			break
		}
		whole := part.Last
		part = part.Head(left)
		if parts != nil && len(part.Frames) > left {
			break
		}
		parts = append(parts, part.Frames)
		size += len(part.Frames)
		b.Marks = append(b.Marks, part.Marks...)
		b.Last = part.Last
		if part.Last < whole {
			break
		}
	}
	if parts == nil {
		return b, true, nil
	}
	b.Frames = make([]byte, 0, size)
	for _, p := range parts {
		b.Frames = append(b.Frames, p...)
	}
	return b, false, nil
}

// damagedBlock says which events a block that cannot be read held: those up to
// the next block, or all up to the room's last.
func damagedBlock(r *missed.Room, first, next, from uint64) missed.Block {
	last := r.Last
	if next != 0 {
		last = next - 1
	}
	return missed.Block{Key: r.Key, First: max(first, from), Last: max(last, first, from)}
}

// Load implements missed.Store. It first takes damaged blocks and entries out,
// each with a line in the log.
func (s *Store) Load(fn func(missed.Record) error) error {
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
	for _, r := range found {
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

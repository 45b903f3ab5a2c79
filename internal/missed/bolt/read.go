package bolt

import (
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
	k := holding(c, from)
	if k == nil {
		return b, true, nil
	}
	k, v := c.Seek(k)
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

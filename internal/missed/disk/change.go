package disk

import (
	"encoding/binary"
	"errors"
	"fmt"

	"wirelab/internal/missed"
)

// A change is its five lists, each its length and its items. Numbers are
// uvarints, texts and blocks have their length before them.

func appendText[T string | []byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func appendKey(b []byte, k missed.Key) []byte { return appendText(appendText(b, k.Namespace), k.Room) }

func appendChange(b []byte, c *missed.Change) []byte {
	n := func(v uint64) { b = binary.AppendUvarint(b, v) }
	n(uint64(len(c.Drop)))
	for _, k := range c.Drop {
		b = appendKey(b, k)
	}
	n(uint64(len(c.Rooms)))
	for _, r := range c.Rooms {
		b = appendKey(b, r.Key)
		n(r.Epoch)
		n(r.First)
	}
	n(uint64(len(c.Blocks)))
	for i := range c.Blocks {
		b = appendKey(b, c.Blocks[i].Key)
		n(c.Blocks[i].First)
		b = appendText(b, missed.AppendBlock(nil, &c.Blocks[i]))
	}
	n(uint64(len(c.Trim)))
	for _, t := range c.Trim {
		b = appendKey(b, t.Key)
		n(t.First)
		n(uint64(t.Reason))
	}
	n(uint64(len(c.Puts)))
	for _, p := range c.Puts {
		b = appendText(appendText(b, p.Table), p.Key)
		// A value that is not there deletes; an empty one does not.
		if p.Value == nil {
			n(0)
			continue
		}
		n(1)
		b = appendText(b, p.Value)
	}
	return b
}

// A reader reads a change. Its first error stays, and ends every list.
type reader struct {
	b   []byte
	err error
}

var errShort = errors.New("the record ends too early")

func (r *reader) number() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 && r.err == nil {
		r.err = errShort
	}
	if r.err != nil {
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) text() []byte {
	n := r.number()
	if n > uint64(len(r.b)) && r.err == nil {
		r.err = errShort
	}
	if r.err != nil {
		return nil
	}
	t := r.b[:n:n]
	r.b = r.b[n:]
	return t
}

func (r *reader) key() missed.Key {
	return missed.Key{Namespace: string(r.text()), Room: string(r.text())}
}

// list reads the length of a list and calls item for each.
func (r *reader) list(item func()) {
	for n := r.number(); n > 0 && r.err == nil; n-- {
		item()
	}
}

func (r *reader) change() *missed.Change {
	c := new(missed.Change)
	r.list(func() { c.Drop = append(c.Drop, r.key()) })
	r.list(func() { c.Rooms = append(c.Rooms, missed.Room{Key: r.key(), Epoch: r.number(), First: r.number()}) })
	r.list(func() {
		k, first := r.key(), r.number()
		raw := r.text()
		if r.err != nil {
			return
		}
		block, err := missed.DecodeBlock(k, first, raw)
		if err != nil {
			r.err = fmt.Errorf("block of %v from %d: %w", k, first, err)
			return
		}
		c.Blocks = append(c.Blocks, block)
	})
	r.list(func() {
		c.Trim = append(c.Trim, missed.Trim{Key: r.key(), First: r.number(), Reason: missed.Reason(r.number())})
	})
	r.list(func() {
		e := missed.Entry{Table: string(r.text()), Key: string(r.text())}
		if r.number() == 1 {
			e.Value = append([]byte{}, r.text()...)
		}
		c.Puts = append(c.Puts, e)
	})
	return c
}

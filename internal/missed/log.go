package missed

import (
	"wirelab/internal/wire"
)

// A Log is the events of one room.
type Log struct{ q *Queue }

func (l *Log) SetOwner(owner any) {}
func (l *Log) Owner() any         { return nil }
func (l *Log) Key() Key           { return Key{} }
func (l *Log) Epoch() uint64      { return 0 }
func (l *Log) Head() uint64       { return 0 }
func (l *Log) First() uint64      { return 0 }
func (l *Log) Bytes() int64       { return 0 }
func (l *Log) Count() int         { return 0 }

func (l *Log) Append(e *wire.Envelope, m *Mark) (seq uint64, dup bool, err error) {
	return l.AppendThen(e, m, nil)
}

// AppendThen appends like Append and calls done once when the outcome is
// known: with nil when the event (or, of a duplicate, the original) is stored,
// with an error wrapping ErrStore, ErrDropped or ErrClosed when it was rolled
// back. When AppendThen itself returns an error, done is not called. With a
// store that is not durable, done runs in the caller before AppendThen returns;
// else in the committer. No locks are held.
func (l *Log) AppendThen(e *wire.Envelope, m *Mark, done func(seq uint64, err error)) (seq uint64, dup bool, err error) {
	return 0, false, nil
}

func (l *Log) Read(after, until, viewer uint64, max int) (Batch, error) { return Batch{}, nil }
func (l *Log) Event(seq uint64) (e wire.Envelope, m *Mark, ok bool)     { return e, nil, false }
func (l *Log) Waiting(after uint64) uint64                              { return 0 }

// A Batch is what one Read gives: frames, or a run of events that the viewer
// may not see, or a run that is lost.
type Batch struct {
	Frames      []byte // whole frames, shared with everyone: never written to
	First, Last uint64 // the sequence numbers of Frames
	Cursor      uint64 // where the reader stands after taking this batch; as before: caught up
	Hidden      bool   // the events up to Cursor are not for this viewer
	Lost        uint64 // of the events up to Cursor, how many the viewer could have seen
	Reason      Reason // not ReasonNone: the events up to Cursor are gone
}

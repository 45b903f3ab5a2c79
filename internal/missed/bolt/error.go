package bolt

import (
	"errors"
	"fmt"
	"io/fs"

	berrors "go.etcd.io/bbolt/errors"

	"wirelab/internal/missed"
)

// What an Error may wrap, beside missed.ErrDamaged and what the system says.
var (
	ErrInUse   = errors.New("in use by another server")
	errForeign = errors.New("not a store of wirelab")
	errFormat  = errors.New("another version of the store")
)

// An Error says what could not be done with a store.
type Error struct {
	Op   string // open, load, commit, read, close
	Path string
	Err  error
	hint string
}

// Error returns one line.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s: %v", e.Path, e.Op, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hint says what a person can do about it, in one line, or is empty.
func (e *Error) Hint() string { return e.hint }

// explain turns an error of bbolt or the system into an *Error.
func (s *Store) explain(op string, err error) error {
	e := &Error{Op: op, Path: s.path, Err: err}
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		e.Err = ErrInUse
		e.hint = "stop the other server, or give this one another data folder"
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		e.Err = fmt.Errorf("%w (%w)", missed.ErrDamaged, err)
		e.hint = damagedHint
	case errors.Is(err, missed.ErrDamaged):
		e.hint = damagedHint
	case errors.Is(err, errForeign), errors.Is(err, errFormat):
		e.hint = "give the server another data folder"
	case errors.Is(err, fs.ErrPermission):
		e.hint = "the server must be able to read and write this file and its folder"
	case isFull(err):
		e.hint = "free some space; what was acknowledged is safe"
	case op == "commit":
		e.hint = "the disk did not confirm a write: check it, then start the server again; what was acknowledged is safe"
	}
	return e
}

const damagedHint = "move the file away to start with an empty queue, or put a backup in its place"

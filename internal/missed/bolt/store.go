// Package bolt keeps the missed-message queue in one file, with
// go.etcd.io/bbolt. A commit is one transaction of it: data pages, wait for the
// disk, meta page, wait for the disk. Buckets:
//
//	meta    "format" -> 1
//	log     room -> bucket of: first event, 8 bytes -> block (missed.AppendBlock)
//	                           0xff -> room record
//	table   table, key -> check, value
//
// bbolt trusts its file: a damaged page makes it panic, run in circles or touch
// memory that is not there. So Open looks over the whole file first, with code
// of its own (verify.go), and every value carries a check.
package bolt

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"wirelab/internal/missed"
)

// Options say how to open a store. The zero value is good.
type Options struct {
	Logger   *slog.Logger  // hears what Open had to cut; if nil, nobody does
	MaxBytes int           // the file grows no further; if zero, no limit
	Timeout  time.Duration // to wait for another process to let go; if zero, 400 ms

	// OpenFile opens the file; if nil, os.OpenFile does. Tests make it fail.
	OpenFile func(name string, flag int, perm os.FileMode) (*os.File, error)
}

// format is the version of the layout in the package comment.
const format = "1"

var (
	metaBucket  = []byte("meta")
	logBucket   = []byte("log")
	tableBucket = []byte("table")
	formatKey   = []byte("format")
)

// A Store is a missed.Store in a file. Use Open.
type Store struct {
	path   string
	db     *bbolt.DB
	logger *slog.Logger
	arena  []byte // of the last commit, used again

	rolledBack bool // until Load: the last commit may be missing

	mu     sync.Mutex
	broken error // why nothing is committed any more
	stuck  bool  // bbolt panicked in a commit: it cannot be closed any more
	closed bool
}

var _ missed.Store = (*Store)(nil)

// Open opens the store at path, and makes it and its folder if there is none.
// Every error is an *Error.
func Open(path string, o Options) (*Store, error) {
	s := &Store{path: path, logger: cmp.Or(o.Logger, slog.New(slog.DiscardHandler))}
	if err := guard(func() error { return s.open(&o) }); err != nil {
		return nil, s.explain("open", err)
	}
	return s, nil
}

func (s *Store) open(o *Options) error {
	dir := filepath.Dir(s.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	opts := &bbolt.Options{
		Timeout:  cmp.Or(o.Timeout, 400*time.Millisecond),
		OpenFile: o.OpenFile,
		MaxSize:  o.MaxBytes,
		// The list of free pages is not written: with a store that was
		// full once it would be most of what a small commit writes. Open
		// reads the whole file anyway.
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
		NoStatistics:   true,
	}
	info, err := os.Stat(s.path)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err != nil && !isNew {
		return err
	}
	if !isNew && info.Size() > 0 {
		if s.rolledBack, err = verify(s.path, opts); err != nil {
			return err
		}
	}
	if s.db, err = bbolt.Open(s.path, 0o600, opts); err != nil {
		return err
	}
	if err := s.prepare(); err != nil {
		return errors.Join(err, s.db.Close())
	}
	if isNew {
		syncFolder(dir)
	}
	return nil
}

// prepare checks the format of a file, or makes the buckets if it is new.
func (s *Store) prepare() error {
	isNew := false
	err := s.db.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if meta == nil {
			isNew = true
			if k, _ := tx.Cursor().First(); k != nil {
				return errForeign
			}
			return nil
		}
		if tx.Bucket(logBucket) == nil || tx.Bucket(tableBucket) == nil {
			return damaged("a bucket is missing")
		}
		if got := meta.Get(formatKey); string(got) != format {
			return fmt.Errorf("%w: %q, this program knows %q", errFormat, got, format)
		}
		return nil
	})
	if err != nil || !isNew {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{metaBucket, logBucket, tableBucket} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return tx.Bucket(metaBucket).Put(formatKey, []byte(format))
	})
}

// syncFolder makes a new file's name survive a power loss where the system
// lets folders be synced.
func syncFolder(dir string) {
	if runtime.GOOS == "windows" {
		return
	}
	if f, err := os.Open(dir); err == nil {
		f.Sync()
		f.Close()
	}
}

// Close implements missed.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.stuck {
		return nil // what was acknowledged is on the disk
	}
	if err := guard(s.db.Close); err != nil {
		return s.explain("close", err)
	}
	return nil
}

// guard runs fn and turns a panic, also one for memory that is not there, into
// an error: the file is damaged or was cut while it was in use.
func guard(fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errPanic, r)
		}
	}()
	return fn()
}

// errPanic means that bbolt panicked.
var errPanic = fmt.Errorf("unusable file, %w", missed.ErrDamaged)

// isFull reports whether err says that there is no space: the file is as it was
// before, and a later commit may work.
func isFull(err error) bool {
	if errors.Is(err, berrors.ErrMaxSizeReached) || strings.HasPrefix(err.Error(), "file resize error") {
		return true // before anything was written; bbolt hides the cause of the second
	}
	for _, e := range fullErrors {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

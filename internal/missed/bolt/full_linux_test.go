package bolt

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"wirelab/internal/missed"
)

// replaceable opens files so that a test can put another one in the place of
// the last: every write then goes there.
type replaceable struct{ last *os.File }

func (r *replaceable) open(name string, flag int, perm os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(name, flag, perm)
	r.last = f
	return f, err
}

// replace puts the device in place of the file and returns what puts it back.
func (r *replaceable) replace(t *testing.T, device string) (restore func()) {
	t.Helper()
	fd := int(r.last.Fd())
	saved, err := syscall.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	if err := syscall.Dup3(int(f.Fd()), fd, 0); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := syscall.Dup3(saved, fd, 0); err != nil {
			t.Fatal(err)
		}
		syscall.Close(saved)
	}
}

// leaveRoom makes free pages in the file, so that it need not grow: bbolt looks
// at the file's size then, and a device has none.
func leaveRoom(t *testing.T, q *missed.Queue) {
	t.Helper()
	large := missed.Key{Room: "large"}
	if err := publish(q, large, 1, 60_000); err != nil {
		t.Fatal(err)
	}
	q.Drop(large)
	settle(t, q)
	settle(t, q)
}

// The disk is full: publishers get an error that says so, readers go on, and
// when there is space again so do the publishers.
func TestDiskFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missed.db")
	var r replaceable
	_, q := openQueue(t, path, Options{OpenFile: r.open})
	leaveRoom(t, q)
	id := uint64(0)
	for range 3 {
		for range 3 {
			id++
			if err := publish(q, lobby, id, 50); err != nil {
				t.Fatal(err)
			}
		}
		restore := r.replace(t, "/dev/full")
		for range 3 {
			err := publish(q, lobby, id+1, 50)
			var e *Error
			if !errors.Is(err, missed.ErrStore) || !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &e) || !strings.Contains(e.Hint(), "free some space") {
				t.Errorf("publish on a full disk = %v, want ErrStore, ENOSPC and a hint", err)
			}
		}
		wantIDs(t, q.Lookup(lobby), id)
		restore()
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
	_, q = openQueue(t, path, Options{})
	wantIDs(t, q.Lookup(lobby), id)
}

// The disk takes a write and does not confirm it: what it holds is not known,
// and nothing is acknowledged any more.
func TestSyncFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missed.db")
	var r replaceable
	_, q := openQueue(t, path, Options{OpenFile: r.open})
	leaveRoom(t, q)
	if err := publish(q, lobby, 1, 50); err != nil {
		t.Fatal(err)
	}
	restore := r.replace(t, "/dev/null")
	err := publish(q, lobby, 2, 50)
	restore()
	for range 2 {
		var e *Error
		if !errors.Is(err, missed.ErrStore) || !errors.As(err, &e) || !strings.Contains(e.Hint(), "check it") {
			t.Errorf("publish = %v, want ErrStore and a hint", err)
		}
		err = publish(q, lobby, 2, 50)
	}
	wantIDs(t, q.Lookup(lobby), 1)
	q.Put("table", "key", []byte("value"))
	if err := q.Close(); err == nil {
		t.Error("Close() = nil with a record that could not be stored")
	}
	_, q = openQueue(t, path, Options{})
	wantIDs(t, q.Lookup(lobby), 1)
	if err := publish(q, lobby, 2, 50); err != nil {
		t.Errorf("publish after a restart = %v", err)
	}
}

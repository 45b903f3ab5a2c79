package attempt

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// Version is what the file says of its form. A file of another version is kept
// aside.
const Version = 1

// maxFile is how many bytes of a file are read: a learner's whole course takes
// some hundred kB.
const maxFile = 64 << 20

// A Notebook is the file that keeps what learners did, lab by lab. Several
// processes may use it at a time: each change is merged into what is in the file
// then. What a learner did under one name is kept when another works, and found
// again under the same name and class key. Its methods must not be called by two
// goroutines at a time.
type Notebook struct {
	Notices []string // what the reader has to be told: a file kept aside, and why

	path    string // empty: in memory alone
	off     error  // why nothing is written any more
	learner Learner
	book    book
}

// A book is what the file holds.
type book struct {
	Version  int     `json:"version"`
	Learner  Learner `json:"learner"` // who worked last
	Learners []shelf `json:"learners"`
}

// A shelf has the records of one learner.
type shelf struct {
	Learner
	Labs map[string]*Record `json:"labs"`
}

// of returns a learner's shelf, which is made if there is none.
func (b *book) of(l Learner) *shelf {
	i := slices.IndexFunc(b.Learners, func(s shelf) bool { return s.Same(l) })
	if i < 0 {
		i = len(b.Learners)
		b.Learners = append(b.Learners, shelf{Learner: l})
	}
	if b.Learners[i].Labs == nil {
		b.Learners[i].Labs = map[string]*Record{}
	}
	return &b.Learners[i]
}

// DefaultPath is $WIRELAB_LABS, or labs.json in the user's configuration folder.
func DefaultPath() (string, error) {
	if path := os.Getenv("WIRELAB_LABS"); path != "" {
		return path, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "wirelab", "labs.json"), nil
}

// OpenNotebook reads a notebook; nothing is written yet. A file that is damaged,
// or that another version wrote, is kept aside under another name and a new one
// is begun; Notices say so. An empty path is a notebook in memory. The error is
// that the file cannot be read, or not be kept aside; the notebook works, but
// only until the process ends.
func OpenNotebook(path string, now time.Time) (*Notebook, error) {
	n := &Notebook{path: path, book: book{Version: Version}}
	if path == "" {
		return n, nil
	}
	// A link stays one: what it points to is replaced.
	if real, err := filepath.EvalSymlinks(path); err == nil {
		n.path = real
	}
	if _, err := os.Stat(n.path); errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	defer n.lock()()
	b, err := n.load(now)
	if err != nil {
		n.off = err
		return n, err
	}
	n.book, n.learner = b, b.Learner
	return n, nil
}

// lock keeps other processes out until the function that it returns is called.
// Where a file system has no locks the work goes on without: a rename is whole.
func (n *Notebook) lock() (unlock func()) {
	unlock, err := lockedfile.MutexAt(n.path + ".lock").Lock()
	if err != nil {
		return func() {}
	}
	return unlock
}

// load reads the file. One that makes no sense is moved aside, with a notice.
func (n *Notebook) load(now time.Time) (book, error) {
	b, err := readBook(n.path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	bad := (*damage)(nil)
	if !errors.As(err, &bad) {
		return b, err
	}
	aside := n.path + "." + bad.kind + now.Format("-20060102-150405")
	for i := 2; ; i++ {
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) || i > 100 {
			break
		}
		aside = fmt.Sprintf("%s.%s%s-%d", n.path, bad.kind, now.Format("-20060102-150405"), i)
	}
	if err := os.Rename(n.path, aside); err != nil {
		return b, fmt.Errorf("%s: %w; it cannot be kept aside: %w", n.path, bad, err)
	}
	n.Notices = append(n.Notices, fmt.Sprintf("%s: %v; it is kept as %s, and a new one is begun", n.path, bad, aside))
	return b, nil
}

// damage says why a file is none of this version.
type damage struct {
	kind string // damaged, or the version
	err  error
}

func (d *damage) Error() string { return d.err.Error() }
func (d *damage) Unwrap() error { return d.err }

// readBook reads a file. The book is empty and whole if there is an error.
func readBook(path string) (book, error) {
	empty := book{Version: Version}
	f, err := os.Open(path)
	if err != nil {
		return empty, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return empty, err
	}
	b, err := parseBook(data)
	if err != nil {
		return empty, err
	}
	return b, nil
}

// parseBook reads a book. The error is a *damage.
func parseBook(data []byte) (book, error) {
	var b book
	if len(data) > maxFile {
		return b, &damage{"damaged", fmt.Errorf("it has more than %d MiB", maxFile>>20)}
	}
	var head struct {
		Version *int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return b, &damage{"damaged", fmt.Errorf("it is damaged: %w", err)}
	}
	switch {
	case head.Version == nil:
		return b, &damage{"damaged", errors.New("it is damaged: it has no version")}
	case *head.Version != Version:
		return b, &damage{fmt.Sprintf("version-%d", *head.Version), fmt.Errorf("it is of version %d, and this program reads version %d", *head.Version, Version)}
	}
	if err := json.Unmarshal(data, &b); err != nil {
		return b, &damage{"damaged", fmt.Errorf("it is damaged: %w", err)}
	}
	for i := range b.Learners {
		for name, r := range b.Learners[i].Labs {
			if err := r.validate(); err != nil {
				return b, &damage{"damaged", fmt.Errorf("it is damaged: lab %q: %w", name, err)}
			}
			r.Lab = name
		}
	}
	return b, nil
}

// Learner returns who works: who did last.
func (n *Notebook) Learner() Learner { return n.learner }

// SetLearner says who works from now on, here and in processes to come.
func (n *Notebook) SetLearner(l Learner, now time.Time) error {
	l.Name = strings.TrimSpace(l.Name)
	n.learner = l
	return n.update(now, func(b *book) { b.Learner = l })
}

// Record returns what the learner did in a lab; nil: nothing.
func (n *Notebook) Record(lab string) *Record { return n.Records()[lab] }

// Records returns what the learner did in all labs, by their names.
func (n *Notebook) Records() map[string]*Record { return n.RecordsOf(n.learner) }

// RecordsOf returns what somebody did in all labs.
func (n *Notebook) RecordsOf(l Learner) map[string]*Record {
	all := map[string]*Record{}
	for _, s := range n.book.Learners {
		if s.Same(l) {
			for name, r := range s.Labs {
				c := r.clone()
				all[name] = &c
			}
		}
	}
	return all
}

// Save keeps what the learner did in a lab. If it cannot be written, the error
// says so, and the notebook still has it in memory.
func (n *Notebook) Save(r *Record, now time.Time) error {
	return n.update(now, func(b *book) {
		labs := b.of(n.learner).Labs
		kept := r.clone()
		if old := labs[r.Lab]; old != nil {
			kept.merge(old)
		}
		labs[r.Lab] = &kept
	})
}

// Reset forgets what the learner did in these labs. Another process that works
// on one of them at this moment brings its own part back.
func (n *Notebook) Reset(now time.Time, labs ...string) error {
	return n.update(now, func(b *book) {
		s := b.of(n.learner)
		for _, name := range labs {
			delete(s.Labs, name)
		}
	})
}

// update makes a change in memory, and in the file as it is now. change may be
// called twice.
func (n *Notebook) update(now time.Time, change func(*book)) error {
	change(&n.book)
	switch {
	case n.off != nil:
		return n.off
	case n.path == "":
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(n.path), 0o700); err != nil {
		return err
	}
	defer n.lock()()
	fresh, err := n.load(now)
	if err != nil {
		return err
	}
	change(&fresh)
	if err := writeBook(n.path, &fresh); err != nil {
		return err
	}
	n.book = fresh
	return nil
}

// writeBook replaces the file whole: a crash leaves the old one or the new one.
func writeBook(path string, b *book) error {
	data, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".labs-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(append(data, '\n'))
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		os.Remove(temp.Name())
	}
	return err
}

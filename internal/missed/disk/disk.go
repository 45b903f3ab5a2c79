// Package disk is a simulated disk behind missed.Store, for hosts that are killed
// and started again in an emulated network. It is a harder test than a real one:
// what was not synced when the power goes is lost, or torn at any byte.
//
// The medium is a log of records, each a whole missed.Change:
//
//	 0        4        8              8+n
//	+--------+--------+--------------+
//	| n      | CRC-32 | change       |   big-endian, IEEE polynomial
//	+--------+--------+--------------+
//
// A record whose end is missing, at the end of the log, is what a power loss
// left, and is cut off when the disk is opened. Anything else that does not fit
// is damage. The log is never rewritten: it is as long as the run.
package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"sync"
	"time"

	"wirelab/internal/missed"
)

// DefaultSyncTime is what a sync takes if Config.SyncTime is zero: a good SSD.
const DefaultSyncTime = 2 * time.Millisecond

var (
	// ErrOff means that the disk has lost its power since it was opened.
	ErrOff = errors.New("the disk has no power")
	// ErrFull means that a commit did not fit.
	ErrFull = errors.New("no space left on the disk")
	// ErrOpen means that somebody has the disk open already.
	ErrOpen = errors.New("the disk is in use")
)

// A Config describes a disk.
type Config struct {
	Seed     uint64        // of how much of an unsynced write a power loss leaves
	SyncTime time.Duration // what a commit waits until it is safe; if zero, DefaultSyncTime
	Space    int64         // bytes; if zero, no limit
	// WriteBack, if not zero, makes a disk that lies about its syncs: a commit
	// returns at once and is safe only so long after. A power loss before takes
	// it whole.
	WriteBack time.Duration
}

// A Disk is a medium. It outlives the programs that use it. Its methods may be
// called from any goroutine.
type Disk struct {
	cfg Config

	mu     sync.Mutex
	chance *rand.Rand
	log    []byte
	synced int // bytes of log that survive
	user   *Store
}

// New returns an empty disk.
func New(cfg Config) *Disk {
	if cfg.SyncTime == 0 {
		cfg.SyncTime = DefaultSyncTime
	}
	return &Disk{cfg: cfg, chance: rand.New(rand.NewPCG(cfg.Seed, 0x6469736b))}
}

// Size returns the bytes on the medium, and how many of them are safe.
func (d *Disk) Size() (written, synced int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.log), d.synced
}

// Crash takes the power away: what has the disk open gets ErrOff from now on, and
// of what was not synced only the beginning is left, at most all of it.
func (d *Disk) Crash() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.user == nil {
		return
	}
	d.user = nil
	left := 0
	if d.cfg.WriteBack == 0 {
		left = d.chance.IntN(len(d.log) - d.synced + 1)
	}
	d.log = d.log[:d.synced+left]
	d.synced = len(d.log)
}

// Open reads the log and returns a store of what is in it. The error wraps
// ErrOpen or missed.ErrDamaged.
func (d *Disk) Open() (*Store, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.user != nil {
		return nil, ErrOpen
	}
	s := &Store{disk: d, memory: missed.NewMemory()}
	at := 0
	for at < len(d.log) {
		c, n, err := decode(d.log[at:])
		if errors.Is(err, errTorn) {
			break
		}
		if err == nil {
			err = s.memory.Commit(c)
		}
		if err != nil {
			return nil, fmt.Errorf("disk: record at byte %d: %w: %w", at, missed.ErrDamaged, err)
		}
		at += n
	}
	d.log = d.log[:at]
	d.synced = at
	d.user = s
	return s, nil
}

// A Store is an open disk. It implements missed.Store.
type Store struct {
	disk   *Disk
	memory *missed.Memory // what the log says
}

// powered returns an error if the disk is not this store's any more. d.mu is held.
func (s *Store) powered() error {
	if s.disk.user != s {
		return ErrOff
	}
	return nil
}

// Load implements missed.Store.
func (s *Store) Load(fn func(missed.Record) error) error { return s.memory.Load(fn) }

// Read implements missed.Store.
func (s *Store) Read(k missed.Key, from uint64, most int) (missed.Block, error) {
	s.disk.mu.Lock()
	err := s.powered()
	s.disk.mu.Unlock()
	if err != nil {
		return missed.Block{}, err
	}
	return s.memory.Read(k, from, most)
}

// Commit implements missed.Store. It takes the disk's sync time.
func (s *Store) Commit(c *missed.Change) error {
	d := s.disk
	b := encode(c)
	d.mu.Lock()
	if err := s.powered(); err != nil {
		d.mu.Unlock()
		return err
	}
	if d.cfg.Space > 0 && int64(len(d.log)+len(b)) > d.cfg.Space {
		d.mu.Unlock()
		return fmt.Errorf("disk: commit of %d bytes, %d of %d are used: %w", len(b), len(d.log), d.cfg.Space, ErrFull)
	}
	if d.cfg.WriteBack > 0 {
		defer d.mu.Unlock()
		return s.lie(c, b)
	}
	d.log = append(d.log, b...)
	end := len(d.log)
	d.mu.Unlock()

	time.Sleep(d.cfg.SyncTime) // the sync; the power may go meanwhile

	d.mu.Lock()
	defer d.mu.Unlock()
	if err := s.powered(); err != nil {
		return err
	}
	if err := s.memory.Commit(c); err != nil {
		d.log = d.log[:end-len(b)]
		return err
	}
	d.synced = end
	return nil
}

// lie commits c, whose record is b, and lets it be safe later. d.mu is held.
func (s *Store) lie(c *missed.Change, b []byte) error {
	d := s.disk
	if err := s.memory.Commit(c); err != nil {
		return err
	}
	d.log = append(d.log, b...)
	end := len(d.log)
	time.AfterFunc(d.cfg.WriteBack, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.user == s {
			d.synced = max(d.synced, end)
		}
	})
	return nil
}

// Close implements missed.Store. The disk can be opened again.
func (s *Store) Close() error {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if s.disk.user == s {
		if s.disk.cfg.WriteBack > 0 {
			s.disk.synced = len(s.disk.log) // it has its power, and writes what it has
		}
		s.disk.log = s.disk.log[:s.disk.synced]
		s.disk.user = nil
	}
	return nil
}

// errTorn means a record whose end is missing.
var errTorn = errors.New("cut off")

const recordHead = 8

// decode reads the record that b begins with, and returns its length.
func decode(b []byte) (*missed.Change, int, error) {
	if len(b) < recordHead {
		return nil, 0, errTorn
	}
	n := int(binary.BigEndian.Uint32(b))
	if n > len(b)-recordHead {
		return nil, 0, errTorn
	}
	body := b[recordHead : recordHead+n]
	if sum := crc32.ChecksumIEEE(body); sum != binary.BigEndian.Uint32(b[4:]) {
		return nil, 0, fmt.Errorf("checksum is %08x, want %08x", sum, binary.BigEndian.Uint32(b[4:]))
	}
	r := reader{b: body}
	c := r.change()
	if r.err == nil && len(r.b) > 0 {
		r.err = fmt.Errorf("%d bytes too many", len(r.b))
	}
	return c, recordHead + n, r.err
}

// encode writes c as a record.
func encode(c *missed.Change) []byte {
	b := make([]byte, recordHead, recordHead+256)
	b = appendChange(b, c)
	binary.BigEndian.PutUint32(b, uint32(len(b)-recordHead))
	binary.BigEndian.PutUint32(b[4:], crc32.ChecksumIEEE(b[recordHead:]))
	return b
}

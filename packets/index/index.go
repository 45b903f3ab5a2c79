// Package index lets a capture of any length be looked at in any order. Build
// reads it once and keeps 40 bytes of each packet; Packets reads some again.
//
//	file     | header | packet 1 | packet 2 |   …   | packet n |
//	                  ^          ^                  ^
//	entries         Offset     Offset             Offset
//
// In pcapng a packet's block means nothing without the section and the
// interfaces described before it. These blocks are kept, and read again in front
// of the packet's (draft-ietf-opsawg-pcapng, section 3.2).
//
// What cannot be read at a place (standard input, gzip) is kept in memory, up to
// MaxMemory bytes; what comes after that is left out, with an error that says so.
package index

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"wirelab/packets"
	"wirelab/packets/flow"
	"wirelab/packets/tcp"
)

const (
	// MaxMemory is how many bytes of packets are kept of what cannot be read
	// again.
	MaxMemory = 256 << 20
	// MaxEntries is how many packets an Index has: 800 MB of entries.
	MaxEntries = 20_000_000

	batch = 4096 // entries that become visible together
)

// An Entry is what is kept of a packet.
type Entry struct {
	Offset    int64     // in the file, or place in memory
	Time      int64     // nanoseconds since 1970
	Flow      uint32    // number of its flow at its interface, from 1; 0 is none
	RelSeq    uint32    // of TCP: relative to the first of this direction
	RelAck    uint32    //
	Length    uint32    // bytes that the packet had
	Flags     tcp.Flags // of the analysis
	Interface uint16    // place in Interfaces
	Dir       uint8     // 0 is from who opened the flow
	Scale     int8      // shift of the window; −1 is unknown
	Mark      Mark
}

// A Mark says what the capture itself tells of a packet.
type Mark uint8

const (
	Lost  Mark = 1 << iota // the link lost it
	Harm                   // the link made a copy of it, or flipped a bit
	Drops                  // packets before it were not captured
)

// Notable reports whether something is to be seen at the packet: a flag of the
// analysis, a loss, or harm that the link did.
func (e *Entry) Notable() bool { return e.Flags != 0 || e.Mark != 0 }

// A State is how far Build is. Entries is good for ever: what is in it does not
// change.
type State struct {
	Entries    []Entry
	Interfaces []packets.Interface
	Read, Size int64 // bytes of the file; Size 0 is unknown
	Done       bool
	Err        error // why it ended before the end of the capture
}

// ErrMemory means that packets were left out because MaxMemory was reached.
var ErrMemory = errors.New("not all packets are shown")

// An Index is a capture under way to be looked at. Its methods may be called by
// several goroutines at once, but Build only once.
type Index struct {
	src    *packets.Reader
	file   *os.File // nil if it is in memory
	size   int64
	meta   *preamble // nil if packets are kept
	waits  bool      // for a pipe
	memory int64     // bytes that may be kept

	mu    sync.Mutex
	state State
	kept  []packets.Packet
}

// Open begins with the capture at path; "-" is stdin. It reads the header only.
// Close it.
func Open(path string, stdin io.Reader) (*Index, error) {
	x := &Index{memory: MaxMemory}
	if path == "-" {
		x.waits = true
		return x, x.begin(stdin, "standard input")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	x.waits = true // but for a plain file
	info, err := f.Stat()
	switch {
	case err == nil && info.IsDir():
		err = fmt.Errorf("open %s: it is a folder, want a capture file", path)
	case err == nil && info.Mode().IsRegular():
		x.state.Size = info.Size()
		x.waits = false
		var magic [2]byte
		if n, _ := f.ReadAt(magic[:], 0); n < 2 || magic != [2]byte{0x1f, 0x8b} {
			x.size, x.meta = info.Size(), &preamble{}
		}
	}
	x.file = f
	if err == nil {
		err = x.begin(f, path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return x, nil
}

// New returns an Index of what r has, in memory.
func New(r io.Reader) (*Index, error) {
	x := &Index{memory: MaxMemory}
	return x, x.begin(r, "capture")
}

func (x *Index) begin(r io.Reader, name string) (err error) {
	if x.meta != nil {
		r = io.TeeReader(io.LimitReader(r, x.size), x.meta)
	}
	counted := &counter{r: r, x: x}
	if x.src, err = packets.NewReader(counted); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// A counter tells how many bytes of the file were read.
type counter struct {
	r io.Reader
	x *Index
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.x.mu.Lock()
	c.x.state.Read += int64(n)
	c.x.mu.Unlock()
	return n, err
}

// InMemory reports whether packets are kept because they cannot be read again.
func (x *Index) InMemory() bool { return x.meta == nil }

// Close closes the file. Call it after Build has returned, unless Waits.
func (x *Index) Close() error {
	if x.file == nil {
		return nil
	}
	return x.file.Close()
}

// State returns how far Build is.
func (x *Index) State() State {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.state
}

// Build reads the capture to its end, or until ctx ends. State tells how far it
// is; its error is State.Err, too.
func (x *Index) Build(ctx context.Context) error {
	err := x.build(ctx)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.state.Done, x.state.Err = true, err
	return err
}

func (x *Index) build(ctx context.Context) error {
	var (
		p     packets.Packet
		h     packets.Headers
		fresh []Entry
		kept  []packets.Packet
		used  int64
		all   int
	)
	flows := flow.NewTracker(flow.Config{})
	publish := func() {
		x.mu.Lock()
		x.state.Entries = append(x.state.Entries, fresh...)
		x.kept = append(x.kept, kept...)
		x.state.Interfaces = slices.Clone(x.src.Interfaces())
		x.mu.Unlock()
		fresh, kept = fresh[:0], kept[:0]
	}
	defer publish()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := x.src.Read(&p); err != nil {
			return err
		}
		if all == MaxEntries {
			return fmt.Errorf("%w: only the first %d; split the capture", ErrMemory, MaxEntries)
		}
		h.Decode(&p)
		e := entry(flows, &p, &h)
		if x.InMemory() {
			// A packet costs what it is in memory besides its bytes, too.
			if used += int64(len(p.Data)+len(p.Comment)) + 160; used > x.memory {
				return fmt.Errorf("%w: only the first %d, which fill %d MiB; write an uncompressed file to see all of them", ErrMemory, all, x.memory>>20)
			}
			e.Offset = int64(all)
			kept = append(kept, p.Clone())
		}
		fresh = append(fresh, e)
		all++
		// A live pipe is shown as it comes: the packet at hand is not waited for.
		if len(fresh) == batch || x.waits {
			publish()
		}
	}
}

// entry makes the entry of p.
func entry(flows *flow.Tracker, p *packets.Packet, h *packets.Headers) Entry {
	e := Entry{
		Offset: p.Offset, Time: p.Time.UnixNano(), Length: uint32(p.Length),
		Interface: uint16(p.Interface), Scale: -1, Mark: mark(p),
	}
	f, dir, r := flows.Add(p, h)
	if f == nil {
		return e
	}
	e.Flow, e.Dir = uint32(f.Number), uint8(dir)
	if h.TCP && !h.IsFragment() {
		e.Flags, e.RelSeq, e.RelAck = r.Flags, r.RelSeq, r.RelAck
		if f.Sides[0].Scale >= 0 && f.Sides[1].Scale >= 0 {
			e.Scale = int8(f.Sides[dir].Scale)
		}
	}
	return e
}

// mark reads what a link wrote about p.
func mark(p *packets.Packet) (m Mark) {
	if p.Drops > 0 {
		m |= Drops
	}
	switch c := p.Comment; {
	case c == "":
	case strings.HasPrefix(c, "lost"), strings.Contains(c, "; lost"):
		m |= Lost
	case strings.Contains(c, "duplicated"), strings.Contains(c, "flipped"):
		m |= Harm
	}
	return m
}

// Packet reads packet i, counted from 0, again.
func (x *Index) Packet(i int) (packets.Packet, error) {
	list, err := x.Packets(i, 1)
	if err != nil {
		return packets.Packet{}, err
	}
	return list[0], nil
}

// Packets reads n packets from i on again. Their data are the caller's, to read
// only. With an error come those before it.
func (x *Index) Packets(i, n int) (list []packets.Packet, err error) {
	x.mu.Lock()
	s, kept := x.state, x.kept
	x.mu.Unlock()
	if i < 0 || n < 1 || n > len(s.Entries)-i {
		return nil, fmt.Errorf("packets %d to %d: there are %d", i+1, i+n, len(s.Entries))
	}
	if x.InMemory() {
		return slices.Clone(kept[i : i+n]), nil
	}
	begin, end := s.Entries[i].Offset, x.size
	if i+n < len(s.Entries) {
		end = s.Entries[i+n].Offset
	}
	// The blocks in front of them, and what lies from the first to the next one.
	r, err := packets.NewReader(io.MultiReader(bytes.NewReader(x.meta.before(begin)), io.NewSectionReader(x.file, begin, end-begin)))
	if err != nil {
		return nil, fmt.Errorf("read packet %d again: %w", i+1, err)
	}
	var p packets.Packet
	for ; n > 0; n-- {
		e := &s.Entries[i]
		if err := r.Read(&p); err != nil {
			return list, fmt.Errorf("read packet %d again: %w", i+1, err)
		}
		if p.Time.UnixNano() != e.Time || p.Length != int(e.Length) || p.Interface != int(e.Interface) {
			return list, fmt.Errorf("read packet %d again: it is another one: the file was changed", i+1)
		}
		i++
		p.Number, p.Offset = i, e.Offset
		list = append(list, p.Clone()) // it would hold all of the reader's memory
	}
	return list, nil
}

// Scan reads all packets that are indexed by now, in order, until each returns
// false or ctx ends. A packet is good until each returns.
func (x *Index) Scan(ctx context.Context, each func(i int, p *packets.Packet) bool) error {
	x.mu.Lock()
	s, kept := x.state, x.kept
	x.mu.Unlock()
	if x.InMemory() {
		for i := range kept {
			if err := ctx.Err(); err != nil {
				return err
			}
			if p := kept[i]; !each(i, &p) {
				return nil
			}
		}
		return nil
	}
	r, err := packets.NewReader(io.NewSectionReader(x.file, 0, x.size))
	if err != nil {
		return err
	}
	var p packets.Packet
	for i := range s.Entries {
		if err := cmp.Or(ctx.Err(), r.Read(&p)); err != nil {
			return err
		}
		if !each(i, &p) {
			return nil
		}
	}
	return nil
}

// Waits reports whether reading may wait for ever: for a pipe.
func (x *Index) Waits() bool { return x.waits }

package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"math"
	"os"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"wirelab/internal/missed"
)

// The layout of a bbolt file, version 2. Numbers are in the byte order of the
// machine that wrote it.
const (
	pageHeader = 16 // id 8, flags 2, count 2, overflow 4
	element    = 16 // of a branch: pos 4, ksize 4, page 8; of a leaf: flags, pos, ksize, vsize, 4 each
	bucketSize = 16 // root page 8, sequence 8; an inline bucket's page follows

	branchPage   = 1
	leafPage     = 2
	freelistPage = 16
	bucketFlag   = 1

	metaSize   = 64 // magic 4, version 4, page size 4, flags 4, root 8, sequence 8, freelist 8, pages 8, transaction 8, sum 8
	metaMagic  = 0xED0CDAED
	boltFormat = 2
	noFreelist = math.MaxUint64

	maxDepth = 64 // of pages below each other; 2^64 keys need less
)

// verify looks over a file before bbolt, which trusts it, may: every page that
// can be reached is there, of a sensible kind, with its elements inside it and
// packed as bbolt packs them, keys in order and in their parent's range, and no
// page is reached twice. What the values hold is not its business. The file's
// lock is held meanwhile, so that another server's work is not taken for damage.
//
// rolledBack means that one of the two pages of roots, which bbolt writes in
// turn, is damaged: it may have been the newer one, and the last commit lost.
func verify(path string, o *bbolt.Options) (rolledBack bool, err error) {
	shared := *o
	shared.ReadOnly = true
	lock, err := bbolt.Open(path, 0o600, &shared)
	var system *fs.PathError
	switch {
	case err == nil:
	case errors.Is(err, berrors.ErrTimeout), errors.As(err, &system):
		return false, err
	default:
		return false, damaged("%v", err)
	}
	defer lock.Close()
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	return verifyFile(f, info.Size())
}

func verifyFile(f io.ReaderAt, size int64) (rolledBack bool, err error) {
	m, both, err := newestMeta(f, size)
	if err != nil {
		return false, err
	}
	v := &verifier{file: f, meta: m}
	if m.pages < 3 || m.pages > uint64(size)/uint64(m.pageSize) {
		return false, damaged("it has %d bytes, %d pages of %d are in use", size, m.pages, m.pageSize)
	}
	v.seen = make([]bool, m.pages)
	v.seen[0], v.seen[1] = true, true
	if err := v.page(m.root, nil, nil, 0); err != nil {
		return false, err
	}
	return !both, v.freelist()
}

type meta struct {
	pageSize                           uint32
	root, freelist, pages, transaction uint64
}

func parseMeta(b []byte) (m meta, ok bool) {
	if len(b) < pageHeader+metaSize {
		return m, false
	}
	b = b[pageHeader:]
	n := binary.NativeEndian
	sum := fnv.New64a()
	sum.Write(b[:metaSize-8])
	m = meta{
		pageSize: n.Uint32(b[8:]), root: n.Uint64(b[16:]), freelist: n.Uint64(b[32:]),
		pages: n.Uint64(b[40:]), transaction: n.Uint64(b[48:]),
	}
	return m, n.Uint32(b) == metaMagic && n.Uint32(b[4:]) == boltFormat && n.Uint64(b[56:]) == sum.Sum64() &&
		m.pageSize >= 1024 && m.pageSize <= 1<<24
}

// newestMeta returns the page of roots that bbolt would use, and whether both
// are good.
func newestMeta(f io.ReaderAt, size int64) (m meta, both bool, err error) {
	at := func(offset int64) (meta, bool) {
		b := make([]byte, pageHeader+metaSize)
		if _, err := f.ReadAt(b, offset); err != nil {
			return meta{}, false
		}
		return parseMeta(b)
	}
	if first, ok := at(0); ok {
		second, ok := at(int64(first.pageSize))
		ok = ok && second.pageSize == first.pageSize
		if ok && second.transaction > first.transaction {
			return second, true, nil
		}
		return first, ok, nil
	}
	for page := int64(1024); page < size; page *= 2 {
		if second, ok := at(page); ok && int64(second.pageSize) == page {
			return second, false, nil
		}
	}
	return m, false, damaged("neither page of roots is good")
}

type verifier struct {
	file io.ReaderAt
	meta
	seen []bool
}

// read returns page id with its overflow and marks it as seen.
func (v *verifier) read(id uint64) (b []byte, err error) {
	if id < 2 || id >= v.pages {
		return nil, damaged("page %d of %d", id, v.pages)
	}
	var h [pageHeader]byte
	offset := int64(id) * int64(v.pageSize)
	if _, err := v.file.ReadAt(h[:], offset); err != nil {
		return nil, err
	}
	overflow := uint64(binary.NativeEndian.Uint32(h[12:]))
	if got := binary.NativeEndian.Uint64(h[:]); got != id || overflow >= v.pages-id {
		return nil, damaged("page %d says that it is %d and %d more", id, got, overflow)
	}
	for i := id; i <= id+overflow; i++ {
		if v.seen[i] {
			return nil, damaged("page %d is used twice", i)
		}
		v.seen[i] = true
	}
	b = make([]byte, (overflow+1)*uint64(v.pageSize))
	if _, err := v.file.ReadAt(b, offset); err != nil {
		return nil, err
	}
	return b, nil
}

// page verifies page id and all below it. Its keys are at least low and less
// than high, unless those are nil.
func (v *verifier) page(id uint64, low, high []byte, depth int) error {
	if depth > maxDepth {
		return damaged("page %d is %d deep", id, depth)
	}
	b, err := v.read(id)
	if err != nil {
		return err
	}
	e, err := parsePage(b)
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	if err := inOrder(e, low, high); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	for i := range e {
		switch {
		case e[i].page != 0:
			next := high
			if i+1 < len(e) {
				next = e[i+1].key
			}
			if err := v.page(e[i].page, e[i].key, next, depth+1); err != nil {
				return err
			}
		case e[i].bucket:
			if err := v.bucket(e[i].value, depth); err != nil {
				return fmt.Errorf("page %d: %w", id, err)
			}
		}
	}
	return nil
}

func (v *verifier) bucket(b []byte, depth int) error {
	if len(b) < bucketSize {
		return damaged("a bucket of %d bytes", len(b))
	}
	if root := binary.NativeEndian.Uint64(b); root != 0 {
		return v.page(root, nil, nil, depth+1)
	}
	e, err := parsePage(b[bucketSize:])
	if err != nil {
		return fmt.Errorf("inline bucket: %w", err)
	}
	for i := range e {
		if e[i].page != 0 || e[i].bucket {
			return damaged("an inline bucket with something below it")
		}
	}
	return inOrder(e, nil, nil)
}

// An entry is an element of a page.
type entry struct {
	key, value []byte
	page       uint64 // of a branch
	bucket     bool   // value is one
}

// parsePage returns the elements of a branch or leaf page.
func parsePage(b []byte) ([]entry, error) {
	if len(b) < pageHeader {
		return nil, damaged("a page of %d bytes", len(b))
	}
	n := binary.NativeEndian
	kind, count := n.Uint16(b[8:]), int(n.Uint16(b[10:]))
	if kind != branchPage && kind != leafPage || kind == branchPage && count == 0 {
		return nil, damaged("kind %d with %d elements", kind, count)
	}
	data := pageHeader + count*element
	if data > len(b) {
		return nil, damaged("%d elements in %d bytes", count, len(b))
	}
	entries := make([]entry, count)
	for i := range entries {
		at := pageHeader + i*element
		h := b[at : at+element]
		e := &entries[i]
		var pos, ksize, vsize uint32
		if kind == branchPage {
			pos, ksize, e.page = n.Uint32(h), n.Uint32(h[4:]), n.Uint64(h[8:])
			if e.page == 0 {
				return nil, damaged("a branch to page 0")
			}
		} else {
			flags := n.Uint32(h)
			pos, ksize, vsize = n.Uint32(h[4:]), n.Uint32(h[8:]), n.Uint32(h[12:])
			e.bucket = flags == bucketFlag
			if flags > bucketFlag || ksize == 0 {
				return nil, damaged("element %d: flags %d, key of %d bytes", i, flags, ksize)
			}
		}
		if at+int(pos) != data || int64(ksize)+int64(vsize) > int64(len(b)-data) {
			return nil, damaged("element %d is not where it belongs", i)
		}
		e.key = b[data : data+int(ksize)]
		e.value = b[data+int(ksize) : data+int(ksize)+int(vsize)]
		data += int(ksize) + int(vsize)
	}
	return entries, nil
}

func inOrder(e []entry, low, high []byte) error {
	for i := range e {
		if i > 0 && bytes.Compare(e[i-1].key, e[i].key) >= 0 {
			return damaged("keys %x and %x are not in order", e[i-1].key, e[i].key)
		}
	}
	if n := len(e); n > 0 && (low != nil && bytes.Compare(e[0].key, low) < 0 || high != nil && bytes.Compare(e[n-1].key, high) >= 0) {
		return damaged("keys %x to %x are not in the range of the page above", e[0].key, e[n-1].key)
	}
	return nil
}

// freelist verifies the list of free pages, if the file has one; it comes last,
// when it is known which pages are not free.
func (v *verifier) freelist() error {
	if v.meta.freelist == noFreelist {
		return nil
	}
	b, err := v.read(v.meta.freelist)
	if err != nil {
		return err
	}
	n := binary.NativeEndian
	kind, count := n.Uint16(b[8:]), uint64(n.Uint16(b[10:]))
	b = b[pageHeader:]
	if count == math.MaxUint16 { // too many for the field: it is in front
		count, b = n.Uint64(b), b[8:]
	}
	if kind != freelistPage || count > uint64(len(b)/8) {
		return damaged("a list of free pages of kind %d with %d of them", kind, count)
	}
	last := uint64(1)
	for ; count > 0; count-- {
		id := n.Uint64(b)
		if id <= last || id >= v.pages || v.seen[id] {
			return damaged("page %d is said to be free", id)
		}
		last, b = id, b[8:]
	}
	return nil
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", missed.ErrDamaged, fmt.Sprintf(format, args...))
}

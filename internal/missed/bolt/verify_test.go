package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"wirelab/internal/missed"
)

// Each of these makes bbolt panic, run in circles or give wrong events.
func TestVerify(t *testing.T) {
	x := makeSample(t, seeds(t))
	n := binary.NativeEndian
	const page = 4096
	if m, _, err := newestMeta(bytes.NewReader(x.file), int64(len(x.file))); err != nil || m.pageSize != page {
		t.Skipf("pages of %d bytes, %v", m.pageSize, err)
	}
	// The pages that are in use, by the verifier's own account.
	v := reachable(t, x.file)
	find := func(kind uint16, count int) int {
		for id, used := range v.seen {
			at := id * page
			if id > 1 && used && n.Uint16(x.file[at+8:]) == kind && int(n.Uint16(x.file[at+10:])) >= count && n.Uint64(x.file[at:]) == uint64(id) {
				return at
			}
		}
		t.Fatalf("no page of kind %d with %d elements in the sample", kind, count)
		return 0
	}
	branch, leaf := find(branchPage, 2), find(leafPage, 2)
	pgid := func(f []byte, i int) []byte { return f[branch+pageHeader+i*element+8:][:8] }
	for _, c := range []struct {
		name   string
		change func(f []byte)
	}{
		{"a branch to itself", func(f []byte) { n.PutUint64(pgid(f, 0), uint64(branch/page)) }},
		{"a branch to one page twice", func(f []byte) { copy(pgid(f, 0), pgid(f, 1)) }},
		{"branches the wrong way round", func(f []byte) {
			first := bytes.Clone(pgid(f, 0))
			copy(pgid(f, 0), pgid(f, 1))
			copy(pgid(f, 1), first)
		}},
		{"a branch past the end", func(f []byte) { n.PutUint64(pgid(f, 0), 1<<40) }},
		{"a branch to a page of roots", func(f []byte) { n.PutUint64(pgid(f, 0), 1) }},
		{"a branch to page 0", func(f []byte) { n.PutUint64(pgid(f, 0), 0) }},
		{"a branch without elements", func(f []byte) { n.PutUint16(f[branch+10:], 0) }},
		{"a leaf that hides elements", func(f []byte) { n.PutUint16(f[leaf+10:], 1) }},
		{"a leaf with too many elements", func(f []byte) { n.PutUint16(f[leaf+10:], 60_000) }},
		{"a page that goes on for ever", func(f []byte) { n.PutUint32(f[leaf+12:], 1<<31) }},
		{"a page of another kind", func(f []byte) { n.PutUint16(f[leaf+8:], freelistPage) }},
		{"a page with another number", func(f []byte) { f[leaf]++ }},
		{"a value past the page", func(f []byte) { n.PutUint32(f[leaf+pageHeader+12:], 1<<30) }},
		{"a key of no bytes", func(f []byte) { n.PutUint32(f[leaf+pageHeader+8:], 0) }},
		{"a key elsewhere", func(f []byte) { f[leaf+pageHeader+4]++ }},
		{"both pages of roots", func(f []byte) { f[pageHeader]++; f[page+pageHeader]++ }},
	} {
		f := bytes.Clone(x.file)
		c.change(f)
		if _, err := verifyFile(bytes.NewReader(f), int64(len(f))); !errors.Is(err, missed.ErrDamaged) {
			t.Errorf("%s: verifyFile() = %v, want ErrDamaged", c.name, err)
		}
	}

	// Two rooms on the same pages.
	f := bytes.Clone(x.file)
	var roots [][]byte
	for id, used := range v.seen {
		e, err := parsePage(f[id*page : (id+1)*page])
		for i := range e {
			if used && id > 1 && err == nil && e[i].bucket && n.Uint64(e[i].value) != 0 {
				roots = append(roots, e[i].value[:8])
			}
		}
	}
	copy(roots[len(roots)-1], roots[len(roots)-2])
	if _, err := verifyFile(bytes.NewReader(f), int64(len(f))); !errors.Is(err, missed.ErrDamaged) {
		t.Errorf("two rooms on the same pages: verifyFile() = %v, want ErrDamaged", err)
	}

	// One page of roots is enough, and is told.
	for i := range 2 {
		f := bytes.Clone(x.file)
		f[i*page+pageHeader]++
		if rolledBack, err := verifyFile(bytes.NewReader(f), int64(len(f))); !rolledBack || err != nil {
			t.Errorf("without page of roots %d: verifyFile() = %v, %v", i, rolledBack, err)
		}
	}
}

func reachable(t *testing.T, file []byte) *verifier {
	t.Helper()
	m, _, err := newestMeta(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	v := &verifier{file: bytes.NewReader(file), meta: m, seen: make([]bool, m.pages)}
	if err := v.page(m.root, nil, nil, 0); err != nil {
		t.Fatal(err)
	}
	return v
}

// FuzzVerifyNeverPanics changes a good file in a few places: verify ends, with
// an answer.
func FuzzVerifyNeverPanics(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 2, 3})
	var file []byte
	f.Fuzz(func(t *testing.T, changes []byte) {
		if file == nil {
			file = makeSample(t, seeds(t)).file
		}
		b := bytes.Clone(file)
		for ; len(changes) >= 4; changes = changes[4:] {
			at := int(binary.BigEndian.Uint32(append([]byte{0}, changes[:3]...))) % len(b)
			b[at] ^= changes[3]
		}
		if _, err := verifyFile(bytes.NewReader(b), int64(len(b))); err != nil && !errors.Is(err, missed.ErrDamaged) {
			t.Errorf("verifyFile() = %v", err)
		}
	})
}

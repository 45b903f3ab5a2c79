package index

import (
	"encoding/binary"
	"sort"
	"sync"
)

// maxPreamble is how many bytes of descriptions are kept. More than that
// no program writes.
const maxPreamble = 16 << 20

// A preamble is written a capture file, from its first byte on, and keeps what
// a later packet cannot be read without: the header of a pcap file, the section
// and interface blocks of a pcapng file. It does not judge: what makes no sense
// ends it, as it ends the reader that sees the same bytes.
type preamble struct {
	mu   sync.Mutex
	kept []byte
	ends []place // of each block in kept

	off   int64 // of the next byte in the file
	head  []byte
	keep  int   // bytes of the block under way that are still to be kept
	skip  int64 // bytes that are still to be passed over
	order binary.ByteOrder
	over  bool
}

// A place says that the block that began at off is in kept before end.
type place struct {
	off int64
	end int
}

// before returns what is to be read before the packet at off.
func (m *preamble) before(off int64) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := sort.Search(len(m.ends), func(i int) bool { return m.ends[i].off >= off })
	if n == 0 {
		return nil
	}
	return m.kept[:m.ends[n-1].end:m.ends[n-1].end]
}

// Write takes in the next bytes of the file. It never fails.
func (m *preamble) Write(b []byte) (int, error) {
	n := len(b)
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(b) > 0 && !m.over {
		switch {
		case m.keep > 0:
			k := min(m.keep, len(b))
			m.kept = append(m.kept, b[:k]...)
			b, m.keep, m.off = b[k:], m.keep-k, m.off+int64(k)
			m.ends[len(m.ends)-1].end = len(m.kept)
		case m.skip > 0:
			k := int(min(m.skip, int64(len(b))))
			b, m.skip, m.off = b[k:], m.skip-int64(k), m.off+int64(k)
		default:
			k := min(12-len(m.head), len(b))
			m.head = append(m.head, b[:k]...)
			b, m.off = b[k:], m.off+int64(k)
			if len(m.head) == 12 {
				m.block(m.off-12, m.head)
				m.head = m.head[:0]
			}
		}
	}
	return n, nil
}

// block decides about the block at off, which begins with h.
func (m *preamble) block(off int64, h []byte) {
	section := binary.LittleEndian.Uint32(h) == 0x0A0D0D0A
	if off == 0 && !section { // pcap: 24 bytes, and nothing else is needed
		m.begin(off, h, 24)
		m.skip = 1<<63 - 1
		return
	}
	if section {
		m.order = binary.LittleEndian
		if binary.BigEndian.Uint32(h[8:]) == 0x1A2B3C4D {
			m.order = binary.BigEndian
		}
	}
	size := m.order.Uint32(h[4:])
	switch {
	case size < 12:
		m.over = true
	case section || m.order.Uint32(h) == 1:
		m.begin(off, h, int(size))
	default:
		m.skip = int64(size) - 12
	}
}

// begin keeps a block of size bytes.
func (m *preamble) begin(off int64, h []byte, size int) {
	if len(m.kept)+size > maxPreamble {
		m.over = true
		return
	}
	m.kept = append(m.kept, h...)
	m.keep = size - len(h)
	m.ends = append(m.ends, place{off, len(m.kept)})
}

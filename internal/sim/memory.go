package sim

import (
	"context"

	"github.com/tetratelabs/wazero/experimental"
)

// firstMemory is the capacity that a guest's memory begins with, in bytes: a
// Go program asks for more many times, and each move copies all of it.
const firstMemory = 16 << 20

// memory is the linear memory of one guest. It only grows.
type memory struct {
	limit   int64
	buf     []byte
	size    int64 // the most that buf had
	refused bool  // the guest asked for more than limit
}

// bind makes the instance that is started with the result use m.
func (m *memory) bind(ctx context.Context) context.Context {
	return experimental.WithMemoryAllocator(ctx, m)
}

// Allocate implements experimental.MemoryAllocator. What follows has one memory.
func (m *memory) Allocate(_, _ uint64) experimental.LinearMemory { return m }

// Reallocate implements experimental.LinearMemory: nil fails the guest's request.
func (m *memory) Reallocate(size uint64) []byte {
	if size > uint64(m.limit) {
		m.refused = true
		return nil
	}
	if n := int64(size); n <= int64(cap(m.buf)) {
		m.buf = m.buf[:n] // never written beyond its length, so zero
	} else {
		grown := make([]byte, n, max(n, min(m.limit, max(firstMemory, 2*int64(cap(m.buf))))))
		copy(grown, m.buf)
		m.buf = grown
	}
	m.size = int64(size)
	return m.buf
}

// Free implements experimental.LinearMemory.
func (m *memory) Free() { m.buf = nil }

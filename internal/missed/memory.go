package missed

import "io"

// Memory is a Store that is not durable. Use NewMemory.
type Memory struct{}

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{} }

func (m *Memory) Load(fn func(Record) error) error                { return nil }
func (m *Memory) Commit(c *Change) error                          { return nil }
func (m *Memory) Read(k Key, from uint64, max int) (Block, error) { return Block{}, io.EOF }
func (m *Memory) Close() error                                    { return nil }
func (m *Memory) Ephemeral()                                      {}

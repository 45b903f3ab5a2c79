package missed

import (
	"log/slog"
	"time"
)

// A Config says what a Queue keeps and where.
type Config struct {
	Store      Store        // required: NewMemory() or one that is durable
	Limits     Limits       // per room
	TotalBytes int64        // over all rooms; if zero, DefaultTotalBytes; negative: no limit
	Policy     Policy       // what happens when a limit is reached
	HotBytes   int64        // with a durable store: of each room, kept in memory; if zero, 1 MiB
	Dedup      Dedup        // how many message ids are remembered
	Logger     *slog.Logger // if nil, nothing is logged
}

// Dedup bounds the memory of message ids.
type Dedup struct {
	Count int           // if zero, 100,000; negative: none
	Age   time.Duration // if zero, 10 minutes
}

// A Queue is the logs of all rooms and what outlives a restart.
type Queue struct{}

func Open(cfg Config) (*Queue, error)                                         { return &Queue{}, nil }
func (q *Queue) OnVisible(fn func(*Log))                                      {}
func (q *Queue) Log(k Key) *Log                                               { return &Log{q: q} }
func (q *Queue) Lookup(k Key) *Log                                            { return nil }
func (q *Queue) Keys() []Key                                                  { return nil }
func (q *Queue) Drop(k Key)                                                   {}
func (q *Queue) Put(table, key string, value []byte)                          {}
func (q *Queue) Each(table string, fn func(key string, v []byte) error) error { return nil }
func (q *Queue) After(fn func(err error))                                     {}
func (q *Queue) Expire(now time.Time)                                         {}
func (q *Queue) Stats() Stats                                                 { return Stats{} }
func (q *Queue) Close() error                                                 { return nil }

// Stats are a queue's counters.
type Stats struct {
	Rooms        int
	Events       int64 // kept now
	Bytes        int64 // kept now
	HotBytes     int64 // of them in memory
	Pending      int64 // bytes that wait for the store
	Commits      uint64
	Stored       uint64 // events in those commits
	LargestBatch int    // events in the largest of them
	Trimmed      uint64 // events dropped by limits
	Duplicates   uint64 // publishes that had been seen before
	StoreErrors  uint64
}

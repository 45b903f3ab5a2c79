package missed

import "sync/atomic"

// Stats are a queue's figures: gauges of now, and counters since Open.
type Stats struct {
	Rooms   int
	Events  int64 // visible events that are kept
	Bytes   int64 // what all events take, waiting ones included
	Hot     int64 // of Bytes, in memory
	Pending int64 // of Bytes, waiting for the store

	Commits      uint64 // successful ones, each with one wait for the disk
	Stored       uint64 // events in them
	LargestBatch uint64 // most events in one of them
	Trimmed      uint64 // events dropped by limits
	Duplicates   uint64 // publishes of what had been published before
	RolledBack   uint64 // events that a failed commit took back
	StoreErrors  uint64 // failed commits and reads
}

type counters struct {
	commits, stored, largestBatch atomic.Uint64
	trimmed, duplicates           atomic.Uint64
	rolledBack, storeErrors       atomic.Uint64
}

// Stats returns the figures of now. It visits every log.
func (q *Queue) Stats() Stats {
	c := &q.stats
	s := Stats{
		Bytes: q.bytes.Load(), Pending: q.pending.Load(),
		Commits: c.commits.Load(), Stored: c.stored.Load(), LargestBatch: c.largestBatch.Load(),
		Trimmed: c.trimmed.Load(), Duplicates: c.duplicates.Load(),
		RolledBack: c.rolledBack.Load(), StoreErrors: c.storeErrors.Load(),
	}
	s.Hot = s.Bytes
	for _, l := range q.logs() {
		s.Rooms++
		s.Events += int64(l.Count())
		l.mu.Lock()
		if l.cold != nil {
			for _, span := range l.cold.spans {
				s.Hot -= span.bytes
			}
		}
		l.mu.Unlock()
	}
	return s
}

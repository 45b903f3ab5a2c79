package check

import (
	"sync"
	"time"
)

// lagTick is how often a lag looks at the clock.
const lagTick = 5 * time.Millisecond

// lagKept is how many delays a lag keeps.
const lagKept = 4096

// A lag watches how late this process's timers are: on a machine that is too
// busy, time says nothing about the program.
type lag struct {
	stop chan struct{}
	done chan struct{}

	mu   sync.Mutex
	late []delay // more than noise, the newest last
}

type delay struct {
	at time.Time
	by time.Duration
}

func newLag() *lag {
	l := &lag{stop: make(chan struct{}), done: make(chan struct{})}
	go l.run()
	return l
}

func (l *lag) run() {
	defer close(l.done)
	for timer := time.NewTimer(lagTick); ; timer.Reset(lagTick) {
		before := time.Now()
		select {
		case <-l.stop:
			return
		case <-timer.C:
		}
		now := time.Now()
		if by := now.Sub(before) - lagTick; by > lagTick {
			l.mu.Lock()
			if l.late = append(l.late, delay{now, by}); len(l.late) > lagKept {
				l.late = l.late[1:]
			}
			l.mu.Unlock()
		}
	}
}

// worst returns the largest delay between two instants.
func (l *lag) worst(from, to time.Time) (by time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.late {
		if d.at.After(from) && d.at.Add(-d.by).Before(to) {
			by = max(by, d.by)
		}
	}
	return by
}

func (l *lag) close() {
	close(l.stop)
	<-l.done
}

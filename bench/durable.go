//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"wirelab/internal/wire"
)

// An acks is a process of Publishers that each emit an event with an
// acknowledgement, wait for it, and emit the next. Each is alone in a room of
// its own, so what is measured is storing, not fan-out.
type acks struct {
	Addr       netip.AddrPort
	Source     netip.Addr
	Room       string
	Publishers int
	Warm       time.Duration
	Measure    time.Duration
}

// acksResult is what it measured.
type acksResult struct {
	Acked   uint64 // in Elapsed
	Elapsed time.Duration
}

func (a acks) run() (r acksResult, err error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return r, err
	}
	defer unix.Close(epoll)
	all := make([]publisher, a.Publishers)
	for i := range all {
		p := &all[i]
		if p.conn, err = dial(a.Addr, netip.AddrPortFrom(a.Source, 0)); err != nil {
			return r, err
		}
		defer p.close()
		p.room = fmt.Sprintf("%s-%d", a.Room, i)
		if err := (wirelabProtocol{}).join(p.conn, p.room, fmt.Sprintf("publisher-%d", i)); err != nil {
			return r, fmt.Errorf("publisher %d: %w", i, err)
		}
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, p.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}); err != nil {
			return r, err
		}
		if err := p.emit(); err != nil {
			return r, err
		}
	}
	began := time.Now()
	end := began.Add(a.Warm + a.Measure)
	var from time.Time
	for now, heard := began, began; now.Before(end); now = time.Now() {
		if now.Sub(heard) > stalled {
			return r, fmt.Errorf("no acknowledgement for %v", stalled)
		}
		if from.IsZero() && now.Sub(began) >= a.Warm {
			from, r.Acked = now, 0
		}
		var events [128]unix.EpollEvent
		n, err := unix.EpollWait(epoll, events[:], 10)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return r, err
		}
		for _, event := range events[:max(n, 0)] {
			acked, err := all[event.Fd].receive()
			if err != nil {
				return r, fmt.Errorf("publisher %d: %w", event.Fd, err)
			}
			if acked {
				r.Acked++
				heard = now
			}
		}
	}
	r.Elapsed = time.Since(from)
	return r, nil
}

// A publisher has one event under way.
type publisher struct {
	*conn
	room string
	id   uint64
	seq  uint64 // of the last event acknowledged
}

func (p *publisher) emit() error {
	p.id++
	payload := make([]byte, payloadSize)
	putNumber(payload, p.id)
	return wirelabProtocol{}.send(p.conn, &wire.Envelope{
		Kind: wire.KindEvent, Flags: wire.FlagAck | wire.FlagBinary, ID: p.id,
		Room: []byte(p.room), Event: []byte(benchEvent), Args: payload,
	})
}

// receive reads what has come. At the acknowledgement, which must be for the
// event under way and one place further in the room's log, it emits the next.
func (p *publisher) receive() (acked bool, err error) {
	if _, err := p.fill(unix.MSG_DONTWAIT); err != nil {
		return false, err
	}
	for {
		b := p.buf[p.start:p.end]
		size, _, answer, err := wirelabProtocol{}.next(b)
		if err != nil || size == 0 {
			return acked, err
		}
		p.start += size
		if answer != nil {
			if err := p.write(answer); err != nil {
				return acked, err
			}
		}
		e, err := wire.Decode(b[wire.LengthSize:size])
		if err != nil || e.Kind != wire.KindAck {
			continue
		}
		switch {
		case e.Flags&wire.FlagFailed != 0:
			return acked, fmt.Errorf("event %d was refused: %s", p.id, e.Args)
		case e.ID != p.id, p.seq != 0 && e.Seq != p.seq+1:
			return acked, fmt.Errorf("ack of event %d at %d, want event %d at %d", e.ID, e.Seq, p.id, p.seq+1)
		}
		p.seq, acked = e.Seq, true
		if err := p.emit(); err != nil {
			return acked, err
		}
	}
}

// durable measures acknowledged events: each was on disk before its
// acknowledgement. The reference is what the same disk does in the same
// minute: appending 4 KiB to a file and waiting until it is there.
func (b *bench) durable() (rows []row, err error) {
	wirelab, err := b.startWirelab("--data", filepath.Join(b.Dir, "durable"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, wirelab.stop()) }()
	crowds := []int{1, 10, 100}
	rates := make([][]float64, len(crowds))
	var syncs []float64
	for range (b.Rounds + 1) / 2 {
		for i, publishers := range crowds {
			n, err := syncRate(b.Dir, b.Duration/3)
			if err != nil {
				return nil, err
			}
			syncs = append(syncs, n)
			b.rooms++
			var r acksResult
			if err := role("acks", acks{
				Addr: wirelab.Addr, Source: b.source(), Room: fmt.Sprintf("bench-%d", b.rooms),
				Publishers: publishers, Warm: 200 * time.Millisecond, Measure: b.Duration,
			}, &r); err != nil {
				return nil, fmt.Errorf("%d publishers: %w", publishers, err)
			}
			rates[i] = append(rates[i], float64(r.Acked)/r.Elapsed.Seconds())
			b.progress("durable: %3d publishers: %8s acked events/s; the disk: %8s syncs/s", publishers, number(rates[i][len(rates[i])-1]), number(n))
		}
	}
	for i, publishers := range crowds {
		what := fmt.Sprintf("durable, %d publishers", publishers)
		if publishers == 1 {
			what = "durable, 1 publisher"
		}
		r := row{What: what, Unit: "acked events/s", Reference: "fsyncs/s", Base: median(syncs), Value: median(rates[i])}
		if i > 0 {
			// Group commit: more publishers, more events in a batch.
			r.Bar.Least = rows[i-1].Value
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// syncRate returns how often per second dir's disk takes 4 KiB more of a file
// for good.
func syncRate(dir string, d time.Duration) (float64, error) {
	f, err := os.CreateTemp(dir, "sync-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, 4096)
	n, at := 0, time.Now()
	for time.Since(at) < d {
		if _, err := f.Write(page); err != nil {
			return 0, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, fmt.Errorf("fdatasync: %w", err)
		}
		n++
	}
	return float64(n) / time.Since(at).Seconds(), nil
}

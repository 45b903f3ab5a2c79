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

// backlog is how many events a member misses.
const backlog = 100_000

// An absentee is a member with the missed-message queue.
type absentee struct {
	room    string
	session string
	secret  string
}

// leave joins the room, as a new session, and goes away.
func (a *absentee) leave(addr netip.AddrPort, source netip.Addr) error {
	c, err := dial(addr, netip.AddrPortFrom(source, 0))
	if err != nil {
		return err
	}
	defer c.close()
	p := wirelabProtocol{}
	var answer wire.Connected
	if err := p.connect(c, map[string]any{"name": "absentee", "session": wire.SessionNew}, &answer); err != nil {
		return err
	}
	a.session, a.secret = answer.Session, answer.Secret
	if a.secret == "" {
		return errors.New("no session was given")
	}
	_, err = p.request(c, 1, "join", a.room)
	return err
}

// comeBack resumes the session and returns how long it takes from asking until
// the last of the events is there. With check every event is looked at, without
// it their bytes are counted. It consumes nothing, so it can be repeated.
func (a *absentee) comeBack(addr netip.AddrPort, source netip.Addr, check bool) (time.Duration, error) {
	c, err := dial(addr, netip.AddrPortFrom(source, 0))
	if err != nil {
		return 0, err
	}
	defer c.close()
	p := wirelabProtocol{}
	var answer wire.Connected
	at := time.Now()
	if err := p.connect(c, map[string]any{"name": "absentee", "session": wire.SessionResume, "id": a.session, "secret": a.secret}, &answer); err != nil {
		return 0, err
	}
	a.secret = answer.Secret
	if !answer.Resumed {
		return 0, errors.New("the session was not resumed")
	}
	for n := uint64(0); n < backlog; n++ {
		b, err := c.message(p)
		if err != nil {
			return 0, fmt.Errorf("after %d events: %w", n, err)
		}
		_, payload, _, err := p.next(b)
		if err != nil {
			return 0, err
		}
		if payload == nil {
			if err := a.position(b); err != nil {
				return 0, fmt.Errorf("after %d events: %w", n, err)
			}
			n--
			continue
		}
		if err := checkPayload(payload, n); err != nil {
			return 0, err
		}
		if !check {
			want := len(b)*(backlog-1) - (c.end - c.start)
			for want > 0 {
				if _, err := unix.Poll([]unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}, int(stalled.Milliseconds())); err != nil && err != unix.EINTR {
					return 0, err
				}
				got, err := c.discard(want)
				if err != nil {
					return 0, err
				}
				if want -= got; time.Since(at) > stalled {
					return 0, fmt.Errorf("%d bytes are missing", want)
				}
			}
			break
		}
	}
	return time.Since(at), nil
}

// position looks at a frame that is no event: it must not say that something
// was lost.
func (a *absentee) position(frame []byte) error {
	e, err := wire.Decode(frame[wire.LengthSize:])
	if err != nil || e.Kind != wire.KindCursor {
		return err
	}
	var p wire.Position
	if err := wire.DecodeBody(e.Args, &p); err != nil {
		return err
	}
	if p.Lost > 0 {
		return fmt.Errorf("the server says that %d events were lost: %s", p.Lost, p.Reason)
	}
	return nil
}

// fillBatch divides the 99,999 events that follow the first.
const fillBatch = 369

// fill publishes the backlog into room: a round of the fan-out with the
// publisher alone, which reads its own.
func fill(addr netip.AddrPort, source netip.Addr, room string) error {
	l := load{fanout: fanout{Server: "wirelab", Addr: addr, Source: source, Room: room, Members: 1, Window: 8192, Batch: fillBatch}, protocol: wirelabProtocol{}}
	defer l.shut()
	if err := l.connect(); err != nil {
		return err
	}
	return l.exactly(backlog)
}

// catchup measures how fast a member that comes back gets what it missed, from
// memory and from a server that was started again and has all on disk. The
// reference is how fast one member that stays gets live events.
func (b *bench) catchup() (rows []row, err error) {
	live, memory, err := b.catchUpMemory()
	if err != nil {
		return nil, err
	}
	disk, err := b.catchUpDisk()
	if err != nil {
		return nil, err
	}
	return []row{
		{What: "catching up 100,000 events, from memory", Unit: "events/s", Reference: "live, one member", Base: live, Value: memory, Bar: bar{Ratio: 1}},
		{What: "catching up 100,000 events, from disk", Unit: "events/s", Reference: "live, one member", Base: live, Value: disk, Bar: bar{Least: 300_000}},
	}, nil
}

func (b *bench) catchUpMemory() (live, memory float64, err error) {
	wirelab, err := b.startWirelab()
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, wirelab.stop()) }()
	c := &contender{name: "wirelab", server: wirelab}
	a := absentee{room: "absence"}
	if err := a.leave(wirelab.Addr, b.source()); err != nil {
		return 0, 0, err
	}
	if err := fill(wirelab.Addr, b.source(), a.room); err != nil {
		return 0, 0, err
	}
	if _, err := a.comeBack(wirelab.Addr, b.source(), true); err != nil {
		return 0, 0, fmt.Errorf("from memory: %w", err)
	}
	var lives, rates []float64
	for range b.Rounds {
		r, err := b.fan(c, fanout{Members: 1, Window: 8192, Warm: 100 * time.Millisecond, Measure: b.Duration / 3})
		if err != nil {
			return 0, 0, err
		}
		lives = append(lives, r.rate())
		took, err := a.comeBack(wirelab.Addr, b.source(), false)
		if err != nil {
			return 0, 0, fmt.Errorf("from memory: %w", err)
		}
		rates = append(rates, backlog/took.Seconds())
		b.progress("catch-up from memory: %d events in %v", backlog, took)
	}
	return median(lives), median(rates), nil
}

func (b *bench) catchUpDisk() (_ float64, err error) {
	dir := filepath.Join(b.Dir, "absence")
	a := absentee{room: "absence"}
	wirelab, err := b.startWirelab("--data", dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, wirelab.stop()) }()
	if err := a.leave(wirelab.Addr, b.source()); err != nil {
		return 0, err
	}
	if err := fill(wirelab.Addr, b.source(), a.room); err != nil {
		return 0, err
	}
	var rates []float64
	for i := range b.Rounds + 1 {
		if err := wirelab.stop(); err != nil {
			return 0, err
		}
		if err := forget(dir); err != nil {
			return 0, err
		}
		again, err := b.startWirelab("--data", dir)
		if err != nil {
			return 0, err
		}
		wirelab = again
		took, err := a.comeBack(wirelab.Addr, b.source(), i == 0)
		if err != nil {
			return 0, fmt.Errorf("from disk: %w", err)
		}
		if i > 0 { // the first one checked each event
			rates = append(rates, backlog/took.Seconds())
			b.progress("catch-up from disk: %d events in %v", backlog, took)
		}
	}
	return median(rates), nil
}

// forget drops the files of dir from the kernel's cache, so that they are
// read from the disk.
func forget(dir string) error {
	return filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	})
}

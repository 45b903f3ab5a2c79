//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// An idleCrowd is a process that only has members: they join and answer pings.
type idleCrowd struct {
	Addr    netip.AddrPort
	Source  netip.Addr // and the ones after it, one for each 5,000 members
	Members int
	PerRoom int
}

// run connects, says "joined" on out, and keeps the members alive until in ends.
func (i idleCrowd) run(in io.Reader, out io.Writer) error {
	if err := raiseFiles(uint64(i.Members) + 100); err != nil {
		return err
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	p := wirelabProtocol{}
	conns := make([]*conn, i.Members)
	source := i.Source
	for n := range conns {
		if n > 0 && n%5000 == 0 {
			source = source.Next()
		}
		c, err := dial(i.Addr, netip.AddrPortFrom(source, 0))
		if err != nil {
			return err
		}
		defer c.close()
		if err := p.join(c, fmt.Sprintf("room-%d", n/i.PerRoom), fmt.Sprintf("member-%d", n)); err != nil {
			return fmt.Errorf("member %d: %w", n, err)
		}
		conns[n] = c
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, c.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(n)}); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "joined")
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, in)
		ended <- err
	}()
	for {
		select {
		case err := <-ended:
			return err
		default:
		}
		var events [256]unix.EpollEvent
		n, err := unix.EpollWait(epoll, events[:], 100)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		for _, event := range events[:max(n, 0)] {
			c := conns[event.Fd]
			if _, err := c.fill(unix.MSG_DONTWAIT); err != nil {
				return fmt.Errorf("member %d: %w", event.Fd, err)
			}
			for {
				size, _, answer, err := p.next(c.buf[c.start:c.end])
				if err != nil {
					return fmt.Errorf("member %d: %w", event.Fd, err)
				}
				if size == 0 {
					break
				}
				c.start += size
				if answer != nil {
					if err := c.write(answer); err != nil {
						return err
					}
				}
			}
		}
	}
}

// idle measures what members cost that say nothing: memory, and CPU over ten
// seconds. The server is the program as it is; nothing makes it collect
// garbage but its own runtime.
func (b *bench) idle() (rows []row, err error) {
	const members, perRoom = 10_000, 50
	if err := raiseFiles(members + 1000); err != nil { // the server inherits it
		return nil, err
	}
	wirelab, err := b.startWirelab()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, wirelab.stop()) }()
	before, err := settled(wirelab.pid())
	if err != nil {
		return nil, err
	}
	stop, err := startCrowd(idleCrowd{Addr: wirelab.Addr, Source: netip.AddrFrom4([4]byte{127, 0, 2, 1}), Members: members, PerRoom: perRoom})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	joined, err := resident(wirelab.pid())
	if err != nil {
		return nil, err
	}
	after, err := settled(wirelab.pid())
	if err != nil {
		return nil, err
	}
	b.progress("idle: %d members in rooms of %d: %d KiB before, %d KiB when all had joined, %d KiB settled", members, perRoom, before>>10, joined>>10, after>>10)

	const interval = 10 * time.Second
	cpu, err := cpuTime(wirelab.pid())
	if err != nil {
		return nil, err
	}
	at := time.Now()
	time.Sleep(interval)
	elapsed := time.Since(at)
	now, err := cpuTime(wirelab.pid())
	if err != nil {
		return nil, err
	}
	return []row{
		{What: "10,000 idle TCP members, each", Unit: "KiB resident", Value: float64(after-before) / 1024 / members, Bar: bar{Most: 12}},
		{What: "10,000 idle TCP members", Unit: "% of one CPU", Value: 100 * (now - cpu).Seconds() / elapsed.Seconds(), Bar: bar{Most: 1}},
	}, nil
}

// settled returns the resident memory of process pid once it has stayed within
// 1 % for three seconds, or what it is after twenty.
func settled(pid int) (int64, error) {
	var last [4]int64
	for n := range 40 {
		r, err := resident(pid)
		if err != nil {
			return 0, err
		}
		copy(last[:], last[1:])
		last[3] = r
		lo, hi := int64(math.MaxInt64), int64(0)
		for _, r := range last {
			lo, hi = min(lo, r), max(hi, r)
		}
		if n >= len(last) && hi-lo <= hi/100 {
			break
		}
		time.Sleep(time.Second / 2)
	}
	return last[3], nil
}

// startCrowd starts the process and returns once all have joined.
func startCrowd(crowd idleCrowd) (stop func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	order, err := json.Marshal(crowd)
	if err != nil {
		return nil, err
	}
	cmd, log := command(self, "role", "idle", string(order))
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() error {
		in.Close()
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("idle: %w%s", err, log)
		}
		return nil
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "joined\n" {
		return nil, errors.Join(errors.New("the idle members could not join"), stop())
	}
	return stop, nil
}

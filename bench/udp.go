//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// udpCrowd is the room size of the UDP fan-out.
const udpCrowd = 100

// udpWindows are tried like those of TCP. Four thousand small datagrams fit a
// receive buffer of 4 MiB with what the kernel counts for each.
var udpWindows = []int{128, 512, 2048}

// udp measures one publisher and members over UDP, beside a loop around
// sendmmsg(2) that sends datagrams of the same size to as many sockets.
func (b *bench) udp() (rows []row, err error) {
	wirelab, err := b.startWirelab()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, wirelab.stop()) }()
	bare, err := startBare()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()

	ours := &contender{name: "wirelab", server: wirelab}
	reference := &contender{name: "bare", server: bare}
	size := 0
	for _, c := range []*contender{ours, reference} {
		best := 0.0
		for _, w := range udpWindows {
			r, err := b.fanUDP(c, udpFan{Window: w, Size: size, Warm: 100 * time.Millisecond, Measure: 300 * time.Millisecond})
			if err != nil {
				return nil, err
			}
			if size = r.Size; r.rate() > best {
				best, c.window = r.rate(), w
			}
		}
	}
	for range b.Rounds {
		for _, c := range []*contender{reference, ours} {
			r, err := b.fanUDP(c, udpFan{Window: c.window, Size: size, Warm: 200 * time.Millisecond, Measure: b.Duration})
			if err != nil {
				return nil, err
			}
			c.rate, c.perCPU = append(c.rate, r.rate()), append(c.perCPU, r.perCPU())
		}
	}
	what := fmt.Sprintf("UDP fan-out, %d members", udpCrowd)
	return []row{
		{What: what, Unit: "datagrams/s", Reference: "bare sendmmsg", Base: median(reference.rate), Value: median(ours.rate), Bar: bar{Ratio: 0.7}},
		{What: what, Unit: "datagrams/CPU-s", Reference: "bare sendmmsg", Base: median(reference.perCPU), Value: median(ours.perCPU)},
	}, nil
}

// fanUDP runs one round against c.
func (b *bench) fanUDP(c *contender, f udpFan) (r udpResult, err error) {
	b.rooms++
	f.Server, f.Addr, f.PID = c.name, c.server.Addr, c.server.pid()
	f.Source, f.Room, f.Members = b.source(), fmt.Sprintf("bench-%d", b.rooms), udpCrowd
	if err := role("udpfan", f, &r); err != nil {
		return r, fmt.Errorf("%s over UDP, window %d: %w", c.name, f.Window, err)
	}
	b.progress("%-8s %5d members over UDP, window %5d: %8s datagrams/s, %8s per CPU second, %d lost (server %.2f CPUs, load %.2f)", c.name, f.Members, f.Window,
		number(r.rate()), number(r.perCPU()), r.Lost, r.ServerCPU.Seconds()/r.Elapsed.Seconds(), r.LoadCPU.Seconds()/r.Elapsed.Seconds())
	if total := r.Published * uint64(f.Members); r.Lost > total/1000 {
		return r, fmt.Errorf("%s over UDP lost %d of %d datagrams", c.name, r.Lost, total)
	}
	return r, nil
}

// startBare starts the UDP reference.
func startBare() (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	s, err := start(command(self, "role", "bare", addr.String()))
	if err != nil {
		return nil, err
	}
	s.Addr = addr
	return s, s.await()
}

//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// crowds are the room sizes of the fan-out, publisher included.
var crowds = []int{10, 100, 1000}

// windows are how far the publisher may be ahead of the slowest member, in
// messages. Too small a window starves a server, too large a one only fills
// its buffers, and where that turns is not the same for all of them: so each
// server first tries them, and is measured with the one that suited it best.
func windows(members int) []int {
	all := []int{1024, 4096, 16384, 65536}
	for i, w := range all {
		if i > 1 && w*members > 4_000_000 { // more would take seconds to drain
			return all[:i]
		}
	}
	return all
}

// contender is a server in the fan-out.
type contender struct {
	name   string
	server *server
	window int
	rate   []float64 // of each round
	perCPU []float64
}

// tcp measures one publisher in a room: NATS core and wirelab in turns.
func (b *bench) tcp() (rows []row, err error) {
	reference, err := startNATS()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, reference.stop()) }()
	wirelab, err := b.startWirelab()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, wirelab.stop()) }()

	for _, members := range crowds {
		pair := []*contender{{name: "nats", server: reference}, {name: "wirelab", server: wirelab}}
		if err := b.tryWindows(pair, members); err != nil {
			return rows, err
		}
		for range b.Rounds {
			for _, c := range pair {
				r, err := b.fan(c, fanout{Members: members, Window: c.window, Warm: 200 * time.Millisecond, Measure: b.Duration})
				if err != nil {
					return rows, err
				}
				c.rate, c.perCPU = append(c.rate, r.rate()), append(c.perCPU, r.perCPU())
			}
		}
		nats, ours := pair[0], pair[1]
		what := fmt.Sprintf("TCP fan-out, %d members", members)
		rows = append(rows,
			row{What: what, Unit: "deliveries/s", Reference: "NATS core", Base: median(nats.rate), Value: median(ours.rate), Bar: bar{Ratio: 3}},
			row{What: what, Unit: "deliveries/CPU-s", Reference: "NATS core", Base: median(nats.perCPU), Value: median(ours.perCPU), Bar: bar{Ratio: 3}})
	}
	return rows, nil
}

// tryWindows finds the window that suits each of the pair, and has every byte
// of one more round parsed and checked.
func (b *bench) tryWindows(pair []*contender, members int) error {
	best := make([]float64, len(pair))
	for range 2 { // what else the machine does may spoil one try
		for _, w := range windows(members) {
			for i, c := range pair {
				r, err := b.fan(c, fanout{Members: members, Window: w, Warm: 100 * time.Millisecond, Measure: b.Duration / 6})
				if err != nil {
					return err
				}
				if r.rate() > best[i] {
					best[i], c.window = r.rate(), w
				}
			}
		}
	}
	for _, c := range pair {
		if _, err := b.fan(c, fanout{Members: members, Window: 1024, Measure: 100 * time.Millisecond, Check: true}); err != nil {
			return err
		}
	}
	return nil
}

// fan runs one round against c.
func (b *bench) fan(c *contender, f fanout) (r fanoutResult, err error) {
	b.rooms++
	f.Server, f.Addr, f.PID = c.name, c.server.Addr, c.server.pid()
	f.Source = b.source()
	f.Room = fmt.Sprintf("bench-%d", b.rooms)
	f.Batch = 512
	if err := role("fanout", f, &r); err != nil {
		return r, fmt.Errorf("%s, %d members, window %d: %w", c.name, f.Members, f.Window, err)
	}
	if !f.Check {
		b.progress("%-8s %5d members, window %5d: %8s deliveries/s, %8s per CPU second (server %.2f CPUs, load %.2f)", c.name, f.Members, f.Window,
			number(r.rate()), number(r.perCPU()), r.ServerCPU.Seconds()/r.Elapsed.Seconds(), r.LoadCPU.Seconds()/r.Elapsed.Seconds())
	}
	return r, nil
}

// source returns the next loopback address to connect from.
func (b *bench) source() netip.Addr {
	b.sources = b.sources%200 + 1
	return netip.AddrFrom4([4]byte{127, 0, 1, b.sources})
}

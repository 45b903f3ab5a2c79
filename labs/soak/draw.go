// Package soak plays random fault scripts and checks what must hold in all of
// them: no acknowledged event is lost, none is handed over twice, a room's order
// is kept, and no gap goes unreported. A script that breaks a rule is shrunk to
// the smallest one that still does.
package soak

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"wirelab/labs/scenario"
)

// Draw returns the run of a seed: its members, its messages and its faults. In
// the end every host runs again and every link carries.
func Draw(seed uint64) *scenario.Scenario {
	d := &draw{rand: rand.New(rand.NewPCG(seed, 0x50a4))}
	s := &scenario.Scenario{Seed: seed}
	all := scenario.Transports()
	for i := range 2 + d.rand.IntN(3) {
		m := scenario.Member{
			Name: fmt.Sprintf("m%d", i+1), Transport: all[d.rand.IntN(len(all))],
			Up: "delay 10ms", Down: "delay 10ms",
			Messages: 1 + d.rand.IntN(25), Rate: 2 + 18*d.rand.Float64(), Size: 40 + d.rand.IntN(400),
		}
		if i == 0 || d.chance(0.4) {
			// The queue is what most rules are about.
			m.Transport = []scenario.Transport{scenario.UDPQueue, scenario.TCPQueue}[d.rand.IntN(2)]
		}
		if d.chance(0.2) {
			m.UDPBuffer = 4096 << d.rand.IntN(4)
		}
		s.Members = append(s.Members, m)
	}
	s.Server.Data = d.chance(0.6)
	if d.chance(0.25) {
		s.Server.KeepCount = 3 + d.rand.IntN(20)
		s.Server.Refuse = d.chance(0.3)
	}
	for range d.rand.IntN(7) {
		d.fault(s)
	}
	slices.SortStableFunc(d.faults, func(a, b scenario.Fault) int { return cmp.Compare(a.At, b.At) })
	s.Faults = d.faults
	return s
}

type draw struct {
	rand   *rand.Rand
	faults []scenario.Fault
}

func (d *draw) chance(p float64) bool { return d.rand.Float64() < p }

// instant returns an instant of the first seconds, when most is said.
func (d *draw) instant() time.Duration { return time.Duration(d.rand.IntN(8000)) * time.Millisecond }

// span returns how long a fault lasts: mostly short, sometimes longer than
// every timeout.
func (d *draw) span() time.Duration {
	if d.chance(0.15) {
		return 40*time.Second + time.Duration(d.rand.IntN(40))*time.Second
	}
	return time.Duration(1+d.rand.IntN(6000)) * time.Millisecond
}

// fault adds a fault and its end.
func (d *draw) fault(s *scenario.Scenario) {
	host := s.Members[d.rand.IntN(len(s.Members))].Name
	at := d.instant()
	begin, end := scenario.Fault{At: at, Host: host}, scenario.Fault{At: at + d.span(), Host: host}
	switch d.rand.IntN(6) {
	case 0:
		begin.Verb, end.Verb = scenario.Kill, scenario.Start
	case 1:
		begin.Verb, end.Verb = scenario.Kill, scenario.Start
		begin.Host, end.Host = scenario.ServerHost, scenario.ServerHost
	case 2:
		begin.Verb, end.Verb = scenario.Stop, scenario.Resume
	case 3:
		begin.Verb, end.Verb = scenario.Cut, scenario.Mend
	case 4:
		begin.Verb, end.Verb = scenario.Slow, scenario.Slow
		begin.For = time.Duration(1+d.rand.IntN(200)) * time.Millisecond
	case 5:
		begin.Verb, end.Verb = scenario.Link, scenario.Mend
		begin.At = at / 4
		begin.Link = d.impairment()
	}
	d.faults = append(d.faults, begin, end)
}

// impairment returns what a link does to its packets.
func (d *draw) impairment() string {
	pick := []string{
		fmt.Sprintf("delay %dms loss %d%%", 1+d.rand.IntN(60), 1+d.rand.IntN(40)),
		fmt.Sprintf("delay 20ms duplicate %d%%", 1+d.rand.IntN(50)),
		fmt.Sprintf("delay 40ms %dms", 5+d.rand.IntN(35)),
		fmt.Sprintf("delay 60ms reorder %d%%", 5+d.rand.IntN(50)),
		fmt.Sprintf("delay 10ms corrupt %d%%", 1+d.rand.IntN(20)),
		fmt.Sprintf("delay 10ms rate %dkbit limit %d", 50+d.rand.IntN(500), 3+d.rand.IntN(30)),
		"delay 20ms loss gemodel 5% 30%",
	}
	return pick[d.rand.IntN(len(pick))]
}

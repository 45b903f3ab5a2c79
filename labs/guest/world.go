package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"wirelab/internal/impair"
	"wirelab/internal/vnet"
	"wirelab/labs/scenario"
)

const (
	serverPort = 9000
	// graceTime is how long a run goes on after everything has arrived, so that
	// what comes twice has time to.
	graceTime = 3 * time.Second
	// connectTime is how long members may take to connect in the beginning.
	connectTime = 60 * time.Second
	pollTime    = 500 * time.Millisecond // how often it looks whether everything has arrived
)

// A world is one run.
type world struct {
	s       *scenario.Scenario
	log     *ledger
	net     *vnet.Network
	server  *server
	members []*member
	hosts   map[string]program
	keys    keyring
	raw     raw
}

// A program runs on a host and can be killed with it, and started again.
type program interface {
	start() error
	kill()
	at() *vnet.Host
}

func newWorld(s *scenario.Scenario, out io.Writer) (*world, error) {
	w := &world{s: s, hosts: make(map[string]program)}
	w.log = newLedger(s, out)
	w.net = vnet.New(vnet.Config{
		Seed: s.Seed, OnPacket: w.log.packet, OnState: w.log.state, Identify: identify,
	})
	if len(s.Members) == 0 {
		return w, w.addMachines()
	}
	srv, err := w.net.AddHost(vnet.HostConfig{
		Name: scenario.ServerHost, Addrs: addresses(1), Quiet: true,
		ReceiveBuffer: s.Server.TCPBuffer, SendBuffer: s.Server.TCPBuffer,
	})
	if err != nil {
		return nil, err
	}
	w.server = newServer(w, srv)
	w.hosts[scenario.ServerHost] = w.server
	for i := range s.Members {
		cfg := &s.Members[i]
		up, down, err := w.links(cfg)
		if err != nil {
			return nil, err
		}
		h := vnet.HostConfig{
			Name: cfg.Name, Addrs: addresses(i + 2), Up: up, Down: down,
			ReceiveBuffer: cfg.TCPBuffer, SendBuffer: cfg.TCPBuffer, UDPReceiveBuffer: cfg.UDPBuffer,
		}
		if err := w.log.fates(&h, cfg); err != nil {
			return nil, fmt.Errorf("host %s: %w", cfg.Name, err)
		}
		host, err := w.net.AddHost(h)
		if err != nil {
			return nil, fmt.Errorf("host %s: %w", cfg.Name, err)
		}
		m := newMember(w, cfg, host, up, down)
		w.members = append(w.members, m)
		w.hosts[cfg.Name] = m
	}
	return w, w.addMachines()
}

// links returns a member's access link when nothing is wrong.
func (w *world) links(cfg *scenario.Member) (up, down impair.Config, err error) {
	if up, err = impair.Parse(cfg.Up); err != nil {
		return up, down, err
	}
	if down, err = impair.Parse(cfg.Down); err != nil {
		return up, down, err
	}
	if cfg.WhatIfUp != "" {
		err = up.AddRule(cfg.WhatIfUp)
	}
	if cfg.WhatIfDown != "" && err == nil {
		err = down.AddRule(cfg.WhatIfDown)
	}
	return up, down, err
}

// addresses returns the addresses of the host number i, from networks that are
// set aside for documentation (RFC 5737, RFC 3849).
func addresses(i int) []netip.Addr {
	six := netip.MustParseAddr("2001:db8::").As16()
	six[15] = byte(i)
	return []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), netip.AddrFrom16(six)}
}

// play runs the scenario to its end.
func (w *world) play() error {
	if w.server != nil {
		if err := w.server.start(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTime)
	defer cancel()
	for _, m := range w.members {
		if err := m.start(); err != nil {
			return err
		}
		if err := m.ready(ctx); err != nil {
			return fmt.Errorf("%s does not get connected: %w", m.cfg.Name, err)
		}
	}
	begin := w.log.begin()
	w.launch(begin)
	unwatch := w.watch()
	last := time.Duration(0)
	for _, a := range plan(w.s, w.members) {
		time.Sleep(time.Until(begin.Add(a.at)))
		last = a.at
		if err := w.perform(&a); err != nil {
			return err
		}
	}
	if w.server != nil {
		w.settle(begin.Add(last))
	}
	w.settleRaw(begin)
	unwatch()
	if w.server != nil {
		w.server.tell(w.s.Explain)
	}
	return w.log.end()
}

// perform does one act of the plan.
func (w *world) perform(a *act) error {
	switch own := a.own; {
	case a.say != nil:
		a.say.say(a.n, a.text(), &scenario.Say{}, "")
	case own == nil:
		if err := w.do(a.fault); err != nil {
			return fmt.Errorf("fault %q: %w", a.fault, err)
		}
	case own.Who == scenario.ServerHost:
		w.server.say(a.n, a.text(), own)
	case own.Do == scenario.Says:
		w.member(own.Who).say(a.n, a.text(), &own.Say, own.Namespace)
	default:
		if err := w.member(own.Who).do(own); err != nil {
			return fmt.Errorf("act %q: %w", own, err)
		}
	}
	return nil
}

// member returns the member of that name. The scenario was validated.
func (w *world) member(name string) *member { return w.hosts[name].(*member) }

// nameOf returns the member that is connected under a name.
func (w *world) nameOf(name string) string {
	for _, m := range w.members {
		if p := m.proc; p != nil {
			if c := p.client(); c != nil && c.Name() == name {
				return m.cfg.Name
			}
		}
	}
	return name
}

// settle lets the run go on until everything has arrived, or for as long as
// the scenario says.
func (w *world) settle(since time.Time) {
	quiet := time.Duration(w.s.Quiet)
	if quiet == 0 {
		quiet = scenario.WholeTime
	}
	for time.Since(since) < quiet {
		if w.log.complete() {
			time.Sleep(min(graceTime, max(0, quiet-time.Since(since))))
			return
		}
		time.Sleep(pollTime)
	}
}

// do does a fault to a host.
func (w *world) do(f scenario.Fault) error {
	p := w.hosts[f.Host]
	w.log.event(&scenario.Event{Kind: scenario.EventFault, Host: f.Host, Text: f.String()})
	switch f.Verb {
	case scenario.Kill:
		p.kill()
	case scenario.Start:
		return p.start()
	case scenario.Stop:
		p.at().Stop()
	case scenario.Resume:
		p.at().Resume()
	case scenario.Slow:
		p.at().Slow(f.For)
	case scenario.Link:
		c, err := impair.Parse(f.Link)
		if err != nil {
			return err
		}
		up, down := c, c
		was := intact(p)
		up.Script = slices.Concat(was[vnet.Up].Script, c.Script) // rules about packets go on counting
		down.Script = slices.Concat(was[vnet.Down].Script, c.Script)
		return w.relink(f.Host, up, down)
	case scenario.Cut:
		cut := func(c impair.Config) impair.Config {
			c.Script = append(slices.Clone(c.Script), impair.Rule{Do: impair.Down, To: scenario.MaxTime})
			return c
		}
		was := intact(p)
		return w.relink(f.Host, cut(was[vnet.Up]), cut(was[vnet.Down]))
	case scenario.Mend:
		was := intact(p)
		return w.relink(f.Host, was[vnet.Up], was[vnet.Down])
	}
	return nil
}

// intact returns both directions of a program's link when nothing is wrong.
func intact(p program) [2]impair.Config {
	switch p := p.(type) {
	case *member:
		return [2]impair.Config{vnet.Up: p.up, vnet.Down: p.down}
	case *machine:
		return [2]impair.Config{vnet.Up: p.up, vnet.Down: p.down}
	}
	return [2]impair.Config{}
}

func (w *world) relink(host string, up, down impair.Config) error {
	return w.hosts[host].at().SetLink(up, down)
}

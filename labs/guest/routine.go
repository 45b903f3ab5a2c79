package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"wirelab/internal/vnet"
	"wirelab/labs/scenario"
)

// A routine is a program that runs: a list of statements, one after the other. The
// first that fails ends it.
type routine struct {
	m     *machine
	ctx   context.Context // of the host's life
	begin time.Time       // of the workload
	do    []scenario.Statement
	at    int
}

// prepare does the statements at the beginning that take no time.
func (r *routine) prepare() {
	for r.at < len(r.do) {
		switch r.do[r.at].Do {
		case scenario.Listen, scenario.UDPSocket, scenario.Note:
		default:
			return
		}
		if !r.step() {
			return
		}
	}
}

// play does the statements that are left.
func (r *routine) play() {
	for r.at < len(r.do) {
		if !r.step() {
			return
		}
	}
	r.m.did(r.ctx, "", "done", scenario.Event{})
}

// step does one statement. It returns false if the program ends.
func (r *routine) step() bool {
	st := &r.do[r.at]
	r.at++
	err := r.one(st)
	if err == nil {
		return true
	}
	name := st.Sock
	if name == "" {
		name = st.As
	}
	what, why := failure(err)
	if what != "" {
		r.m.did(r.ctx, name, what, scenario.Event{Text: why})
	}
	r.at = len(r.do)
	return false
}

// failure names an error. Of a host that was killed nobody hears.
func failure(err error) (what, why string) {
	cause := err
	for next := err; next != nil; next = errors.Unwrap(next) {
		cause = next
	}
	why = strings.ToLower(cause.Error())
	switch {
	case errors.Is(err, vnet.ErrKilled), errors.Is(err, context.Canceled):
		return "", ""
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused", why
	case errors.Is(err, syscall.ECONNRESET):
		return "reset", why
	case errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout", why
	}
	return "error", why
}

// hold keeps the run from ending while fn waits for an instant.
func (r *routine) hold(fn func() error) error {
	r.m.w.raw.holds.Add(1)
	defer r.m.w.raw.holds.Add(-1)
	return fn()
}

// sleep waits until an instant, and while the program is stopped.
func (r *routine) sleep(until time.Time) error {
	if d := time.Until(until); d > 0 {
		err := r.hold(func() error {
			t := time.NewTimer(d)
			defer t.Stop()
			select {
			case <-t.C:
				return nil
			case <-r.ctx.Done():
				return r.ctx.Err()
			}
		})
		if err != nil {
			return err
		}
	}
	r.m.host.Running(r.ctx)
	return r.ctx.Err()
}

func (r *routine) one(st *scenario.Statement) error {
	switch st.Do {
	case scenario.Wait:
		return r.sleep(time.Now().Add(st.For))
	case scenario.Until:
		return r.sleep(r.begin.Add(st.Until))
	case scenario.Note:
		r.m.did(r.ctx, "", "note", scenario.Event{Text: st.Text})
		return nil
	case scenario.Listen:
		return r.listen(st)
	case scenario.UDPSocket:
		return r.udp(st)
	case scenario.Connect:
		return r.connect(st)
	}
	s, err := r.m.sock(r.ctx, st.Sock)
	if err != nil {
		return err
	}
	switch st.Do {
	case scenario.Accept:
		_, err = r.accept(s, st.As)
		return err
	case scenario.Serve:
		go r.serve(s, st)
		return nil
	case scenario.ARQSend, scenario.ARQReceive, scenario.SendTo:
		if s.packets == nil {
			return fmt.Errorf("%s is no UDP socket", s.name)
		}
	case scenario.Close:
		return r.close(s)
	case scenario.Receive, scenario.Echo, scenario.Request:
		if s.listener != nil {
			return fmt.Errorf("%s is a listening socket", s.name)
		}
	case scenario.Send, scenario.Shutdown, scenario.Abort, scenario.KeepAlive:
		if s.conn == nil {
			return fmt.Errorf("%s is no TCP connection", s.name)
		}
	}
	switch st.Do {
	case scenario.Send:
		return r.send(s, st)
	case scenario.SendTo:
		return r.sendTo(s, st)
	case scenario.Receive:
		if s.packets != nil {
			return r.receiveFrom(s, st)
		}
		return r.receive(s, st)
	case scenario.Request:
		if s.packets != nil {
			return r.ask(s, st)
		}
		return r.request(s, st)
	case scenario.Echo:
		if s.packets != nil {
			return r.echoPackets(s)
		}
		return r.echo(s)
	case scenario.Shutdown:
		err := s.conn.CloseWrite()
		if err == nil {
			r.m.did(r.ctx, s.name, "shut", scenario.Event{})
		}
		return err
	case scenario.Abort:
		err := s.conn.Abort()
		if err == nil {
			r.m.did(r.ctx, s.name, "aborted", scenario.Event{})
		}
		return err
	case scenario.KeepAlive:
		return s.conn.KeepAlive(st.For, max(st.Times, 1))
	case scenario.ARQSend:
		return r.arqSend(s, st)
	case scenario.ARQReceive:
		return r.arqReceive(s, st)
	}
	return fmt.Errorf("%v: not known", st.Do)
}

func (r *routine) listen(st *scenario.Statement) error {
	l, err := r.m.host.Listen("tcp", fmt.Sprintf(":%d", st.Port))
	if err != nil {
		return err
	}
	r.m.did(r.ctx, st.As, "listening", scenario.Event{Local: r.m.local(st.Port)})
	r.m.open(&sock{m: r.m, name: st.As, listener: l})
	return nil
}

func (r *routine) udp(st *scenario.Statement) error {
	c, err := r.m.host.ListenPacket("udp", fmt.Sprintf(":%d", st.Port))
	if err != nil {
		return err
	}
	r.m.did(r.ctx, st.As, "opened", scenario.Event{Local: r.m.local(st.Port)})
	r.m.open(&sock{m: r.m, name: st.As, packets: c.(*vnet.PacketConn)})
	return nil
}

// local returns the host's address with a port.
func (m *machine) local(port int) string {
	return netip.AddrPortFrom(m.host.Addr(), uint16(port)).String()
}

// peer returns the address that a statement is for.
func (r *routine) peer(st *scenario.Statement) netip.AddrPort {
	return netip.AddrPortFrom(r.m.w.hosts[st.Peer].at().Addr(), uint16(st.Port))
}

func (r *routine) connect(st *scenario.Statement) error {
	to := r.peer(st)
	ctx := r.ctx
	if st.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, st.For)
		defer cancel()
	}
	r.m.did(r.ctx, st.As, "connecting", scenario.Event{Remote: to.String()})
	r.m.did(r.ctx, st.As, "state", scenario.Event{Text: "SYN-SENT"})
	var c net.Conn
	err := r.hold(func() (err error) {
		c, err = r.m.host.DialFrom(ctx, "tcp", uint16(st.From), to.String())
		return err
	})
	if err != nil {
		r.m.did(r.ctx, st.As, "state", scenario.Event{Text: "CLOSED"})
		return err
	}
	s := &sock{m: r.m, name: st.As, conn: c.(*vnet.Conn)}
	local := addrPort(c.LocalAddr())
	s.out, s.in = r.m.w.raw.streams.connect(local, to, r.m.cfg.Name, st.Peer)
	r.m.w.raw.states.add(s)
	s.conn.ReportState()
	r.m.did(r.ctx, st.As, "connected", scenario.Event{Local: local.String(), Remote: to.String()})
	r.m.open(s)
	return nil
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := t.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// accept waits for a connection and gives it a name.
func (r *routine) accept(l *sock, name string) (*sock, error) {
	if l.listener == nil {
		return nil, fmt.Errorf("%s is no listening socket", l.name)
	}
	c, err := l.listener.Accept()
	if err != nil {
		return nil, err
	}
	s := &sock{m: r.m, name: name, conn: c.(*vnet.Conn)}
	local, remote := addrPort(c.LocalAddr()), addrPort(c.RemoteAddr())
	s.out, s.in = r.m.w.raw.streams.accept(local, remote)
	r.m.w.raw.states.add(s)
	s.conn.ReportState()
	r.m.did(r.ctx, name, "accepted", scenario.Event{Local: local.String(), Remote: remote.String(), From: s.in.from})
	r.m.open(s)
	return s, nil
}

// serve takes in all connections until the host is killed.
func (r *routine) serve(l *sock, st *scenario.Statement) {
	for i := 1; ; i++ {
		s, err := r.accept(l, fmt.Sprintf("%s.%d", l.name, i))
		if err != nil {
			return
		}
		go func() {
			var err error
			if st.Mode == scenario.EchoAll {
				err = r.echo(s)
			} else {
				err = r.receive(s, st)
			}
			if err == nil {
				err = r.close(s)
			}
			if err == nil {
				return
			}
			if what, why := failure(err); what != "" {
				r.m.did(r.ctx, s.name, what, scenario.Event{Text: why})
			}
		}()
	}
}

func (r *routine) close(s *sock) error {
	var c io.Closer = s.conn
	switch {
	case s.listener != nil:
		c = s.listener
	case s.packets != nil:
		c = s.packets
	}
	err := c.Close()
	if err == nil {
		r.m.did(r.ctx, s.name, "closed", scenario.Event{})
	}
	return err
}

package main

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"wirelab/labs/scenario"
)

// answerTime is how long a request over UDP waits for its answer if it does not
// say.
const answerTime = time.Second

// sendTo sends datagrams.
func (r *routine) sendTo(s *sock, st *scenario.Statement) error {
	to := r.peer(st)
	return r.rounds(st, func() error { return r.datagram(s, st, to) })
}

func (r *routine) datagram(s *sock, st *scenario.Statement, to netip.AddrPort) error {
	s.m.mu.Lock()
	n := s.sends + 1
	s.m.mu.Unlock()
	b := r.body(st, n)
	if _, err := s.packets.WriteTo(b, net.UDPAddrFromAddrPort(to)); err != nil {
		return err
	}
	_, sum := s.countSent(len(b))
	r.m.did(r.ctx, s.name, "sent", scenario.Event{N: n, Size: len(b), Total: sum, Remote: to.String()})
	return nil
}

// tookDatagram writes that a datagram was read: whose message it is, or what it says.
func (r *routine) tookDatagram(s *sock, b []byte, from net.Addr) (who string, n int) {
	_, sum := s.countRead(len(b))
	e := scenario.Event{Size: len(b), Total: sum, Remote: from.String()}
	if who, n, ok := tagged(b); ok {
		e.From, e.N = who, n
	} else {
		e.Text = strings.ToValidUTF8(string(b[:min(len(b), 200)]), "�")
	}
	r.m.did(r.ctx, s.name, "received", e)
	return e.From, e.N
}

// receiveFrom reads datagrams as the statement says.
func (r *routine) receiveFrom(s *sock, st *scenario.Statement) error {
	size := st.Size
	if size == 0 {
		size = readSize
	}
	if st.Until > 0 {
		if err := s.packets.SetReadDeadline(r.begin.Add(st.Until)); err != nil {
			return err
		}
		defer s.packets.SetReadDeadline(time.Time{})
		r.m.w.raw.holds.Add(1)
		defer r.m.w.raw.holds.Add(-1)
	}
	buf := make([]byte, size)
	var next time.Time
	left := st.Bytes
	for i := 0; (st.Times == 0 || i < st.Times) && (st.Bytes == 0 || left > 0); i++ {
		if st.Every > 0 {
			if now := time.Now(); next.Before(now) {
				next = now
			}
			if i > 0 {
				if err := r.sleep(next); err != nil {
					return err
				}
			}
			next = next.Add(st.Every)
		}
		n, from, err := s.packets.ReadFrom(buf)
		if st.Until > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		left -= n
		r.tookDatagram(s, buf[:n], from)
	}
	return nil
}

// ask sends datagrams, and awaits the answer to each: the same datagram. One
// that does not come is told, and the next is sent.
func (r *routine) ask(s *sock, st *scenario.Statement) error {
	to := r.peer(st)
	wait := st.For
	if wait == 0 {
		wait = answerTime
	}
	defer s.packets.SetReadDeadline(time.Time{})
	buf := make([]byte, readSize)
	return r.rounds(st, func() error {
		if err := r.datagram(s, st, to); err != nil {
			return err
		}
		s.m.mu.Lock()
		want := s.sends
		s.m.mu.Unlock()
		if err := s.packets.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return err
		}
		return r.hold(func() error {
			for {
				n, _, err := s.packets.ReadFrom(buf)
				if errors.Is(err, os.ErrDeadlineExceeded) {
					r.m.did(r.ctx, s.name, "unanswered", scenario.Event{N: want})
					return nil
				}
				if err != nil {
					return err
				}
				_, sum := s.countRead(n)
				if _, number, ok := tagged(buf[:n]); ok && number != want {
					r.m.did(r.ctx, s.name, "late", scenario.Event{N: number, Size: n, Total: sum})
					continue
				}
				r.m.did(r.ctx, s.name, "answered", scenario.Event{N: want, Size: n, Total: sum})
				return nil
			}
		})
	})
}

// echoPackets sends each datagram back to where it came from.
func (r *routine) echoPackets(s *sock) error {
	buf := make([]byte, readSize)
	for {
		n, from, err := s.packets.ReadFrom(buf)
		if err != nil {
			return err
		}
		r.tookDatagram(s, buf[:n], from)
		if _, err := s.packets.WriteTo(buf[:n], from); err != nil {
			return err
		}
		k, sum := s.countSent(n)
		r.m.did(r.ctx, s.name, "sent", scenario.Event{N: k, Size: n, Total: sum, Remote: from.String()})
	}
}

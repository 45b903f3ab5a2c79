package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"wirelab/labs/scenario"
)

// The ARQ of textbooks (stop-and-wait, go-back-N, selective repeat), over UDP. A
// frame is a datagram that begins with its number as chat messages do; an
// acknowledgement is "ACK n", of this frame (stop-and-wait, selective repeat) or
// of all up to this (go-back-N). The timeout is fixed, numbers do not wrap. The
// transmitter hands one frame at a time to the link, at its rate, so that a
// frame's timer starts when its first bit is sent.

// headers is what IPv4 and UDP add to a frame, in bytes.
const headers = 20 + 8

// grace is how much later than its timeout a frame is sent again: an
// acknowledgement that comes at this very instant is in time.
const grace = time.Microsecond

// An arqSender sends frames numbered from 1.
type arqSender struct {
	r    *routine
	s    *sock
	st   *scenario.Statement
	to   netip.AddrPort
	slot time.Duration // a frame's time on the link

	base   int         // the first that is not acknowledged
	next   int         // the next that is new, or with go-back-N to be sent again
	top    int         // after the highest that was ever sent
	acked  []bool      // by number; of selective repeat
	due    []time.Time // when each one's timer fires
	again  []int       // whose timer has; of selective repeat
	queued []bool      // it is in again
	free   time.Time   // when the transmitter is
}

func (r *routine) arqSend(s *sock, st *scenario.Statement) error {
	a := &arqSender{
		r: r, s: s, st: st, to: r.peer(st), base: 1, next: 1, top: 1,
		acked: make([]bool, st.Frames+2), due: make([]time.Time, st.Frames+2), queued: make([]bool, st.Frames+2),
	}
	if up := r.m.up; up.Rate > 0 {
		a.slot = time.Duration(int64(st.Size+up.Overhead) * 8 * int64(time.Second) / up.Rate)
	}
	defer s.packets.SetReadDeadline(time.Time{})
	return r.hold(a.run)
}

func (a *arqSender) window() int { return max(a.st.Window, 1) }

func (a *arqSender) run() error {
	buf := make([]byte, readSize)
	for a.base <= a.st.Frames {
		now := time.Now()
		a.expire(now)
		wake := a.wake()
		if n := a.choose(); n > 0 {
			if !now.Before(a.free) {
				if err := a.send(n, now); err != nil {
					return err
				}
				continue
			}
			if wake.IsZero() || a.free.Before(wake) {
				wake = a.free
			}
		}
		if err := a.s.packets.SetReadDeadline(wake); err != nil {
			return err
		}
		k, from, err := a.s.packets.ReadFrom(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
		case err != nil:
			return err
		default:
			a.take(string(buf[:k]), from)
		}
	}
	a.r.m.did(a.r.ctx, a.s.name, "finished", scenario.Event{N: a.st.Frames})
	return nil
}

// expire looks whose timer has fired.
func (a *arqSender) expire(now time.Time) {
	if a.st.Mode != scenario.SelectiveRepeat {
		if a.base < a.next && !now.Before(a.due[a.base]) {
			a.r.m.did(a.r.ctx, a.s.name, "expired", scenario.Event{N: a.base})
			a.next = a.base
		}
		return
	}
	for n := a.base; n < a.next; n++ {
		if !a.acked[n] && !a.queued[n] && !now.Before(a.due[n]) {
			a.r.m.did(a.r.ctx, a.s.name, "expired", scenario.Event{N: n})
			a.again, a.queued[n] = append(a.again, n), true
		}
	}
}

// wake returns when the next timer fires, or zero.
func (a *arqSender) wake() (at time.Time) {
	if a.st.Mode != scenario.SelectiveRepeat {
		if a.base < a.next {
			at = a.due[a.base]
		}
		return at
	}
	for n := a.base; n < a.next; n++ {
		if !a.acked[n] && !a.queued[n] && (at.IsZero() || a.due[n].Before(at)) {
			at = a.due[n]
		}
	}
	return at
}

// choose returns the frame that is to be sent next, or 0.
func (a *arqSender) choose() int {
	for len(a.again) > 0 {
		n := a.again[0]
		if !a.acked[n] {
			return n
		}
		a.again = a.again[1:]
	}
	if a.next < a.base+a.window() && a.next <= a.st.Frames {
		return a.next
	}
	return 0
}

func (a *arqSender) send(n int, now time.Time) error {
	body := []byte(text(a.r.m.cfg.Name, n, a.st.Size-headers))
	if _, err := a.s.packets.WriteTo(body, net.UDPAddrFromAddrPort(a.to)); err != nil {
		return err
	}
	if len(a.again) > 0 && a.again[0] == n {
		a.again, a.queued[n] = a.again[1:], false
	} else {
		a.next = n + 1
	}
	repeated := n < a.top
	if repeated {
		a.r.m.w.log.again()
	}
	a.top = max(a.top, n+1)
	a.free, a.due[n] = now.Add(a.slot), now.Add(a.st.For+grace)
	_, sum := a.s.countSent(len(body))
	a.r.m.did(a.r.ctx, a.s.name, "sent", scenario.Event{N: n, Size: len(body), Total: sum, Again: repeated})
	return nil
}

// take takes in an acknowledgement.
func (a *arqSender) take(text string, from net.Addr) {
	word, number, _ := strings.Cut(text, " ")
	n, err := strconv.Atoi(number)
	if word != "ACK" || err != nil || n < a.base || n >= a.top || from.String() != a.to.String() {
		return // it says nothing new
	}
	switch a.st.Mode {
	case scenario.GoBackN:
		a.base = n + 1
		a.next = max(a.next, a.base)
	case scenario.StopAndWait:
		if n == a.base {
			a.base++
		}
	default:
		a.acked[n] = true
		for a.acked[a.base] {
			a.base++
		}
	}
	a.r.m.did(a.r.ctx, a.s.name, "acked", scenario.Event{N: n})
}

// arqReceive hands frames over in order, and acknowledges.
func (r *routine) arqReceive(s *sock, st *scenario.Statement) error {
	expected := 1
	held := make(map[int]int) // sizes of those that came early; of selective repeat
	buf := make([]byte, readSize)
	window := st.Window
	if window == 0 {
		window = scenario.MaxWindow
	}
	for st.Frames == 0 || expected <= st.Frames {
		k, from, err := s.packets.ReadFrom(buf)
		if err != nil {
			return err
		}
		who, n, ok := tagged(buf[:k])
		if !ok || n < 1 {
			continue
		}
		deliver := func(n, size int) {
			_, sum := s.countRead(size)
			r.m.did(r.ctx, s.name, "delivered", scenario.Event{From: who, N: n, Size: size, Total: sum})
		}
		discard := func(why string) {
			r.m.did(r.ctx, s.name, "discarded", scenario.Event{From: who, N: n, Text: why})
		}
		ack := n
		switch {
		case n < expected:
			discard("there was one before")
		case n == expected:
			deliver(n, k)
			for expected++; held[expected] > 0; expected++ {
				deliver(expected, held[expected])
				delete(held, expected)
			}
		case st.Mode != scenario.SelectiveRepeat:
			discard("out of order")
			ack = expected - 1
		case n >= expected+window:
			discard("beyond the window")
			ack = 0
		default:
			held[n] = k
			r.m.did(r.ctx, s.name, "held", scenario.Event{From: who, N: n, Size: k})
		}
		if st.Mode == scenario.GoBackN {
			ack = expected - 1
		}
		if ack > 0 {
			if _, err := s.packets.WriteTo(fmt.Appendf(nil, "ACK %d", ack), from); err != nil {
				return err
			}
		}
	}
	return nil
}

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"wirelab/labs/scenario"
)

// readSize is how many bytes a program reads at a time if it does not say.
const readSize = 64 << 10

// body returns message number n of a statement: its text, or a tag that is filled
// up to its size, as chat messages are.
func (r *routine) body(st *scenario.Statement, n int) []byte {
	if st.Text != "" {
		return []byte(st.Text)
	}
	if tag := scenario.Tag(r.m.cfg.Name, n); len(tag) > st.Size {
		return []byte(strings.Repeat(".", st.Size))
	}
	return []byte(text(r.m.cfg.Name, n, st.Size))
}

// rounds calls fn for each time that a statement is to be done, at its instant:
// the first at once, each other so long after the one before began. It ends at
// the statement's last instant.
func (r *routine) rounds(st *scenario.Statement, fn func() error) error {
	times := max(st.Times, 1)
	if st.Times == 0 && st.Until > 0 {
		times = scenario.MaxTimes
	}
	next := time.Now()
	for i := range times {
		if i > 0 && st.Every > 0 {
			next = next.Add(st.Every)
			if st.Until > 0 && next.After(r.begin.Add(st.Until)) {
				return r.sleep(r.begin.Add(st.Until))
			}
			if err := r.sleep(next); err != nil {
				return err
			}
		}
		if st.Until > 0 && !time.Now().Before(r.begin.Add(st.Until)) {
			return nil
		}
		if err := fn(); err != nil {
			return err
		}
	}
	return nil
}

// send writes messages into a connection. One that the stack has no room for
// waits.
func (r *routine) send(s *sock, st *scenario.Statement) error {
	if st.Until > 0 {
		if err := s.conn.SetWriteDeadline(r.begin.Add(st.Until)); err != nil {
			return err
		}
		defer s.conn.SetWriteDeadline(time.Time{})
	}
	err := r.rounds(st, func() error { return r.write(s, st) })
	if st.Until > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// write writes one message.
func (r *routine) write(s *sock, st *scenario.Statement) error {
	s.m.mu.Lock()
	n := s.sends + 1
	s.m.mu.Unlock()
	b := r.body(st, n)
	s.out.add(len(b), st.Text != "")
	done, err := s.conn.Write(b)
	if err != nil {
		if done > 0 {
			_, sum := s.countSent(done)
			r.m.did(r.ctx, s.name, "sent", scenario.Event{N: n, Size: done, Total: sum, Text: fmt.Sprintf("of %d bytes", len(b))})
		}
		return err
	}
	_, sum := s.countSent(done)
	r.m.did(r.ctx, s.name, "sent", scenario.Event{N: n, Size: done, Total: sum})
	return nil
}

// request writes messages and awaits, after each, as many bytes back.
func (r *routine) request(s *sock, st *scenario.Statement) error {
	defer s.conn.SetReadDeadline(time.Time{})
	buf := make([]byte, max(st.Size, len(st.Text)))
	return r.rounds(st, func() error {
		if err := r.write(s, st); err != nil {
			return err
		}
		read := func() error {
			_, err := io.ReadFull(s.conn, buf)
			return err
		}
		var err error
		if st.For > 0 {
			if err = s.conn.SetReadDeadline(time.Now().Add(st.For)); err == nil {
				err = r.hold(read)
			}
		} else {
			err = read()
		}
		if err != nil {
			return err
		}
		n, sum := s.countRead(len(buf))
		r.m.did(r.ctx, s.name, "answered", scenario.Event{N: n, Size: len(buf), Total: sum})
		return nil
	})
}

// receive reads as the statement says.
func (r *routine) receive(s *sock, st *scenario.Statement) error {
	size := st.Size
	if size == 0 {
		size = readSize
	}
	if st.Bytes > 0 {
		size = min(size, st.Bytes)
	}
	read := func(b []byte) (n int, err error) { return s.conn.Read(b) }
	if st.Until > 0 {
		if err := s.conn.SetReadDeadline(r.begin.Add(st.Until)); err != nil {
			return err
		}
		defer s.conn.SetReadDeadline(time.Time{})
		read = func(b []byte) (n int, err error) {
			err = r.hold(func() (err error) {
				n, err = s.conn.Read(b)
				return err
			})
			return n, err
		}
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
		b := buf
		if st.Bytes > 0 {
			b = buf[:min(left, len(buf))]
		}
		n, err := read(b)
		if n > 0 {
			left -= n
			r.took(s, b[:n])
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			r.m.did(r.ctx, s.name, "eof", scenario.Event{})
			return nil
		case st.Until > 0 && errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		default:
			return err
		}
	}
	return nil
}

// took writes that bytes were read, and which messages are whole with them.
func (r *routine) took(s *sock, b []byte) {
	n, sum := s.countRead(len(b))
	r.m.did(r.ctx, s.name, "received", scenario.Event{N: n, Size: len(b), Total: sum})
	at := sum - int64(len(b))
	for len(b) > 0 {
		n, e, ok := s.in.next()
		if !ok {
			return
		}
		piece := b[:min(int64(len(b)), e.at-at)]
		if e.text {
			s.part = append(s.part, piece...)
		}
		b, at = b[len(piece):], at+int64(len(piece))
		if at < e.at {
			return
		}
		s.in.pass()
		r.m.did(r.ctx, s.name, "message", scenario.Event{From: s.in.from, N: n, Size: e.size, Text: strings.ToValidUTF8(string(s.part), "�")})
		s.part = nil
	}
}

// echo sends back what it reads, until the peer has closed.
func (r *routine) echo(s *sock) error {
	buf := make([]byte, readSize)
	for {
		n, err := s.conn.Read(buf)
		if n > 0 {
			r.took(s, buf[:n])
			s.out.add(n, false)
			if _, err := s.conn.Write(buf[:n]); err != nil {
				return err
			}
			k, sum := s.countSent(n)
			r.m.did(r.ctx, s.name, "sent", scenario.Event{N: k, Size: n, Total: sum})
		}
		if errors.Is(err, io.EOF) {
			r.m.did(r.ctx, s.name, "eof", scenario.Event{})
			return nil
		}
		if err != nil {
			return err
		}
	}
}

package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"wirelab/labs/check/script"
)

// A line is what a name of the script stands for: a connection or a datagram
// socket of the checker's.
type line struct {
	name   string
	in     *inbox
	tcp    *net.TCPConn
	udp    *net.UDPConn
	glue   []byte      // waits for the next send
	full   atomic.Bool // nothing is read any more
	done   sync.WaitGroup
	tap    func(tapEvent) // of an ARQ peer; nil: datagrams go to the inbox
	mu     sync.Mutex     // guards tap
	peered bool           // an ARQ peer had it: what comes late is no news
}

// dial connects to the program.
func (t *talk) dial(s *script.Step, name string) error {
	addr := t.program.address()
	if t.relay != "" {
		addr = t.relay
	}
	c := t.program.spare
	t.program.spare = nil
	if c == nil {
		ctx, cancel := context.WithTimeout(t.ctx, script.DefaultWithin)
		defer cancel()
		var d net.Dialer
		nc, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return t.refused(s, err)
		}
		if c = nc.(*net.TCPConn); selfConnected(c) {
			c.Close()
			return t.refused(s, syscall.ECONNREFUSED)
		}
	}
	l := &line{name: name, in: newInbox(), tcp: c}
	t.log.add(time.Now(), Exchange{Name: name, Up: true, Do: "connect"}, nil)
	t.names[name] = l
	l.done.Go(func() { t.readStream(l) })
	return nil
}

// refused says why a connection did not come about.
func (t *talk) refused(s *script.Step, err error) error {
	if t.ctx.Err() != nil {
		return t.ctx.Err()
	}
	if f := t.gone(s); f != nil {
		return f
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return t.fail(Refuses, s, "no answer to another connection within %v", script.DefaultWithin)
	}
	return t.fail(Refuses, s, "another connection is refused: it has to go on accepting")
}

// readStream reads a connection until its end.
func (t *talk) readStream(l *line) {
	buf := make([]byte, 64<<10)
	for !l.full.Load() {
		n, err := l.tcp.Read(buf)
		now := time.Now()
		if n > 0 {
			t.log.add(now, Exchange{Name: l.name}, buf[:n])
			if !l.in.put(gram{data: append([]byte(nil), buf[:n]...), at: now}) {
				return
			}
		}
		if err != nil && l.full.Load() {
			return
		}
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				do := "RST"
				if errors.Is(err, io.EOF) {
					do = "FIN"
				}
				t.log.add(now, Exchange{Name: l.name, Do: do}, nil)
			}
			l.in.end(err)
			return
		}
	}
}

// socket opens a datagram socket.
func (t *talk) socket(name string) error {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return fmt.Errorf("a datagram socket: %w", err)
	}
	c.SetReadBuffer(4 << 20)
	l := &line{name: name, in: newInbox(), udp: c}
	t.names[name] = l
	l.done.Go(func() { t.readDatagrams(l) })
	return nil
}

// readDatagrams takes what the program sends and puts it on the link.
func (t *talk) readDatagrams(l *line) {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := l.udp.ReadFromUDPAddrPort(buf)
		now := time.Now()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				l.in.end(err)
				return
			}
			continue // Windows tells here that the program's port is closed
		}
		if int(from.Port()) != t.program.port {
			l.in.put(gram{data: append([]byte(nil), buf[:n]...), at: now, from: from})
			continue
		}
		l.tell(tapEvent{what: programSent, data: buf[:n], at: now})
		t.down.send(now, Exchange{Name: l.name}, l, buf[:n], 0)
	}
}

// tell tells an ARQ peer, if there is one, and reports whether there is. It
// keeps a copy of the data.
func (l *line) tell(e tapEvent) bool {
	l.mu.Lock()
	tap := l.tap
	l.mu.Unlock()
	if tap == nil {
		return false
	}
	e.data = append([]byte(nil), e.data...)
	tap(e)
	return true
}

// arriveUp hands a parcel to the program.
func (t *talk) arriveUp(p *parcel) {
	// Before it is there: the program may answer before we are back.
	p.conn.tell(tapEvent{what: programGot, data: p.data, at: time.Now(), tag: p.tag})
	p.conn.udp.WriteToUDPAddrPort(p.data, t.target)
}

// arriveDown hands a parcel to the checker.
func (t *talk) arriveDown(p *parcel) {
	now := time.Now()
	if !p.conn.tell(tapEvent{what: peerGot, data: p.data, at: now}) {
		p.conn.in.put(gram{data: p.data, at: now, from: t.target})
	}
}

// close closes a line and waits for its reader.
func (l *line) close(reset bool) {
	if l.tcp != nil {
		if reset {
			l.tcp.SetLinger(0)
		}
		l.tcp.Close()
	} else {
		l.udp.Close()
	}
	l.done.Wait()
}

// Pauses between the writes of one statement, that they become segments of
// their own.
const (
	segmentPause = 20 * time.Millisecond
	allPauses    = 300 * time.Millisecond // of one statement, at most
)

// send writes the parts of a statement.
func (t *talk) send(s *script.Step) error {
	l := t.names[s.Names[0]]
	var parts [][]byte
	for _, d := range s.Parts {
		b, err := d.Bytes(t.seed, t.found)
		if err != nil {
			return err
		}
		parts = append(parts, b)
	}
	if l.udp != nil {
		for _, b := range parts {
			if len(b) > 65_507 {
				return fmt.Errorf("line %d: a datagram of %d bytes", s.Line, len(b))
			}
			t.up.send(time.Now(), Exchange{Name: l.name, Up: true}, l, b, 0)
		}
		return nil
	}
	parts[0] = append(l.glue, parts[0]...)
	l.glue = nil
	if s.Cut > 0 {
		all := parts
		parts = nil
		for _, b := range all {
			for len(b) > 0 {
				n := min(s.Cut, len(b))
				parts, b = append(parts, b[:n]), b[n:]
			}
		}
	}
	if s.Glue {
		l.glue = parts[len(parts)-1]
		parts = parts[:len(parts)-1]
	}
	pause := segmentPause
	if n := len(parts) - 1; n > 0 {
		pause = min(pause, allPauses/time.Duration(n))
	}
	for i, b := range parts {
		if i > 0 {
			if err := t.sleep(pause); err != nil {
				return err
			}
		}
		if err := t.write(s, l, b); err != nil {
			return err
		}
	}
	return nil
}

// chunk is how much is written at a time, in bytes: each gets its own time.
const chunk = 64 << 10

// write writes b to a connection.
func (t *talk) write(s *script.Step, l *line, b []byte) error {
	t.log.add(time.Now(), Exchange{Name: l.name, Up: true}, b)
	for done := 0; done < len(b); {
		l.tcp.SetWriteDeadline(time.Now().Add(s.Patience()))
		n, err := l.tcp.Write(b[done:min(done+chunk, len(b))])
		done += n
		switch {
		case t.ctx.Err() != nil:
			return t.over(s)
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			if f := t.gone(s); f != nil {
				return f
			}
			return t.fail(NeverAnswers, s, "the program does not read on: it has taken %d of %d bytes, and nothing more within %v", done, len(b), s.Patience())
		default:
			if f := t.gone(s); f != nil {
				return f
			}
			return t.fail(HangsUp, s, "the program ended the connection after %d of %d bytes were sent to it", done, len(b))
		}
	}
	return nil
}

// target parses the program's address.
func target(port int) netip.AddrPort {
	return netip.MustParseAddrPort("127.0.0.1:" + strconv.Itoa(port))
}

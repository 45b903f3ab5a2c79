package udpchat

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"wirelab/internal/client"
	"wirelab/internal/wire"
)

const (
	firstRetry       = 250 * time.Millisecond // before a handshake's datagram is sent again; doubles
	handshakeTimeout = 10 * time.Second       // for each of the handshake's two questions
)

// A Dialer makes links to a server. Address is required.
type Dialer struct {
	Address string // host:port
	Mode    Mode
	Key     []byte // the join key, from which the MACs' keys are derived

	// Net makes the connected socket; if nil, a net.Dialer does.
	Net         func(ctx context.Context, network, address string) (net.Conn, error)
	MaxDatagram int           // bytes of a UDP payload; if zero, wire.MaxDatagram; at least MinDatagram
	Rate        int           // events per second that are sent once; if zero, 50,000 to this machine and 1,000 elsewhere
	ARQ         ARQ           // how this end of the modes stop-and-wait, go-back-n and selective-repeat sends again
	Linger      time.Duration // Close waits that long for the server to have everything; if zero, 1 s
}

// Dial says hello and returns once the server's cookie is here. The session
// begins with the Connect envelope, which is the first that the link must be
// given to send; its answer is the first that the link receives. Dial is a
// [client.Dial].
func (d *Dialer) Dial(ctx context.Context, tap client.Tap) (client.Link, client.Greeting, error) {
	fail := func(err error) (client.Link, client.Greeting, error) {
		return nil, client.Greeting{}, fmt.Errorf("udp %s: %w", d.Address, err)
	}
	max, err := datagramSize(d.MaxDatagram)
	if err != nil {
		return fail(err)
	}
	if err := d.ARQ.check(); err != nil {
		return fail(err)
	}
	dial := d.Net
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, "udp", d.Address)
	if err != nil {
		return nil, client.Greeting{}, err // names network and address itself
	}
	if b, ok := conn.(interface{ SetReadBuffer(int) error }); ok {
		b.SetReadBuffer(clientBuffer) // best effort
	}
	l := newLink(d, conn, max, tap)
	if err := l.hello(ctx); err != nil {
		conn.Close()
		return fail(err)
	}
	l.start()
	return l, client.Greeting{Nonce: l.serverNonce(), Key: needsKey(l.cookie)}, nil
}

// hello asks for a cookie until one comes.
func (l *link) hello(ctx context.Context) error {
	rand.Read(l.nonce[:])
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer func() {
		if stop() {
			l.conn.SetReadDeadline(time.Time{})
		}
	}()
	wait := firstRetry
	again := false
	for {
		l.sess.number++
		b := wire.AppendHeader(make([]byte, 0, wire.MinHello), &wire.Header{Type: wire.TypeHello, Number: l.sess.number})
		b = append(b, l.nonce[:]...)
		b = b[:wire.MinHello]
		if err := l.write(dispatch{head: b, again: again}); err != nil {
			return err
		}
		again = true
		if ctx.Err() == nil {
			l.conn.SetReadDeadline(time.Now().Add(wait))
		}
		wait *= 2
		for {
			n, err := l.conn.Read(l.buf)
			if ctx.Err() != nil {
				if err := context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) {
					return err
				}
				return fmt.Errorf("no answer within %v: %w", handshakeTimeout, context.DeadlineExceeded)
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return err
			}
			if l.takeCookie(l.buf[:n]) {
				return nil
			}
		}
	}
}

// takeCookie reports whether b is the answer to the hello.
func (l *link) takeCookie(b []byte) bool {
	h, payload, err := wire.DecodeHeader(b)
	good := err == nil && h.Type == wire.TypeCookie && h.Flags == 0 && len(payload) == handshakeSize &&
		[wire.NonceSize]byte(payload) == l.nonce
	if !good {
		l.show(b, false, "not expected")
		return false
	}
	l.show(b, false, "")
	l.cookie = append([]byte(nil), payload[wire.NonceSize:]...)
	return true
}

func (l *link) serverNonce() []byte { return append([]byte(nil), serverNonce(l.cookie)...) }

// portClosed reports whether err means that nobody listens at the other end:
// the host answered with an ICMP message (RFC 1122, section 4.1.3.1).
func portClosed(err error) bool {
	const windowsReset = syscall.Errno(10054) // WSAECONNRESET
	var errno syscall.Errno
	return errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &errno) && errno == windowsReset
}

package tcpchat

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"sync"
	"time"

	"wirelab/internal/client"
	"wirelab/internal/wire"
)

// A Dialer makes a client's connections to one server.
type Dialer struct {
	Address string // host:port

	// Net makes the connection; if nil, a net.Dialer does.
	Net          func(ctx context.Context, network, address string) (net.Conn, error)
	WriteTimeout time.Duration // a server that takes nothing for so long is given up; if zero, 30 s
}

// Dial connects and returns once the server's challenge is here. It is a
// [client.Dial].
func (d *Dialer) Dial(ctx context.Context, tap client.Tap) (client.Link, client.Greeting, error) {
	dial := d.Net
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	nc, err := dial(ctx, "tcp", d.Address)
	if err != nil {
		return nil, client.Greeting{}, err
	}
	l := &link{nc: nc, r: wire.NewReader(nc), tap: tap, timeout: d.WriteTimeout}
	if l.timeout <= 0 {
		l.timeout = 30 * time.Second
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		nc.Close()
		close(closed)
	})
	greeting, err := l.greeting()
	if !stop() {
		<-closed
		err = context.Cause(ctx)
	}
	if err != nil {
		nc.Close()
		return nil, client.Greeting{}, fmt.Errorf("tcp %s: %w", d.Address, err)
	}
	return l, greeting, nil
}

// A link is the client's end of one connection.
type link struct {
	nc      net.Conn
	r       *wire.Reader
	tap     client.Tap
	timeout time.Duration

	mu    sync.Mutex // one writer at a time
	armed time.Time
}

// greeting reads the server's first frame.
func (l *link) greeting() (client.Greeting, error) {
	e, _, err := l.Receive()
	if err != nil {
		return client.Greeting{}, fmt.Errorf("no greeting, is it a wirelab server? %w", err)
	}
	switch e.Kind {
	case wire.KindError: // there is no place
		var f wire.Fault
		if err := wire.DecodeBody(e.Args, &f); err != nil {
			return client.Greeting{}, err
		}
		return client.Greeting{}, &client.Refusal{
			Code: f.Code, Message: f.Message, Hint: f.Hint, RetryAfter: time.Duration(f.RetryMS) * time.Millisecond,
		}
	case wire.KindChallenge:
	default:
		return client.Greeting{}, fmt.Errorf("greeting: got %v, want challenge", e.Kind)
	}
	var body wire.Challenge
	if err := wire.DecodeBody(e.Args, &body); err != nil {
		return client.Greeting{}, fmt.Errorf("greeting: %w", err)
	}
	nonce, err := hex.DecodeString(body.Nonce)
	if err != nil || len(nonce) < wire.NonceSize {
		return client.Greeting{}, fmt.Errorf("greeting: nonce %q, want %d bytes in hex", body.Nonce, wire.NonceSize)
	}
	return client.Greeting{Nonce: nonce, Key: body.Key, Server: body.Server}, nil
}

// Send writes one frame.
func (l *link) Send(frame []byte) error { return l.SendBatch(frame) }

// SendBatch writes several frames with one system call.
func (l *link) SendBatch(frames []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Sub(l.armed) > l.timeout/6 {
		l.armed = now
		l.nc.SetWriteDeadline(now.Add(l.timeout))
	}
	l.show(frames, true, now)
	_, err := l.nc.Write(frames)
	return err
}

// Receive returns the next frame.
func (l *link) Receive() (wire.Envelope, []byte, error) {
	e, raw, err := l.r.Next()
	if err == nil {
		l.show(raw, false, time.Time{})
	}
	return e, raw, err
}

// show hands a copy of each frame to the tap.
func (l *link) show(frames []byte, out bool, now time.Time) {
	if l.tap == nil {
		return
	}
	if now.IsZero() {
		now = time.Now()
	}
	for len(frames) > 0 {
		envelope, rest, err := wire.SplitFrame(frames)
		if err != nil || envelope == nil {
			rest = nil // not ours to judge: shown as it is
		}
		l.tap(client.Traffic{Time: now, Out: out, Bytes: bytes.Clone(frames[:len(frames)-len(rest)])})
		frames = rest
	}
}

// Close closes the connection; the kernel still delivers what was written.
func (l *link) Close() error { return l.nc.Close() }

// Stats describes the connection.
func (l *link) Stats() client.LinkStats {
	return client.LinkStats{Transport: "tcp", Local: l.nc.LocalAddr().String(), Remote: l.nc.RemoteAddr().String()}
}

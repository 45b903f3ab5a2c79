package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/missed/bolt"
	"wirelab/internal/text"
	"wirelab/tcpchat"
	"wirelab/udpchat"
)

// A serverConfig says what a chat server listens on and keeps.
type serverConfig struct {
	tcp, udp, text string // addresses; empty: not served
	data           string // folder; empty: in memory
	hub            chat.Config
	limits         missed.Limits
	total          int64
	policy         missed.Policy
	datagram       int // bytes
	log            *slog.Logger
}

// A server is a hub with everything that it listens on.
type server struct {
	hub   *chat.Hub
	queue *missed.Queue
	tcp   net.Listener
	udp   net.PacketConn
	lines net.Listener   // text over TCP
	texts net.PacketConn // text over UDP
	cfg   serverConfig
}

// closers end what was opened so far, the latest first.
type closers []func() error

func (c closers) close() {
	for i := len(c) - 1; i >= 0; i-- {
		c[i]()
	}
}

// openServer checks the configuration, opens the store and binds the
// addresses. Nothing is damaged or left open when it fails.
func openServer(cfg serverConfig) (s *server, err error) {
	if err := checkExposure(&cfg); err != nil {
		return nil, err
	}
	s = &server{cfg: cfg}
	var opened closers
	defer func() {
		if err != nil {
			opened.close()
		}
	}()
	// Addresses first: a port in use is found before the store is touched.
	if s.tcp, s.udp, err = listenBoth("tcp", cfg.tcp, "udp", cfg.udp); err != nil {
		return nil, err
	}
	if s.tcp != nil {
		opened = append(opened, s.tcp.Close)
	}
	if s.udp != nil {
		opened = append(opened, s.udp.Close)
	}
	if s.lines, s.texts, err = listenBoth("text", cfg.text, "text", cfg.text); err != nil {
		return nil, err
	}
	if s.lines != nil {
		opened = append(opened, s.lines.Close, s.texts.Close)
	}
	store, err := openStore(cfg.data, cfg.log)
	if err != nil {
		return nil, err
	}
	s.queue, err = missed.Open(missed.Config{
		Store: store, Limits: cfg.limits, TotalBytes: cfg.total, Policy: cfg.policy, Logger: cfg.log,
	})
	if err != nil {
		store.Close()
		return nil, storeFailure(cfg.data, err)
	}
	opened = append(opened, s.queue.Close)
	cfg.hub.Queue, cfg.hub.Logger = s.queue, cfg.log
	if s.hub, err = chat.New(cfg.hub); err != nil {
		return nil, storeFailure(cfg.data, err)
	}
	return s, nil
}

// listenBoth binds the addresses that are not empty. An error names the flag
// of the one at fault. If both are one address with port 0, they get the same
// port; one that is free for TCP may be taken for UDP, so it tries some.
func listenBoth(tcpFlag, tcp, udpFlag, udp string) (l net.Listener, u net.PacketConn, err error) {
	for try := 1; ; try++ {
		if tcp != "" {
			if l, err = net.Listen("tcp", tcp); err != nil {
				return nil, nil, listenFailure(tcpFlag, tcp, err)
			}
		}
		if udp == "" {
			return l, nil, nil
		}
		at := samePort(udp, tcp, l)
		if u, err = listenUDP(at); err == nil {
			return l, u, nil
		}
		if l != nil {
			l.Close()
		}
		if at == udp || try == 10 {
			return nil, nil, listenFailure(udpFlag, udp, err)
		}
	}
}

// samePort gives an address with port 0 the port that the listener before it
// got, so that TCP and UDP of one server are found at the same number.
func samePort(addr, first string, l net.Listener) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port != "0" || l == nil || addr != first {
		return addr
	}
	return net.JoinHostPort(host, fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
}

// listenUDP binds a UDP socket with buffers that take a burst: what the
// kernel has no room for is lost without a trace.
func listenUDP(addr string) (net.PacketConn, error) {
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		return nil, err
	}
	if u, ok := c.(*net.UDPConn); ok {
		// The kernel cuts these down to its own limits: no error matters.
		u.SetReadBuffer(4 << 20)
		u.SetWriteBuffer(4 << 20)
	}
	return c, nil
}

func listenFailure(what, addr string, err error) error {
	flag := "--" + what
	hint := "choose another address with --listen or " + flag
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = "another program has that port; is a server running already? Choose another with --listen or " + flag
	case errors.Is(err, syscall.EACCES):
		hint = "ports below 1024 want privileges: choose a higher one"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = "this machine does not have that address"
	}
	return cannot(hint, "cannot listen on %s %s: %w", what, addr, rootCause(err))
}

// rootCause drops the operation and address that net has put in front.
func rootCause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		var sys *os.SyscallError
		if errors.As(op.Err, &sys) {
			return sys.Err
		}
		return op.Err
	}
	return err
}

// openStore opens what keeps the events.
func openStore(dir string, log *slog.Logger) (missed.Store, error) {
	if dir == "" {
		return missed.NewMemory(), nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, storeFailure(dir, err)
	}
	store, err := bolt.Open(filepath.Join(dir, "wirelab.db"), bolt.Options{Logger: log})
	if err != nil {
		return nil, storeFailure(dir, err)
	}
	return store, nil
}

func storeFailure(dir string, err error) error {
	hint := "--data wants a folder that can be written"
	if broken := (*bolt.Error)(nil); errors.As(err, &broken) {
		if h := broken.Hint(); h != "" {
			hint = h
		}
		err = broken.Err
	} else if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err
	}
	return cannot(hint, "cannot use data folder %s: %w", dir, err)
}

// checkExposure refuses to listen beyond this machine without a join key, and
// the text port there at all: it cannot prove anything.
func checkExposure(cfg *serverConfig) error {
	for _, a := range []struct{ flag, addr string }{{"--tcp", cfg.tcp}, {"--udp", cfg.udp}, {"--text", cfg.text}} {
		if a.addr == "" {
			continue
		}
		local, err := isLoopback(a.addr)
		if err != nil {
			return cannot("an address is HOST:PORT, such as 127.0.0.1:9000", "address %q: %w", a.addr, err)
		}
		switch {
		case local:
		case a.flag == "--text":
			return cannot("use a loopback address such as 127.0.0.1:9001; elsewhere people join with wirelab itself",
				"the text port does not leave this machine: %s is no loopback address, and plain text can prove neither a key nor, over UDP, where it comes from", a.addr)
		case len(cfg.hub.Key) == 0:
			return cannot("give a join key with --key or WIRELAB_KEY, or listen on 127.0.0.1",
				"%s is not a loopback address: listening there needs a join key", a.addr)
		}
	}
	return nil
}

// isLoopback reports whether all that the address names is on this machine.
func isLoopback(addr string) (bool, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false, errors.New(strings.TrimPrefix(err.Error(), "address "+addr+": "))
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return false, fmt.Errorf("port %q: want 0 to 65535", port)
	}
	if host == "" {
		return false, nil
	}
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback(), nil
	}
	ips, err := net.LookupIP(host)
	if err != nil {
		return false, rootCause(err)
	}
	for _, ip := range ips {
		if !ip.IsLoopback() {
			return false, nil
		}
	}
	return true, nil
}

// addresses names what the server listens on, for people.
func (s *server) addresses() []string {
	var names []string
	if s.tcp != nil {
		names = append(names, "tcp "+s.tcp.Addr().String())
	}
	if s.udp != nil {
		names = append(names, "udp "+s.udp.LocalAddr().String())
	}
	if s.lines != nil {
		names = append(names, "text "+s.lines.Addr().String())
	}
	return names
}

// run serves until ctx ends or something that it listens on fails. Then it
// tells the members, closes the connections and the store.
func (s *server) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// The transports end a moment after the hub has said goodbye.
	serving, stop := context.WithCancel(context.Background())
	defer stop()
	var wg sync.WaitGroup
	start := func(name string, fn func(context.Context) error) {
		wg.Go(func() {
			if err := fn(serving); err != nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	if s.tcp != nil {
		t := &tcpchat.Server{Hub: s.hub, Logger: s.cfg.log}
		start("tcp", func(ctx context.Context) error { return t.Serve(ctx, s.tcp) })
	}
	if s.udp != nil {
		u := &udpchat.Server{Hub: s.hub, Logger: s.cfg.log, MaxDatagram: s.cfg.datagram}
		start("udp", func(ctx context.Context) error { return u.Serve(ctx, s.udp) })
	}
	if s.lines != nil {
		t := &text.Server{Hub: s.hub, Logger: s.cfg.log, Key: s.cfg.hub.Key}
		start("text", func(ctx context.Context) error { return t.Serve(ctx, s.lines) })
		start("text", func(ctx context.Context) error { return t.ServePacket(ctx, s.texts) })
	}
	<-ctx.Done()
	cause := context.Cause(ctx)
	reason := "the server is shutting down"
	s.hub.Close(reason)
	stop()
	wg.Wait()
	err := s.queue.Close()
	if cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

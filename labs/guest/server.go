package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/missed/disk"
	"wirelab/internal/vnet"
	"wirelab/labs/scenario"
	"wirelab/tcpchat"
	"wirelab/udpchat"
)

// writeBack is how long a disk that lies takes to make a write safe.
const writeBack = time.Second

// A server is the chat server's program: the same code as that of
// `wirelab serve`, on an emulated host.
type server struct {
	w    *world
	host *vnet.Host
	disk *disk.Disk // nil: events are in memory

	life  int
	alive bool
	hub   *chat.Hub
	queue *missed.Queue
	stop  context.CancelFunc

	sockets sockets
	crowd   *crowd // nil: nobody looks
}

func newServer(w *world, host *vnet.Host) *server {
	s := &server{w: w, host: host}
	if w.s.Server.Data {
		cfg := disk.Config{Seed: w.s.Seed}
		if w.s.Without == scenario.SyncBeforeAck {
			cfg.WriteBack = writeBack
		}
		s.disk = disk.New(cfg)
	}
	if w.s.Watch || w.s.Without == scenario.BoundedWrites || w.s.Without == scenario.OwnWriters {
		s.crowd = &crowd{without: w.s.Without, conns: make(map[*crowdConn]string), told: make(map[string]int)}
	}
	return s
}

func (s *server) at() *vnet.Host { return s.host }

// start starts the program, after a kill with what its disk has.
func (s *server) start() error {
	if s.alive {
		return nil
	}
	if s.life > 0 {
		if err := s.host.Start(); err != nil {
			return err
		}
	}
	s.life++
	var store missed.Store = missed.NewMemory()
	if s.disk != nil {
		d, err := s.disk.Open()
		if err != nil {
			return fmt.Errorf("server: %w", err)
		}
		store = d
	}
	cfg := missed.Config{Store: store, Limits: missed.Limits{Count: s.w.s.Server.KeepCount}}
	if s.w.s.Server.Refuse {
		cfg.Policy = missed.RefuseNew
	}
	var err error
	if s.queue, err = missed.Open(cfg); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	// No limit on the rate: what a scenario says is to arrive.
	s.sockets.all = make(map[[2]string]*chat.Socket)
	if s.hub, err = chat.New(chat.Config{
		Queue: s.queue, Lobby: scenario.Lobby, Rate: -1, Namespaces: s.w.s.Server.Namespaces, Hooks: s.sockets.hooks(),
	}); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	if err := s.handle(); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	at := fmt.Sprintf(":%d", serverPort)
	ln, err := s.host.Listen("tcp", at)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	if s.crowd != nil {
		ln = &crowdListener{ln, s.crowd, s.w.hostOf}
	}
	pc, err := s.host.ListenPacket("udp", at)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.serve(ctx, "tcp", func() error { return (&tcpchat.Server{Hub: s.hub}).Serve(ctx, ln) })
	go s.serve(ctx, "udp", func() error { return (&udpchat.Server{Hub: s.hub}).Serve(ctx, pc) })
	s.alive = true
	s.w.log.life(scenario.ServerHost, s.life, "started")
	return nil
}

func (s *server) serve(ctx context.Context, what string, run func() error) {
	life := s.life
	if err := run(); err != nil && ctx.Err() == nil {
		s.w.log.life(scenario.ServerHost, life, what+": "+err.Error())
	}
}

// kill takes the host's power away. What the program still wants to do reaches
// neither the network nor the disk.
func (s *server) kill() {
	if !s.alive {
		return
	}
	s.alive = false
	if s.disk != nil {
		s.disk.Crash()
	}
	s.host.Kill()
	s.stop()
	s.w.log.life(scenario.ServerHost, s.life, "killed")
	// The remains of the program end by themselves, on a host without power.
	hub, queue := s.hub, s.queue
	go func() {
		hub.Close("killed")
		queue.Close()
	}()
}

// tell writes the ledger's story of a message.
func (s *server) tell(n int) {
	if n == 0 || !s.alive {
		return
	}
	for _, seq := range s.w.log.seqs(n) {
		story, err := s.hub.Namespace("").Explain(scenario.Lobby, seq)
		if err != nil {
			continue // the log of a server that was killed has gone with it
		}
		b, err := json.Marshal(story)
		if err == nil {
			s.w.log.event(&scenario.Event{Kind: scenario.EventLedger, N: n, Ledger: b})
		}
	}
}

// dialer returns what connects a host to the server.
func (s *server) dialer(from *vnet.Host) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTime)
		defer cancel()
		return from.DialContext(ctx, network, address)
	}
}

// dialTime is how long connecting may take.
const dialTime = 10 * time.Second

func (s *server) address() string {
	return net.JoinHostPort(s.host.Addr().String(), fmt.Sprint(serverPort))
}

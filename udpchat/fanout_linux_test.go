package udpchat

import (
	"encoding/hex"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

	"wirelab/internal/chat"
	"wirelab/internal/wire"
)

// BenchmarkFanout publishes 100-byte messages to UDP members and measures the
// datagrams per second that the server sends, beside a bare sendmmsg loop to
// the same sockets with datagrams of the same size. Everything is received.
func BenchmarkFanout(b *testing.B) {
	for _, members := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("unreliable/members=%d", members), func(b *testing.B) { benchmarkFanout(b, members, Unreliable, "", true) })
	}
	// Without anybody who reads, the kernel drops the datagrams, which is as
	// fast as it gets: this shows what the server adds to the system calls.
	b.Run("unread/members=100", func(b *testing.B) { benchmarkFanout(b, 100, Unreliable, "", false) })
	b.Run("mac/members=100", func(b *testing.B) { benchmarkFanout(b, 100, Unreliable, "sesame", true) })
	b.Run("queue/members=100", func(b *testing.B) { benchmarkFanout(b, 100, Queue, "", true) })
}

func benchmarkFanout(b *testing.B, members int, mode Mode, key string, read bool) {
	hub := newHub(b, chat.Config{Key: []byte(key), MaxHalfOpen: 10_000})
	server := &Server{Hub: hub, Rate: 10_000_000, Linger: ms}
	conn := listen(b, "127.0.0.1:0")
	serve(b, server, conn)
	var sinks []*sink
	var wg sync.WaitGroup
	for i := range members {
		s := newSink(b, conn.LocalAddr(), fmt.Sprintf("m%04d", i), mode, key)
		sinks = append(sinks, s)
		wg.Go(s.run)
	}
	defer func() {
		for _, s := range sinks {
			s.conn.Close()
		}
		wg.Wait()
	}()
	p := newPublisher(b, hub, key)
	for server.Stats().Sessions < members {
		runtime.Gosched()
	}
	p.publish(b, server, members, 64) // warm
	if !read {
		time.Sleep(100 * time.Millisecond) // for what still has to be acknowledged
		for _, s := range sinks {
			s.conn.SetReadDeadline(time.Unix(1, 0))
		}
		wg.Wait()
	}

	size := wire.DatagramHeader + len(p.event) + 2
	if key != "" {
		size += wire.MACSize
	}
	b.ResetTimer()
	// In slices, so that whatever else the machine does hits both alike.
	var bare, ours time.Duration
	const slices = 10
	n := max(b.N/slices, 1)
	for range slices {
		bare += bareTime(b, sinks, size, n*members)
		start := time.Now()
		p.publish(b, server, members, n)
		ours += time.Since(start)
	}
	b.StopTimer()
	total := float64(slices * n * members)
	var came int64
	for _, s := range sinks {
		came += s.came.Load()
	}
	b.ReportMetric(total/ours.Seconds(), "datagrams/s")
	b.ReportMetric(total/bare.Seconds(), "bare-datagrams/s")
	b.ReportMetric(bare.Seconds()/ours.Seconds(), "ratio")
	b.ReportMetric(float64(came)/(2*total), "received")
	b.ReportMetric(0, "ns/op")
}

// bareTime sends n datagrams of size bytes to the sinks, turnSize to each in
// turn as the server does when there is much to send, with nothing
// but sendmmsg, and returns how long that took.
func bareTime(b *testing.B, sinks []*sink, size, n int) time.Duration {
	conn := listen(b, "127.0.0.1:0").(*net.UDPConn)
	defer conn.Close()
	conn.SetWriteBuffer(socketBuffer)
	batch := ipv4.NewPacketConn(conn)
	ms := make([]ipv4.Message, sendBatch)
	payload := wire.AppendHeader(nil, &wire.Header{Type: wire.TypeData})
	payload = append(payload, make([]byte, size-len(payload))...)
	next := 0
	start := time.Now()
	for sent := 0; sent < n; {
		for i := range ms {
			ms[i].Buffers = [][]byte{payload[:wire.DatagramHeader], payload[wire.DatagramHeader:]}
			ms[i].Addr = sinks[next].conn.LocalAddr()
			if i%turnSize == turnSize-1 {
				next = (next + 1) % len(sinks)
			}
		}
		for rest := ms; len(rest) > 0; {
			done, err := batch.WriteBatch(rest, 0)
			if err != nil {
				b.Fatal(err)
			}
			rest = rest[done:]
			sent += done
		}
	}
	return time.Since(start)
}

// A sink is a member that counts what it gets and acknowledges what it must.
type sink struct {
	conn   *net.UDPConn
	server *net.UDPAddr
	sess   *session
	came   atomic.Int64
}

func newSink(b *testing.B, server net.Addr, name string, mode Mode, key string) *sink {
	conn := listen(b, "127.0.0.1:0").(*net.UDPConn)
	conn.SetReadBuffer(clientBuffer)
	s := &sink{conn: conn, server: server.(*net.UDPAddr), sess: newSession(mode, wire.MaxDatagram, 1, ARQ{})}
	ask := func(question []byte) (wire.Header, []byte) {
		buf := make([]byte, 2048)
		for {
			conn.WriteTo(question, server)
			conn.SetReadDeadline(time.Now().Add(time.Second))
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				continue
			}
			h, payload, err := wire.DecodeHeader(buf[:n])
			if err == nil && (h.Type == wire.TypeCookie || h.Type == wire.TypeAccept) {
				conn.SetReadDeadline(time.Time{})
				return h, payload
			}
		}
	}
	_, payload := ask(helloFrom(0))
	e, _ := wire.Decode(connectAs(name))
	body := wire.Connect{Name: name, Mode: mode.String(), Nonce: fmt.Sprintf("%032d", 0), Rooms: []wire.RoomCursor{{Room: "lobby"}}}
	nonce := make([]byte, wire.NonceSize)
	server16 := serverNonce(payload[wire.NonceSize:])
	body.Proof = hex.EncodeToString(wire.Prove([]byte(key), wire.ProveClient, server16, nonce))
	e.Args = wire.EncodeBody(body)
	connect, _ := wire.AppendEnvelope(nil, &e)
	open := append(wire.AppendHeader(nil, &wire.Header{Type: wire.TypeOpen, Number: 2}), payload...)
	h, _ := ask(append(open, connect...))
	if h.Session == 0 {
		b.Fatal("no session")
	}
	s.sess.id, s.sess.number = h.Session, 2
	if key != "" {
		s.sess.protect(wire.Prove([]byte(key), wire.ProveMAC, server16, nonce), clientToServer, serverToClient)
	}
	return s
}

func (s *sink) run() {
	batch := ipv4.NewPacketConn(s.conn)
	ms := make([]ipv4.Message, receiveBatch)
	for i := range ms {
		ms[i].Buffers = [][]byte{make([]byte, 2048)}
	}
	var arrivals []arrival
	for {
		n, err := batch.ReadBatch(ms, 0)
		if err != nil {
			return
		}
		now := time.Now()
		for i := range n {
			b := ms[i].Buffers[0][:ms[i].N]
			if wire.DatagramFlags(b[3])&wire.DatagramReliable == 0 {
				s.came.Add(1)
				continue
			}
			if h, payload, err := wire.DecodeHeader(b); err == nil && h.Session == s.sess.id && s.sess.authentic(b, &h) == nil {
				arrivals, _ = s.sess.receive(now, arrivals[:0], &h, payload)
				s.came.Add(int64(len(arrivals)))
			}
		}
		s.sess.recv.hurry(now)
		if d, ok := s.sess.next(now, nil); ok {
			s.conn.WriteToUDP(append(d.head, d.payload...), s.server)
		}
	}
}

// A publisher is a member that is not on the network and reads nothing.
type publisher struct {
	conn  *chat.Conn
	event []byte
}

func (*publisher) Wake()           {}
func (*publisher) Close()          {}
func (*publisher) Info() chat.Info { return chat.Info{Transport: "tcp"} }

func newPublisher(b *testing.B, hub *chat.Hub, key string) *publisher {
	p := &publisher{}
	nonce := make([]byte, wire.NonceSize)
	conn, err := hub.Attach(p, nonce)
	if err != nil {
		b.Fatal(err)
	}
	p.conn = conn
	b.Cleanup(func() { conn.Detach("done") })
	e, _ := wire.Decode(connectAs("pub"))
	e.Args = wire.EncodeBody(wire.Connect{Name: "pub", Nonce: fmt.Sprintf("%032d", 0), Rooms: []wire.RoomCursor{{Room: "lobby"}},
		Proof: hex.EncodeToString(wire.Prove([]byte(key), wire.ProveClient, nonce, nonce))})
	if err := conn.Receive(&e); err != nil {
		b.Fatal(err)
	}
	args := make([]byte, 100)
	p.event, _ = wire.AppendEnvelope(nil, &wire.Envelope{Kind: wire.KindEvent, Flags: wire.FlagBinary, Room: []byte("lobby"), Sender: []byte("pub"), Event: []byte("say"), Args: args})
	return p
}

// publish publishes n events and returns when the server has sent them to all.
func (p *publisher) publish(b *testing.B, server *Server, members, n int) {
	e, err := wire.Decode(p.event)
	if err != nil {
		b.Fatal(err)
	}
	e.Sender = nil
	first := server.Stats()
	sent := func() int {
		s := server.Stats()
		return int(s.Sent-s.Resent-first.Sent+first.Resent) / members
	}
	for i := range n {
		if err := p.conn.Receive(&e); err != nil {
			b.Fatal(err)
		}
		if i%16 == 15 {
			p.conn.Flush()
			for i-sent() > 2000 {
				time.Sleep(ms)
			}
		}
	}
	p.conn.Flush()
	for deadline := time.Now().Add(time.Minute); sent() < n; {
		if time.Now().After(deadline) {
			b.Fatalf("%d of %d sent: %+v", sent(), n, server.Stats())
		}
		time.Sleep(100 * time.Microsecond)
	}
}

package vnet

import (
	"io"
	"net"
	"testing"
)

// BenchmarkStream is one TCP connection over ideal links, as `wirelab link`
// carries it, with and without somebody who looks at the packets.
func BenchmarkStream(b *testing.B) {
	for _, tt := range []struct {
		name   string
		mtu    int
		look   func(*Packet)
		states func(*State)
	}{
		{"quiet", 1500, nil, nil},
		{"tapped", 1500, func(*Packet) {}, nil},
		{"tapped and states", 1500, func(*Packet) {}, func(*State) {}},
		{"tapped, mtu 9000", 9000, func(*Packet) {}, nil},
	} {
		b.Run(tt.name, func(b *testing.B) {
			n := New(Config{OnPacket: tt.look, OnState: tt.states})
			defer n.Close()
			from, err := n.AddHost(HostConfig{Name: "a", Addrs: addrs(1), MTU: tt.mtu})
			if err != nil {
				b.Fatal(err)
			}
			to, err := n.AddHost(HostConfig{Name: "b", Addrs: addrs(2), MTU: tt.mtu, Quiet: true})
			if err != nil {
				b.Fatal(err)
			}
			l, err := to.Listen("tcp", ":80")
			if err != nil {
				b.Fatal(err)
			}
			c, err := from.DialContext(b.Context(), "tcp", net.JoinHostPort(to.Addr().String(), "80"))
			if err != nil {
				b.Fatal(err)
			}
			server, err := l.Accept()
			if err != nil {
				b.Fatal(err)
			}
			chunk := make([]byte, 256<<10)
			b.SetBytes(int64(len(chunk)))
			b.ResetTimer()
			go func() {
				for range b.N {
					c.Write(chunk)
				}
				c.(*Conn).CloseWrite()
			}()
			got, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{server}, make([]byte, 256<<10))
			if err != nil || got != int64(b.N)*int64(len(chunk)) {
				b.Fatalf("%d bytes arrived, %v", got, err)
			}
			b.ReportMetric(float64(got)*8/1e6/b.Elapsed().Seconds(), "Mb/s")
			b.ReportMetric(float64(from.Stats().Retransmits), "resent")
		})
	}
}

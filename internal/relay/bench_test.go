package relay

import (
	"io"
	"testing"
	"time"

	"wirelab/internal/pcapng"
)

// One TCP stream over a link without impairment; recorded, too, to nowhere.
func BenchmarkStream(b *testing.B) {
	for _, tt := range []struct {
		name   string
		mtu    int
		down   bool // from the server to the client
		record io.Writer
	}{{"mtu 1500", 1500, false, nil}, {"mtu 1500, down", 1500, true, nil}, {"mtu 9000", 9000, false, nil}, {"mtu 1500, recorded", 1500, false, io.Discard}} {
		b.Run(tt.name, func(b *testing.B) {
			l := listen(b)
			r := serve(b, Config{MTU: tt.mtu, Record: tt.record}, l.Addr())
			client := dialTCP(b, r.addr)
			server := accept(b, l)
			if tt.down {
				client, server = server, client
			}
			chunk := make([]byte, 256<<10)
			b.SetBytes(int64(len(chunk)))
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for range b.N {
					client.Write(chunk)
				}
				client.CloseWrite()
			}()
			n, err := io.Copy(io.Discard, server)
			<-sent
			if err != nil || n != int64(b.N)*int64(len(chunk)) {
				b.Fatalf("%d bytes arrived, %v", n, err)
			}
			s := r.Snapshot()
			b.ReportMetric(float64(n)*8/1e6/b.Elapsed().Seconds(), "Mb/s")
			b.ReportMetric(float64(s.Up.Resent+s.Down.Resent), "resent")
		})
	}
}

func BenchmarkRecord(b *testing.B) {
	c, err := newCapture(io.Discard, "a link")
	if err != nil {
		b.Fatal(err)
	}
	go c.run()
	p := pcapng.Packet{Interface: atLink, Time: time.Unix(1, 0), Data: make([]byte, 1500)}
	b.SetBytes(1500)
	for b.Loop() {
		c.add(&p)
	}
	if err := c.close(); err != nil {
		b.Fatal(err)
	}
}

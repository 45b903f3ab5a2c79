package view

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"wirelab/internal/pcapng"
	"wirelab/labs"
	"wirelab/labs/measure"
)

var (
	anaAddr = netip.MustParseAddr("192.0.2.2")
	boAddr  = netip.MustParseAddr("192.0.2.3")
)

// A wire writes the capture of a run between ana and bo, whose links are both
// recorded: 20 ms to the middle, and 20 ms on.
type wire struct {
	t     *testing.T
	b     bytes.Buffer
	w     *pcapng.Writer
	run   *measure.Run
	count int
}

const hop = 20 * time.Millisecond

func newWire(t *testing.T) *wire {
	w := &wire{t: t, run: &measure.Run{Began: 1}}
	var err error
	if w.w, err = pcapng.NewWriter(&w.b); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ana", "link ana", "server ana", "bo", "link bo", "server bo"} {
		if _, err := w.w.Describe(pcapng.Interface{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// A line is one packet of a capture.
type line struct {
	at      time.Duration // since the workload began
	iface   int
	dir     pcapng.Direction
	comment string
	data    []byte
}

func (w *wire) put(l line) {
	w.t.Helper()
	p := pcapng.Packet{Interface: l.iface, Direction: l.dir, Time: labs.Start.Add(time.Second + l.at), Comment: l.comment, Data: l.data}
	if err := w.w.Write(&p); err != nil {
		w.t.Fatal(err)
	}
}

// send sends an IP packet from ana to bo or back. lost is the link that loses it,
// if any.
func (w *wire) send(at time.Duration, data []byte, lost string) {
	w.t.Helper()
	fromAna := netip.AddrFrom4([4]byte(data[12:16])) == anaAddr
	p := measure.Packet{T: at.Seconds(), Host: "ana", Up: true, From: "ana", To: "bo", Number: w.count + 1, Data: data, Arrived: (at + 2*hop).Seconds(),
		Sport: int(binary.BigEndian.Uint16(data[20:])), Dport: int(binary.BigEndian.Uint16(data[22:]))}
	first, second := 0, 3
	if !fromAna {
		first, second = 3, 0
		p.Host, p.From, p.To = "bo", "bo", "ana"
	}
	name := []string{"ana", "", "", "bo"}
	lines := []line{{at, first, pcapng.Out, "", data}}
	if lost == name[first] {
		lines = append(lines, line{at, first + 1, pcapng.Out, "lost: random", data})
	} else {
		lines = append(lines, line{at, first + 1, pcapng.Out, "", data}, line{at + hop, first + 2, pcapng.In, "", data}, line{at + hop, second + 2, pcapng.Out, "", data})
		if lost == name[second] {
			lines = append(lines, line{at + hop, second + 1, pcapng.In, "lost: random", data})
		} else {
			lines = append(lines, line{at + hop, second + 1, pcapng.In, "", data}, line{at + 2*hop, second, pcapng.In, "", data})
		}
	}
	if lost != "" {
		p.Lost, p.Arrived, p.Fate = true, -1, "lost: random"
	}
	for _, l := range lines {
		w.put(l)
		w.count++
	}
	p.N = len(w.run.Packets) + 1
	w.run.Packets = append(w.run.Packets, p)
}

func (w *wire) done() *measure.Run {
	w.run.Capture = w.b.Bytes()
	return w.run
}

// datagram is a UDP packet over IPv4.
func datagram(src, dst netip.Addr, sport, dport uint16, payload string) []byte {
	p := ipv4(src, dst, 17, 8+len(payload))
	p = binary.BigEndian.AppendUint16(p, sport)
	p = binary.BigEndian.AppendUint16(p, dport)
	p = binary.BigEndian.AppendUint16(p, uint16(8+len(payload)))
	return append(append(p, 0, 0), payload...)
}

// segment is a TCP packet over IPv4.
func segment(src, dst netip.Addr, sport, dport uint16, seq, ack uint32, control byte, payload string) []byte {
	p := ipv4(src, dst, 6, 20+len(payload))
	p = binary.BigEndian.AppendUint16(p, sport)
	p = binary.BigEndian.AppendUint16(p, dport)
	p = binary.BigEndian.AppendUint32(p, seq)
	p = binary.BigEndian.AppendUint32(p, ack)
	p = append(p, 0x50, control, 0xff, 0xff, 0, 0, 0, 0)
	return append(p, payload...)
}

func ipv4(src, dst netip.Addr, protocol byte, length int) []byte {
	p := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0}
	binary.BigEndian.PutUint16(p[2:], uint16(20+length))
	a, b := src.As4(), dst.As4()
	return append(append(p, a[:]...), b[:]...)
}

const (
	fin = 1
	syn = 2
	ack = 16
)

// talk is a run: a connection with its first data lost on bo's link and sent
// again after 1 s, then a few datagrams.
func talk(t *testing.T) *measure.Run {
	w := newWire(t)
	ms := time.Millisecond
	w.send(0, segment(anaAddr, boAddr, 5000, 7000, 100, 0, syn, ""), "")
	w.send(40*ms, segment(boAddr, anaAddr, 7000, 5000, 900, 101, syn|ack, ""), "")
	w.send(80*ms, segment(anaAddr, boAddr, 5000, 7000, 101, 901, ack, ""), "")
	w.send(81*ms, segment(anaAddr, boAddr, 5000, 7000, 101, 901, ack, "hello <b>"), "bo")
	w.send(1081*ms, segment(anaAddr, boAddr, 5000, 7000, 101, 901, ack, "hello <b>"), "")
	w.send(1121*ms, segment(boAddr, anaAddr, 7000, 5000, 901, 110, ack, ""), "")
	for i := range 3 {
		w.send(time.Duration(1200+10*i)*ms, datagram(anaAddr, boAddr, 6000, 8000, "number"), "")
	}
	return w.done()
}

package flow

import (
	"bufio"
	"encoding/binary"
	"io"
	"testing"
	"time"

	"wirelab/internal/pcapng"
)

// segment returns an IPv4 packet with a TCP segment of size bytes of payload.
func segment(src, dst [4]byte, sport, dport uint16, seq, ack uint32, control uint8, size int) []byte {
	b := make([]byte, 40+size)
	b[0], b[8], b[9] = 0x45, 64, 6
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	t := b[20:]
	binary.BigEndian.PutUint16(t, sport)
	binary.BigEndian.PutUint16(t[2:], dport)
	binary.BigEndian.PutUint32(t[4:], seq)
	binary.BigEndian.PutUint32(t[8:], ack)
	t[12], t[13] = 0x50, control
	binary.BigEndian.PutUint16(t[14:], 60000)
	return b
}

const (
	fin  = 1
	syn  = 2
	rst  = 4
	push = 8
	ack  = 16
)

// generate writes a capture of count packets in so many flows at a time: each
// flow sends segments of size bytes, one in a hundred again, each acknowledged.
func generate(t testing.TB, to io.Writer, count, flows, size int) {
	t.Helper()
	b := bufio.NewWriterSize(to, 1<<20)
	w, err := pcapng.NewWriter(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Describe(pcapng.Interface{Name: "eth0"}); err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	sent := make([]uint32, flows)
	for i := 0; i < count; i++ {
		f := i / 2 % flows
		client := [4]byte{10, byte(f >> 16), byte(f >> 8), byte(f)}
		server := [4]byte{192, 0, 2, 1}
		port := uint16(1024 + f%60000)
		var data []byte
		switch {
		case i%2 == 0:
			data = segment(client, server, port, 9000, 1000+sent[f], 5000, push|ack, size)
			if i%200 != 0 {
				sent[f] += uint32(size)
			}
		default:
			data = segment(server, client, 9000, port, 5000, 1000+sent[f], ack, 0)
		}
		now = now.Add(10 * time.Microsecond)
		if err := w.Write(&pcapng.Packet{Time: now, Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
}

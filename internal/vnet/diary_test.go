package vnet

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

func TestDiary(t *testing.T) {
	segment := func(from, to byte) []byte {
		b := make([]byte, 40)
		b[0], b[9] = 0x45, protocolTCP
		binary.BigEndian.PutUint16(b[2:], 40)
		copy(b[12:], []byte{10, 0, 0, from, 10, 0, 0, to})
		b[21], b[23], b[32] = from, to, 5<<4
		return b
	}
	at := func(n byte) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), uint16(n))
	}
	var d Diary
	if got := d.Note(segment(1, 2)); got != "" {
		t.Errorf("of an empty diary: %q", got)
	}
	d.Take(&State{Local: at(1), Remote: at(2), MSS: 1000, Cwnd: 5, Ssthresh: 4})
	d.Take(&State{Local: at(1), Remote: at(2), MSS: 1448, Cwnd: 10, Ssthresh: -1, SRTT: 40*time.Millisecond + 1, RTO: 240 * time.Millisecond, Recovery: "open"})
	d.Take(&State{Local: at(2), Remote: at(1), MSS: 500, Cwnd: 3, Ssthresh: 2, SRTT: time.Second, RTO: 3 * time.Second, Recovery: "loss"})
	for _, c := range []struct {
		from, to byte
		want     string
	}{
		{1, 3, ""},
		{1, 2, "cwnd=14480 ssthresh=∞ srtt=40ms rto=240ms recovery=open"},
		{1, 2, ""}, // it was said
		{2, 1, "cwnd=1500 ssthresh=1000 srtt=1s rto=3s recovery=loss"},
	} {
		if got := d.Note(segment(c.from, c.to)); got != c.want {
			t.Errorf("from %d to %d: %q, want %q", c.from, c.to, got, c.want)
		}
	}
	if got := d.Note([]byte{0x45}); got != "" {
		t.Errorf("of no packet: %q", got)
	}
}

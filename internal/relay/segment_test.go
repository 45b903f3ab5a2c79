package relay

import (
	"encoding/hex"
	"strings"
	"testing"
)

// packetOf reads bytes as people write them.
func packetOf(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	// 10.0.0.1:49152 > 10.0.0.2:9000, three bytes at 1000.
	dataIPv4 = "4500002b 00004000 40060000 0a000001 0a000002  c0002328 000003e8 00000001 50100200 00000000  616263"
	// The same with a SYN and one option word, no data.
	synIPv4 = "4500002c 00004000 40060000 0a000001 0a000002  c0002328 000003e8 00000000 60020200 00000000  020405b4"
	// [fd00::1]:49152 > [fd00::2]:9000, FIN and one byte.
	finIPv6 = "60000000 00150640 fd000000000000000000000000000001 fd000000000000000000000000000002  c0002328 000003e8 00000001 50110200 00000000  61"
	udpIPv4 = "4500001c 00004000 40110000 0a000001 0a000002  c0002328 00080000"
)

func TestParseSegment(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     segment
		ok       bool
	}{
		{"data", dataIPv4, segment{source: 49152, dest: 9000, seq: 1000, length: 3}, true},
		{"SYN takes one number", synIPv4, segment{source: 49152, dest: 9000, seq: 1000, length: 1, syn: true}, true},
		{"FIN takes one, too, over IPv6", finIPv6, segment{source: 49152, dest: 9000, seq: 1000, length: 2}, true},
		{"bytes after the packet are not its own", dataIPv4 + "ffff", segment{source: 49152, dest: 9000, seq: 1000, length: 3}, true},
		{"UDP", udpIPv4, segment{}, false},
		{"cut short", "4500002b 00004000 40060000 0a000001 0a000002  c0002328", segment{}, false},
		{"a later fragment", strings.Replace(dataIPv4, "00004000", "00000001", 1), segment{}, false},
		{"nothing", "", segment{}, false},
	} {
		got, ok := parseSegment(packetOf(t, tt.in))
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%s: parseSegment = %+v, %v, want %+v, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

// Whatever the bytes are, a segment is no longer than they are, and what comes
// behind a packet changes nothing but the length of one that was cut.
func FuzzParseSegment(f *testing.F) {
	for _, s := range []string{dataIPv4, synIPv4, finIPv6, udpIPv4} {
		f.Add(packetOf(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		g, ok := parseSegment(b)
		if ok && int(g.length) > len(b)-40+2 {
			t.Errorf("%d numbers in a packet of %d bytes", g.length, len(b))
		}
		more, _ := parseSegment(append(b[:len(b):len(b)], 1, 2, 3))
		if ok && (more.length < g.length || more.length > g.length+3) {
			t.Errorf("%d numbers, with bytes behind it %d", g.length, more.length)
		}
		more.length = g.length
		if ok && more != g {
			t.Errorf("%+v, with bytes behind it %+v", g, more)
		}
	})
}

func TestSenderKnowsWhatItSent(t *testing.T) {
	var s sender
	for _, tt := range []struct {
		name  string
		in    segment
		again bool
	}{
		{"SYN", segment{seq: 0xfffffffe, length: 1, syn: true}, false},
		{"SYN again", segment{seq: 0xfffffffe, length: 1, syn: true}, true},
		{"data", segment{seq: 0xffffffff, length: 100}, false},
		{"an acknowledgement", segment{seq: 99}, false},
		{"more data, beyond 2^32", segment{seq: 99, length: 100}, false},
		{"the first data again", segment{seq: 0xffffffff, length: 100}, true},
		{"some old, some new", segment{seq: 150, length: 100}, false},
		{"FIN", segment{seq: 250, length: 1}, false},
		{"FIN again", segment{seq: 250, length: 1}, true},
		{"a new connection with the same port", segment{seq: 5, length: 1, syn: true}, false},
	} {
		if again := s.sent(tt.in); again != tt.again {
			t.Errorf("%s: sent before = %v, want %v", tt.name, again, tt.again)
		}
	}
	if s.resent != 0 {
		t.Errorf("the new connection has sent %d segments again", s.resent)
	}
}

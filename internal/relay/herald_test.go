package relay

import (
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
)

// RFC 1071, section 3: the sum of these words is ddf2.
func TestChecksum(t *testing.T) {
	if got := checksum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}); got != ^uint16(0xddf2) {
		t.Errorf("checksum = %04x, want %04x", got, ^uint16(0xddf2))
	}
}

// RFC 792, page 4: type 3, code 3, checksum, four bytes unused, the Internet
// header and the first eight bytes of the datagram's data.
func TestPortUnreachableBytes(t *testing.T) {
	b := portUnreachable(netip.MustParseAddrPort("127.0.0.1:40000"), netip.MustParseAddrPort("127.0.0.1:9100"))
	const want = "0303 .... 00000000 4500001c 00000000 4011.... 7f000001 7f000001 9c40 238c 0008 0000"
	if got := hex.EncodeToString(b); !alike(got, want) {
		t.Errorf("message %s, want %s", got, want)
	}
	if checksum(b) != 0 || checksum(b[8:28]) != 0 {
		t.Error("a checksum does not add up")
	}
	// RFC 4443, section 3.1: type 1, code 4.
	b = portUnreachable(netip.MustParseAddrPort("[::1]:40000"), netip.MustParseAddrPort("[::1]:9100"))
	const want6 = "0104 0000 00000000 60000000 0008 11 40 00000000000000000000000000000001 00000000000000000000000000000001 9c40 238c 0008 0000"
	if got := hex.EncodeToString(b); !alike(got, want6) {
		t.Errorf("message %s, want %s", got, want6)
	}
}

// alike compares hex digits; a dot stands for any, spaces for nothing.
func alike(got, want string) bool {
	i := 0
	for _, r := range want {
		if r == ' ' {
			continue
		}
		if i == len(got) || r != '.' && byte(r) != got[i] {
			return false
		}
		i++
	}
	return i == len(got)
}

// The kernel believes the herald: a connected socket's read says that the port
// is closed, though it is not.
func TestHerald(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(at, func(t *testing.T) {
			a, err := net.ResolveUDPAddr("udp", at)
			if err != nil {
				t.Fatal(err)
			}
			u, err := net.ListenUDP("udp", a)
			if err != nil {
				t.Skip(err) // no IPv6 here
			}
			defer u.Close()
			h := newHerald(u)
			if h == nil {
				t.Skip("no raw sockets for us")
			}
			defer h.close()
			client := dialUDP(t, u.LocalAddr().String())
			h.unreachable(client.LocalAddr().(*net.UDPAddr).AddrPort())
			if _, err := client.Read(make([]byte, 10)); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("read: %v, want %v", err, syscall.ECONNREFUSED)
			}
		})
	}
}

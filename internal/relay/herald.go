package relay

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// A herald tells a client program's kernel that the port it sent a datagram to
// is closed, as the host with that port would: by ICMP. Only a raw socket can,
// which Linux and macOS give to root alone.
type herald struct {
	raw   net.PacketConn
	local netip.AddrPort // where the client sent its datagram
}

// newHerald returns nil where the system does not allow it, or where u is bound
// to no address in particular.
func newHerald(u *net.UDPConn) *herald {
	local := u.LocalAddr().(*net.UDPAddr).AddrPort()
	local = netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
	if local.Addr().IsUnspecified() {
		return nil
	}
	network := "ip4:1"
	if local.Addr().Is6() {
		network = "ip6:58"
	}
	raw, err := net.ListenPacket(network, local.Addr().String())
	if err != nil {
		return nil
	}
	return &herald{raw: raw, local: local}
}

func (h *herald) close() {
	if h != nil {
		h.raw.Close()
	}
}

// unreachable tells client that the port is closed. Nobody may do that is no
// error.
func (h *herald) unreachable(client netip.AddrPort) {
	if h != nil {
		h.raw.WriteTo(portUnreachable(client, h.local), &net.IPAddr{IP: client.Addr().AsSlice(), Zone: client.Addr().Zone()})
	}
}

// portUnreachable returns the ICMP message about a datagram from src to dst: its
// headers are in it, so that the kernel finds the socket (RFC 792, page 4; RFC
// 4443, section 3.1). Both addresses are of the same version. The kernel fills
// in the checksum of ICMPv6 (RFC 3542, section 3.1).
func portUnreachable(src, dst netip.AddrPort) []byte {
	from, to := src.Addr().Unmap(), dst.Addr().Unmap()
	var b []byte
	if from.Is4() {
		b = []byte{3, 3, 0, 0, 0, 0, 0, 0} // destination unreachable, port
		b = append(b, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, protoUDP, 0, 0)
		b = append(append(b, from.AsSlice()...), to.AsSlice()...)
		binary.BigEndian.PutUint16(b[8+10:], checksum(b[8:28]))
	} else {
		b = []byte{1, 4, 0, 0, 0, 0, 0, 0} // the same
		b = append(b, 0x60, 0, 0, 0, 0, 8, protoUDP, 64)
		b = append(append(b, from.AsSlice()...), to.AsSlice()...)
	}
	b = binary.BigEndian.AppendUint16(b, src.Port())
	b = binary.BigEndian.AppendUint16(b, dst.Port())
	b = append(b, 0, 8, 0, 0)
	if from.Is4() {
		binary.BigEndian.PutUint16(b[2:], checksum(b))
	}
	return b
}

// checksum is the Internet checksum of b, whose length is even (RFC 1071).
func checksum(b []byte) uint16 {
	sum := uint32(0)
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

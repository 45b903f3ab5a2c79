// Package filter compiles a subset of tcpdump's filter language (pcap-filter(7))
// to BPF, for the kernel and for packets that were read from a file. What is not
// in the subset is refused by name: nothing is ever ignored. The subset:
//
//	ip ip6 arp rarp icmp icmp6 tcp udp sctp      the protocol is there
//	[src|dst|src or dst|src and dst] host ADDR   ADDR is written in numbers
//	[src|dst|...] net 10.0.0.0/8                 also net 10, net 10.1, net A mask M
//	[src|dst|...] port 80, portrange 80-90       also http, https, domain, ssh, …
//	ip host, ip6 net, arp host, tcp port, udp src port, ...
//	proto N, ip proto tcp, ip6 proto 58          the number in the IP header
//	ether host|src|dst MAC, ether proto 0x0800   Ethernet only
//	broadcast, multicast, ip multicast, ip6 multicast
//	vlan, vlan 7                                 Ethernet only
//	less N, greater N                            len <= N, len >= N
//	tcp[13] & 2 != 0, ip[2:2] > 100, len < 60    +, -, *, /, %, &, |, ^, <<, >>
//	tcp[tcpflags] & (tcp-syn|tcp-fin) != 0       also icmptype, icmp-echo, ...
//	and or not && || ! ( )
//
// It means what it means to libpcap 1.10, also where that surprises:
//
//   - and and or have the same rank and group from the left; not binds tighter.
//   - A bare value takes the words of the one before: tcp port 80 or 443.
//   - port without a protocol is TCP, UDP or SCTP, and the name of a service is
//     only of its own protocols: port http is tcp port 80.
//   - Ports are looked for in the first fragment of IPv4 only, after its options;
//     in IPv6 only where no extension header comes before.
//   - tcp[...], udp[...] and icmp[...] read IPv4 only. In a calculation only the
//     leftmost of them asks whether the packet is of its protocol.
//   - host and net without a protocol match ARP and RARP too.
//   - A read beyond the bytes that were kept ends the program with no, even below
//     a not; which reads those are is as without libpcap's optimiser (tcpdump -O).
//     Numbers are of 32 bits without sign.
//   - vlan moves everything behind it in the expression by four bytes.
//
// Stricter than libpcap: names of hosts are not looked up, a host needs all four
// numbers, a shift needs a constant, and % and ^ beside other operators need
// parentheses.
package filter

import (
	"fmt"

	"golang.org/x/net/bpf"
)

// The limits of an expression. The kernel takes 4096 instructions (BPF_MAXINSNS);
// 16 are left for what a caller puts before them.
const (
	MaxLength       = 16384 // bytes of an expression
	MaxInstructions = 4080  // instructions of a program
	maxDepth        = 200   // parentheses and nots inside one another
)

// Accept is what a program returns for a packet that matches: the bytes to keep,
// more than any packet has.
const Accept = 262144

// A Filter is a compiled expression. It does not change, so many goroutines may
// share it.
type Filter struct {
	expr    string
	program []instruction
	lowered []bpf.Instruction
	vlan    bool
}

// An Error is a word that an expression cannot have where it stands.
type Error struct {
	Expr   string
	Column int    // of the word, in characters from 1
	Word   string // empty at the end of the expression
	Why    string // what would be right
}

func (e *Error) Error() string {
	if e.Word == "" {
		return fmt.Sprintf("filter: column %d, at the end: %s", e.Column, e.Why)
	}
	return fmt.Sprintf("filter: column %d, %q: %s", e.Column, e.Word, e.Why)
}

// Compile compiles expr for packets of a link type: 1 Ethernet, 101 raw IP, 113
// and 276 Linux cooked, 0 and 108 BSD loopback, 228 and 229 IPv4 and IPv6. An
// empty expression matches all. What is refused is told as an *Error.
func Compile(expr string, linkType uint16) (*Filter, error) {
	link, err := linkOf(linkType)
	if err != nil {
		return nil, err
	}
	if len(expr) > MaxLength {
		return nil, fmt.Errorf("filter: an expression of %d bytes, want at most %d", len(expr), MaxLength)
	}
	p := parser{expr: expr, link: link}
	root, err := p.parse()
	if err != nil {
		return nil, err
	}
	f := &Filter{expr: expr, vlan: p.link.tags > 0}
	if f.program, err = emit(root); err != nil {
		return nil, err
	}
	f.lowered = lower(f.program)
	if n := len(f.lowered); n > MaxInstructions {
		return nil, fmt.Errorf("filter: the expression makes %d instructions, want at most %d: make it shorter", n, MaxInstructions)
	}
	return f, nil
}

// String returns the expression.
func (f *Filter) String() string { return f.expr }

// VLAN reports whether the expression asks for VLAN tags. Linux takes them out of
// a packet before a socket's program sees it.
func (f *Filter) VLAN() bool { return f.vlan }

// Match reports whether a packet matches, of which data was kept; length is what
// it had on the wire. It allocates nothing.
func (f *Filter) Match(data []byte, length int) bool { return run(f.program, data, uint32(length)) }

// Instructions returns the program, which returns Accept or 0. It may be put
// behind other instructions: its jumps are relative.
func (f *Filter) Instructions() []bpf.Instruction {
	return append([]bpf.Instruction(nil), f.lowered...)
}

// Raw returns the program as the kernel takes it.
func (f *Filter) Raw() ([]bpf.RawInstruction, error) { return bpf.Assemble(f.lowered) }

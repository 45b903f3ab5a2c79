// Package live captures packets of a network card. It works on Linux, through a
// packet socket (packet(7)), without cgo and libpcap, and needs CAP_NET_RAW.
// Elsewhere Open says so, and what works without.
//
// The socket is our own and not gopacket's pcapgo.EthernetHandle: that one blocks
// in recvmsg on a descriptor that it does not give out, so that neither Close nor
// a context ends it; it takes packets from before its filter is set; and it does
// not say which way a packet went.
//
// Checksums of packets that this machine sends may be unfinished, and packets may
// be larger than the link's MTU: the card does the rest.
package live

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// MaxSnap is the most bytes that are kept of a packet: the loopback interface
// carries packets of 64 KiB and more.
const MaxSnap = 262144

// Config says what to capture.
type Config struct {
	Interface string
	Filter    string // in the language of package filter; empty takes all
	SnapLen   int    // bytes to keep of a packet; if zero, MaxSnap
	Buffer    int    // bytes that the kernel may hold for us; if zero, 16 MiB
	Promisc   bool   // also packets for other stations
}

// An Error is why capturing cannot begin, and what to do.
type Error struct {
	Why  string
	Hint string
	Err  error // the system's, or nil
}

func (e *Error) Error() string { return e.Why }

// Unwrap returns the system's error.
func (e *Error) Unwrap() error { return e.Err }

// without is the hint of what works where capturing does not.
const without = "what works without: a capture of a lab (wirelab compare --pcap DIR), of a link (wirelab link --record FILE), " +
	"or of another program: tcpdump -w - | wirelab packets show -"

// An Interface is a network interface of this machine.
type Interface struct {
	Name      string
	Addresses []netip.Prefix
	Up        bool
	Loopback  bool
}

// String returns the name, what is special and the addresses.
func (i Interface) String() string {
	var notes []string
	if !i.Up {
		notes = append(notes, "down")
	}
	if i.Loopback {
		notes = append(notes, "loopback")
	}
	for _, a := range i.Addresses {
		notes = append(notes, a.String())
	}
	if len(notes) == 0 {
		return i.Name
	}
	return i.Name + " (" + strings.Join(notes, ", ") + ")"
}

// Interfaces returns the interfaces in the system's order.
func Interfaces() ([]Interface, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("interfaces: %w", err)
	}
	var out []Interface
	for _, n := range list {
		i := Interface{Name: n.Name, Up: n.Flags&net.FlagUp != 0, Loopback: n.Flags&net.FlagLoopback != 0}
		addresses, err := n.Addrs()
		if err != nil {
			continue // it went away meanwhile
		}
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				i.Addresses = append(i.Addresses, p)
			}
		}
		out = append(out, i)
	}
	return out, nil
}

// find returns an interface by its name. Its error lists those that there are.
func find(name string) (*net.Interface, error) {
	i, err := net.InterfaceByName(name)
	if err == nil && i.Flags&net.FlagUp == 0 {
		return nil, &Error{Why: fmt.Sprintf("the interface %s is down", name), Hint: "bring it up: sudo ip link set " + name + " up"}
	}
	if err == nil {
		return i, nil
	}
	var names []string
	list, _ := Interfaces()
	for _, i := range list {
		names = append(names, i.String())
	}
	why := fmt.Sprintf("no interface %q", name)
	if name == "" {
		why = "no interface was named"
	}
	hint := "there is no interface at all"
	if len(names) > 0 {
		hint = "there are " + strings.Join(names, ", ")
	}
	return nil, &Error{Why: why, Hint: hint, Err: err}
}

package tcp

import (
	"fmt"
	"math/bits"
	"strings"
)

// Flags is a set of what the analysis says of a segment. The bits follow the
// order of the rules.
type Flags uint16

// The flags. A name is that of tshark's field after "tcp.analysis.".
const (
	ZeroWindowProbe        Flags = 1 << iota // one byte into a window of zero
	ZeroWindow                               // the sender has no room to receive
	LostSegment                              // the one before it was not captured
	KeepAlive                                // a byte that was acknowledged before, or none
	WindowUpdate                             // nothing new but the window
	WindowFull                               // fills the window of the other side
	KeepAliveAck                             // the answer to KeepAlive
	ZeroWindowProbeAck                       // the answer to ZeroWindowProbe
	DuplicateAck                             // nothing new at all
	AckLostSegment                           // acknowledges what was not captured
	SpuriousRetransmission                   // sent again after it was acknowledged
	FastRetransmission                       // sent again after two duplicate ACKs
	OutOfOrder                               // overtaken by a later one
	Retransmission                           // sent again; with fast and spurious, too
	ReusedPorts                              // another connection of the same ports
)

// count is the number of flags; all is each of them.
const (
	count       = 15
	all   Flags = 1<<count - 1
)

var names = [count]string{
	"zero_window_probe", "zero_window", "lost_segment", "keep_alive", "window_update",
	"window_full", "keep_alive_ack", "zero_window_probe_ack", "duplicate_ack", "ack_lost_segment",
	"spurious_retransmission", "fast_retransmission", "out_of_order", "retransmission", "reused_ports",
}

// Names returns the names of all flags, in the order of their bits.
func Names() []string { return append([]string(nil), names[:]...) }

// ParseFlag returns the flag of a name such as "out_of_order".
func ParseFlag(name string) (Flags, error) {
	for i, n := range names {
		if n == name {
			return 1 << i, nil
		}
	}
	return 0, fmt.Errorf("no TCP flag of the name %q, want one of %s", name, strings.Join(names[:], ", "))
}

// Has reports whether all flags of x are in f.
func (f Flags) Has(x Flags) bool { return f&x == x }

// Names returns the names of the flags in f; nil if there is none.
func (f Flags) Names() []string {
	var s []string
	for f &= all; f != 0; f &= f - 1 {
		s = append(s, names[bits.TrailingZeros16(uint16(f))])
	}
	return s
}

// String returns the names joined by "+", or "".
func (f Flags) String() string { return strings.Join(f.Names(), "+") }

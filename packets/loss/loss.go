// Package loss says what became of packets: it compares what left one place with
// what reached another. The two places are the ends of a link in a capture of a
// lab or of `wirelab link` (which has the link between them, too), or two captures
// that were taken at both ends of a path.
//
// [Matcher] joins the sightings of one packet into a [Passage]; [Points] knows
// which interface of a capture is which place; [Align] brings the clocks of two
// captures together; [Judge] holds the TCP analysis flags against what really
// happened.
//
// # How a packet is known again
//
// By its flow and direction, the IP header's identification, the transport header
// without its checksum, its length, and a hash of its payload: what a router
// changes (hop limit, traffic class) does not count. Packets that are alike in all
// of it, such as acknowledgements without identification, are taken in the order
// in which they were sent (first in, first out): which of two alike was lost then
// cannot be told, how many can.
//
// A packet is waited for as long as [Config.Window] says, and while no more than
// [Config.Packets] are waited for.
package loss

import (
	"net/netip"
	"strings"
	"time"

	"wirelab/packets"
	"wirelab/packets/tcp"
)

// A Role says what is seen of a packet at a place.
type Role uint8

// The roles.
const (
	NoRole  Role = iota
	Left         // it was sent here
	Passed       // the link says what becomes of it
	Arrived      // it was received here
)

// A Fate is what became of a packet.
type Fate uint8

// The fates.
const (
	Came      Fate = iota // it arrived
	Lost                  // it did not, and the link says so, or the other capture has what came later
	Flying                // the capture ends before it could arrive
	Early                 // it left before the other capture began
	Unseen                // it arrived, and was not seen to leave
	OneEnd                // nothing between its two hosts was seen at the other end
	Undecided             // too many were waited for
)

// String returns the fate in a few words.
func (f Fate) String() string {
	return [...]string{"arrived", "lost", "on its way at the end", "before the other capture began",
		"not seen to leave", "seen at one end only", "undecided"}[f]
}

// A Head is what is told of a packet's headers.
type Head struct {
	Protocol uint8
	Src, Dst netip.AddrPort // port 0 if it is neither TCP nor UDP
	Seq, Ack uint32         // TCP
	Control  uint8          // TCP's bits, packets.SYN …
	Len      int            // bytes of payload
	Size     int            // bytes of the packet
	TCP, UDP bool
}

func headOf(p *packets.Packet, h *packets.Headers) Head {
	return Head{
		Protocol: h.Protocol, Src: netip.AddrPortFrom(h.Src, h.SrcPort), Dst: netip.AddrPortFrom(h.Dst, h.DstPort),
		Seq: h.Seq, Ack: h.Ack, Control: h.Control, Len: h.PayloadLen, Size: p.Length, TCP: h.TCP, UDP: h.UDP,
	}
}

// A Passage is one packet on its way from where it left to where it arrived. A
// packet that is sent again is another one.
type Passage struct {
	Head
	Link int // of the links in the capture, from 0
	Dir  int // 0 from the near end to the far end, 1 back

	Sent    time.Time // zero if Unseen
	Arrived time.Time // the first copy, by the clock of Sent; zero if none

	SentNumber     int // of the packet in the capture, from 1; 0 is none
	LinkNumber     int
	ReceivedNumber int // in the second capture, if there are two

	Fate   Fate
	Lost   bool   // Fate is Lost
	Reason string // why, as the link says: "random"; hostile text
	Note   string // what the link says beside it: "duplicated"; hostile text

	Copies     int    // that arrived beyond the first
	Corrupted  bool   // it arrived, or would have, with a bit changed
	Refused    string // why the receiving host did not take it; hostile text
	Reordered  bool   // it arrived after one that was sent later (RFC 4737, section 3)
	CopyNumber int    // of the first further copy, as ReceivedNumber
	CopyFlags  tcp.Flags

	Flags        tcp.Flags // of the analysis where it left
	ArrivedFlags tcp.Flags // and where it arrived
	SentFlow     int       // flow.Flow.Number where it left; 0 is none
	SentDir      int       // direction in that flow
	ReceivedFlow int
	copiesDue    int
}

// Delay returns the time from Sent to Arrived. It may be negative, if the clocks
// of two captures disagree.
func (p *Passage) Delay() (time.Duration, bool) {
	if p.Sent.IsZero() || p.Arrived.IsZero() {
		return 0, false
	}
	return p.Arrived.Sub(p.Sent), true
}

// Usable reports whether the receiving host got the packet as it was sent. Of two
// copies one may be changed.
func (p *Passage) Usable() bool {
	return p.Fate == Came && (p.Copies > 0 || !p.Corrupted && p.Refused == "")
}

// A Sighting is a packet at a place.
type Sighting struct {
	Role    Role
	Link    int
	Dir     int
	Number  int // in its capture
	Time    time.Time
	Packet  *packets.Packet
	Headers *packets.Headers
	Flags   tcp.Flags
	Flow    int // flow.Flow.Number at this place; 0 is none
	FlowDir int // direction in it
}

// said splits a comment of the link: the reason of a loss, or a note.
func said(comment string) (reason, note string, lost bool) {
	rest, lost := strings.CutPrefix(comment, "lost: ")
	if !lost {
		return "", comment, comment == "lost"
	}
	// "random", "script, spared …" (a link), "too big (1600 bytes …)" (a lab)
	reason = rest
	if i := strings.IndexAny(rest, ",("); i > 0 {
		reason, note = strings.TrimSpace(rest[:i]), strings.Trim(rest[i:], ", ()")
	}
	return reason, note, true
}

// refusal is why a host does not take a packet, from the comment of its arrival.
func refusal(comment string) string {
	if s, ok := strings.CutPrefix(comment, "not taken: "); ok {
		return s
	}
	if strings.Contains(comment, "=") { // what a host's TCP knows
		return ""
	}
	return comment
}

// Package flow sorts the packets of a capture into conversations and counts each
// of them: packets and bytes each way, the TCP analysis flags, round trips,
// windows, throughput over time, how it was opened and how it ended, and the gaps
// in the chat's own datagram numbers.
//
// # What a flow is
//
// For TCP and UDP both addresses and both ports, for other IP packets both
// addresses and the protocol. A TCP connection that uses the ports of a former one
// is a flow of its own, as in tshark.
//
// A flow belongs to one interface of the capture. A capture of a lab or of a link
// sees each packet at two or three places; put together they would look like a
// resend of everything, and be counted three times. So each place is analysed by
// its own, as if it were a capture by itself. (tshark takes them together: of such
// a file compare one interface at a time.)
//
// Fragments after the first have no ports. They belong to the flow of the first,
// if it was seen shortly before, else to a flow of their addresses. Fragments of
// TCP are counted, and not analysed.
//
// # Memory
//
// A flow takes one to two kilobytes, twelve if there are many round trips. A
// [Tracker] has at most [Config.Flows] of them at a time. When one more begins,
// one that was idle for long is dropped: its packets stay in the totals, and how
// many were dropped is told. The largest of those are kept as rows. If a packet
// of a dropped flow comes it begins a new one, and its flags may differ from
// tshark's. What has to be held for a packet is nothing.
package flow

import (
	"net/netip"
	"time"

	"wirelab/packets"
	"wirelab/packets/tcp"
)

// FlagCount is the number of TCP analysis flags, tcp.Names.
const FlagCount = 15

// A Flow is a conversation as one interface saw it. Direction 0 is from A to B,
// 1 from B to A.
type Flow struct {
	Number    int // of all flows, from 1, in order of the first packet
	Stream    int // as tshark would number it, from 0: of its protocol and interface
	Interface int // place in packets.Reader.Interfaces
	Version   uint8
	Protocol  uint8          // of IP
	A, B      netip.AddrPort // A opened it, or was seen first; port 0 if not TCP or UDP

	First, Last time.Duration // since 1970; First is the least, Last the greatest
	Sides       [2]Side       // what A sent, what B sent

	Opened     int           // the direction of the SYN; −1 if none was seen
	InitialRTT time.Duration // of the handshake; −1 is unknown

	key      key
	hash     uint32
	conv     *tcp.Conversation // nil if not TCP, or over
	fins     uint8             // bit per direction
	reset    int8              // direction of the first RST plus 1
	lowIsA   bool
	live     bool // in the table
	touched  bool // since the hand passed
	analysed bool // at least one TCP segment was
}

// A Side is what one end sent.
type Side struct {
	Packets int64
	Bytes   int64 // of whole packets, with the link's header
	Payload int64 // bytes after TCP's or UDP's header
	Once    int64 // bytes of Payload that were not there before: the goodput
	Data    int64 // packets with payload, SYN or FIN: what TCP would send again

	First, Last time.Duration // since 1970; of the first and the last packet

	Flags   [FlagCount]uint32 // how often each was set, in the order of tcp.Names
	Flagged int64             // packets with any

	RTT       Spread // from data of this side to its acknowledgement, at this interface
	Series    Series // of Once over time
	MaxWindow int64  // bytes, scaled if the scale is known
	MSS       uint16 // of its SYN; 0 is unknown
	Scale     int8   // of its SYN; −1 is none or unknown
	Opening   bool   // its SYN was seen

	Chat *Numbers // of the chat's datagrams; nil if there were none

	span span
}

// Duration is the time from the first packet to the last.
func (f *Flow) Duration() time.Duration { return f.Last - f.First }

// Packets is the number of packets of both directions.
func (f *Flow) Packets() int64 { return f.Sides[0].Packets + f.Sides[1].Packets }

// Bytes is the number of bytes of both directions, with all headers.
func (f *Flow) Bytes() int64 { return f.Sides[0].Bytes + f.Sides[1].Bytes }

// Retransmissions is how many segments of both directions have the flag.
func (f *Flow) Retransmissions() int64 {
	return f.Sides[0].Count(tcp.Retransmission) + f.Sides[1].Count(tcp.Retransmission)
}

// TCP reports whether segments were analysed.
func (f *Flow) TCP() bool { return f.analysed }

// Ended says in a few words how the flow ended, as far as was seen: "closed",
// "reset by A", "A closed", "open", or "" if it is not TCP.
func (f *Flow) Ended() string {
	switch {
	case !f.analysed:
		return ""
	case f.fins == 3:
		return "closed"
	case f.reset != 0:
		return "reset by " + end(int(f.reset)-1)
	case f.fins != 0:
		return end(int(f.fins)-1) + " closed"
	}
	return "open"
}

// end names the sender of a direction.
func end(dir int) string { return [...]string{"A", "B"}[dir&1] }

// Count returns how often a flag was set.
func (s *Side) Count(flag tcp.Flags) (n int64) {
	for i := range s.Flags {
		if flag&(1<<i) != 0 {
			n += int64(s.Flags[i])
		}
	}
	return n
}

// Again is how many bytes of payload had been there before.
func (s *Side) Again() int64 { return s.Payload - s.Once }

// ResendRate is the share of the segments that could be sent again which have the
// flag retransmission; 0 if there were none.
func (s *Side) ResendRate() float64 {
	if s.Data == 0 {
		return 0
	}
	return float64(s.Count(tcp.Retransmission)) / float64(s.Data)
}

// Goodput is Once per second of the time from this side's first packet to its
// last, in bits; 0 if that is no time.
func (s *Side) Goodput() float64 {
	if d := s.Last - s.First; d > 0 {
		return float64(s.Once) * 8 / d.Seconds()
	}
	return 0
}

// Throughput is Bytes per second as in Goodput, in bits.
func (s *Side) Throughput() float64 {
	if d := s.Last - s.First; d > 0 {
		return float64(s.Bytes) * 8 / d.Seconds()
	}
	return 0
}

// take counts a packet.
func (s *Side) take(p *packets.Packet, h *packets.Headers, at time.Duration) {
	if s.Packets == 0 {
		s.First, s.Last = at, at
	}
	s.First, s.Last = min(s.First, at), max(s.Last, at)
	s.Packets++
	s.Bytes += int64(p.Length)
	s.Payload += int64(h.PayloadLen)
}

// segment counts what the analysis says of a segment.
func (s *Side) segment(h *packets.Headers, r *tcp.Result, at time.Duration, scaled bool) {
	if r.Flags != 0 {
		s.Flagged++
		for i := range s.Flags {
			s.Flags[i] += uint32(r.Flags >> i & 1)
		}
	}
	if h.PayloadLen > 0 || h.Control&(packets.SYN|packets.FIN) != 0 {
		s.Data++
	}
	window := int64(h.Window)
	if h.Control&packets.SYN != 0 {
		s.MSS, s.Scale, s.Opening = h.Options.MSS, h.Options.Scale, true
		s.span = span{}
	} else if scaled && s.Scale > 0 {
		window <<= min(s.Scale, 14) // RFC 7323, section 2.3
	}
	s.MaxWindow = max(s.MaxWindow, window)
	if h.PayloadLen > 0 {
		first := h.Seq
		if h.Control&packets.SYN != 0 {
			first++
		}
		s.fresh(at, s.span.take(first, uint32(h.PayloadLen)))
	}
}

// fresh counts bytes that were not there before.
func (s *Side) fresh(at time.Duration, n int64) {
	if n > 0 {
		s.Once += n
		s.Series.add(at, n)
	}
}

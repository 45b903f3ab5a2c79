// Package tcp finds what happened to the segments of a TCP connection from a
// capture of it: the fifteen flags that tshark 4.0 calls tcp.analysis.*, relative
// sequence numbers, bytes in flight and round trips. It does no input or output,
// knows no file format and keeps no clock: the caller gives segments.
//
// A flag is a guess, made from what one place of the network saw. At the sender's
// own interface nothing can be out of order, and yet a resend within 3 ms is
// called so. Only one who sees both ends, or the link, knows what was lost.
//
// # The rules
//
// F is the sender's side of the segment and R the other; 0 is unset. Numbers are
// compared modulo 2³² (RFC 9293, section 3.4). C: one of SYN, FIN, RST is set.
// same: no payload, seq = F.nextSeq, ack = F.lastAck, not C. In this order:
//
//	 0  reused_ports: SYN without ACK, and F's first sequence number was another:
//	    a new connection. If it was the same, F.nextSeq = F.maxAck. SYN with ACK,
//	    and another: it is the first from now on.
//	 1  zero_window_probe: one byte at F.nextSeq, R.window = 0; then on to 9.
//	 2  zero_window: window = 0, not C.
//	 3  lost_segment: seq > F.nextSeq, not RST.
//	 4  keep_alive: at most one byte, seq = F.nextSeq − 1, not C.
//	 5  window_update: same, window ≠ 0 and ≠ F.window.
//	 6  window_full: payload, not C, seq + len = R.lastAck + R.window, scaled
//	    unless R has sent nothing but its SYN (2³² − 1 if it has sent nothing at
//	    all); not if R's scale is unknown.
//	 7  keep_alive_ack: same, window ≠ 0 and = F.window, R's latest was a
//	    keep_alive; zero_window_probe_ack: same, window = F.window = 0, R's latest
//	    was a probe; then on to 9.
//	 8  duplicate_ack: same, window ≠ 0 and = F.window; F.dup counts.
//	 9  ack ≠ F.lastAck: F.dup = 0.
//	10  ack_lost_segment: ACK, ack > R.maxAck. R.maxAck = R.nextSeq if that is
//	    more; else only if R.dup = 0, and R.dup = −1.
//	11  With payload, SYN or FIN, and no keep_alive. back: seq < F.nextSeq, but
//	    not if len > 1 and seq = F.nextSeq − 1. The first of:
//	    spurious_retransmission: payload that ends at or before R.lastAck;
//	    fast_retransmission: back, R.dup ≥ 2 (unsigned: −1 passes), seq =
//	    R.lastAck, within 20 ms of R's latest;
//	    out_of_order: back, within the initial RTT (3 ms if unknown) of the
//	    segment that set F.nextSeq, and ends elsewhere than at F.nextSeq;
//	    retransmission: back. With fast and spurious it is set, too.
//	12  F.nextSeq = the end if that is more, unless a probe. Then, if seq =
//	    F.maxAck or that is unset, F.maxAck = F.nextSeq, unless a probe.
//	13  SYN: the window scale; one side without it turns off both, but not if a
//	    snap length cut the options. ACK without SYN: the initial RTT is the time
//	    since the latest SYN without ACK, once.
//
// The rules were found by experiment with tshark 4.0.17, and the tests compare
// every packet with it. Version 4.4 decides some of them otherwise. It pays to
// know what no rule says:
//
//   - The sequence number 0 is taken for unset, so that after data which ends just
//     there a resend is overlooked.
//   - Times are unsigned. When the clock goes back, nothing is fast or out of
//     order, but if the initial RTT is negative, everything is.
//   - SYN and FIN in one segment count as one number together.
//   - An acknowledgement number counts without the ACK bit, except in rule 10.
//   - No flag is printed of a segment whose options a snap length has cut; it
//     counts for the rest nevertheless. See Result.Silent.
//
// Not to be given: what an ICMP error quotes, and fragments of IP. tshark takes
// neither as segments (but what it has put together from fragments). Nor headers
// of which the first 20 bytes were not kept, or whose length makes no sense.
//
// # Round trips
//
// Of each direction the ends of at most 16 segments are kept with their times; a
// further one in flight is not measured. A segment is a sample when an
// acknowledgement ends exactly where it ended, as in tcptrace. A segment that
// goes back in the sequence numbers drops all that are kept: what comes next may
// acknowledge either sending, or had to wait for it (Karn's algorithm, RFC 6298,
// section 3).
package tcp

import "time"

// Bits of Segment.Control (RFC 9293, section 3.1).
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

const (
	fastWithin    = uint64(20 * time.Millisecond) // rule 11: after the last duplicate ACK
	reorderWithin = uint64(3 * time.Millisecond)  // rule 11: where the initial RTT is not known
)

// A Segment is what the analysis needs of one captured TCP segment.
type Segment struct {
	Time    int64  // nanoseconds since 1970, UTC
	Seq     uint32 // as in the header
	Ack     uint32 // as in the header, also without ACK
	Len     int    // bytes of payload by the IP length, but at most what the frame had; kept or not
	Window  uint16 // as in the header, not scaled
	Control uint8  // FIN, SYN, …
	Scale   int8   // the window scale option's shift; −1 if there is none
	Cut     bool   // a snap length left out bytes of the options, perhaps the scale's
}

// A Result is what the analysis says of one segment. F is its sender's side.
type Result struct {
	Flags Flags

	// Silent is what tshark keeps to itself: it prints no flag of a segment whose
	// options were cut, but goes on as if it had. Flags is empty then.
	Silent Flags

	Number uint32 // of a DuplicateAck: which one, from 1; else 0

	// New says that the segment begins another connection with the same
	// addresses and ports: what was known of the former is forgotten.
	New bool

	RelSeq uint32 // Seq relative to F's first sequence number
	RelAck uint32 // Ack relative to the other side's; 0 without ACK

	// InFlight is how many bytes lie between the highest number that F has sent,
	// as far as was captured, and what the other side has acknowledged, after this
	// segment. SYN and FIN count as one each. Where segments were lost before they
	// were captured it is more than tshark's bytes_in_flight, which leaves them out.
	InFlight uint32

	// InitialRTT is the time from the latest SYN to this segment, which is the
	// first with ACK and without SYN; −1 at any other segment.
	InitialRTT time.Duration

	// RTT is the time from the data that this segment acknowledges to this
	// segment; −1 if there is no sample.
	RTT time.Duration
}

// A Conversation analyses the segments between two endpoints, in the order of
// the capture. The zero value is ready. It holds some 600 bytes, refers to no
// other memory and may be copied. It is not safe for concurrent use.
type Conversation struct {
	sides      [2]side
	syn        int64 // time of the latest SYN without ACK; 0 is none
	initialRTT int64 // nanoseconds; 0 is unknown
}

// A side is what is known of one direction.
type side struct {
	base    uint32 // the first sequence number
	nextSeq uint32 // after the highest that was sent; 0 is unset
	maxAck  uint32 // the highest that may be acknowledged of what was captured; 0 is unset
	lastAck uint32 // Ack of the latest segment
	window  uint32 // of the latest segment, not scaled; counts if seen
	dup     uint32 // duplicate ACKs in a row; dupLost after rule 10
	una     uint32 // the highest that the other side has acknowledged
	last    Flags  // of the latest segment
	tNext   int64  // when nextSeq was set
	tAck    int64  // when the latest segment was
	scale   int16  // shift of the window plus 1; 0 is unknown, scaleOff none
	seen    bool   // has sent something
	baseSet bool   // base and una are set
	probed  bool   // a probe was sent since nextSeq was set
	first   bool   // has sent nothing with ACK and without SYN since its SYN
	flying  ring
}

const (
	dupLost  = 1<<32 - 1 // −1
	scaleOff = -1
	maxScale = 14 // a larger one counts as 14 (RFC 7323, section 2.3)
)

// Modulo 2³² (RFC 9293, section 3.4). Numbers just 2³¹ apart are each before and
// after the other, as in tshark.
func before(a, b uint32) bool { return int32(a-b) < 0 }
func after(a, b uint32) bool  { return int32(b-a) < 0 }
func upTo(a, b uint32) bool   { return int32(a-b) <= 0 }

// Add analyses the segment s that the endpoint dir, 0 or 1, has sent. Which of
// the two is 0 makes no difference; an endpoint that talks with itself is 0 only.
// Add does not keep s and allocates nothing.
func (c *Conversation) Add(dir int, s *Segment) Result {
	r := Result{InitialRTT: -1, RTT: -1}
	f, rev := &c.sides[dir&1], &c.sides[dir&1^1]
	r.Flags, r.New = c.begin(f, rev, s)
	flags := acks(f, rev, s)
	if flags&DuplicateAck != 0 {
		r.Number = f.dup
	}
	if s.Ack != f.lastAck { // rule 9
		f.dup = 0
	}
	flags |= ackLost(rev, s)
	if flags&KeepAlive == 0 && (s.Len > 0 || s.Control&(SYN|FIN) != 0) {
		flags |= c.again(f, rev, s)
	}
	r.Flags |= flags
	r.RTT = measure(f, rev, s, flags)
	f.advance(s, flags)
	r.InitialRTT = c.handshake(f, rev, s)

	if s.Cut {
		r.Flags, r.Silent = 0, r.Flags
	}
	r.RelSeq = s.Seq - f.base
	if s.Control&ACK != 0 {
		r.RelAck = s.Ack - rev.base
	}
	if !upTo(f.nextSeq, f.una) {
		r.InFlight = f.nextSeq - f.una
	}
	return r
}

// begin is rule 0.
func (c *Conversation) begin(f, rev *side, s *Segment) (flags Flags, fresh bool) {
	switch s.Control & (SYN | ACK) {
	case SYN:
		if !f.baseSet {
			break
		}
		if s.Seq != f.base {
			*c = Conversation{}
			flags, fresh = ReusedPorts, true
			break
		}
		// A RST may have carried what it acknowledged as its own number
		// (RFC 9293, section 3.5.2): begin again from what was sent in order.
		f.nextSeq = f.maxAck
	case SYN | ACK:
		if f.baseSet && s.Seq != f.base {
			f.baseSet, f.flying = false, ring{}
			flags = ReusedPorts
		}
	}
	if !f.baseSet {
		f.base = s.Seq
		if s.Control&SYN == 0 {
			f.base-- // as if the SYN had been there
		}
		f.una, f.baseSet = s.Seq, true
	}
	if !rev.baseSet && s.Control&ACK != 0 {
		rev.base, rev.una, rev.baseSet = s.Ack-1, s.Ack, true
	}
	return flags, fresh
}

// acks is rules 1 to 8.
func acks(f, rev *side, s *Segment) (flags Flags) {
	if s.Len == 1 && s.Seq == f.nextSeq && rev.seen && rev.window == 0 {
		return ZeroWindowProbe
	}
	if f.nextSeq != 0 && after(s.Seq, f.nextSeq) && s.Control&RST == 0 {
		flags |= LostSegment
	}
	if s.Control&(SYN|FIN|RST) != 0 {
		return flags
	}
	if s.Window == 0 {
		flags |= ZeroWindow
	}
	if s.Len <= 1 && s.Seq == f.nextSeq-1 {
		flags |= KeepAlive
	}
	if s.Len > 0 {
		if rev.scale != 0 && s.Seq+uint32(s.Len) == rev.lastAck+rev.room() {
			flags |= WindowFull
		}
		return flags
	}
	if s.Seq != f.nextSeq || s.Ack != f.lastAck {
		return flags
	}
	switch still := f.seen && uint32(s.Window) == f.window; {
	case s.Window == 0:
		if still && rev.last&ZeroWindowProbe != 0 {
			flags |= ZeroWindowProbeAck
		}
	case !still:
		flags |= WindowUpdate
	case rev.last&KeepAlive != 0:
		flags |= KeepAliveAck
	default:
		f.dup++ // dupLost becomes 0, and yet this is the first
		f.dup = max(f.dup, 1)
		flags |= DuplicateAck
	}
	return flags
}

// room returns the window in bytes. Of a side that has sent nothing it is as
// large as can be, which can make a window_full, too.
func (f *side) room() uint32 {
	switch {
	case !f.seen:
		return 1<<32 - 1
	case f.first || f.scale == scaleOff:
		return f.window // the window of a SYN is not scaled (RFC 7323, section 2.2)
	}
	return f.window << (f.scale - 1)
}

// ackLost is rule 10.
func ackLost(rev *side, s *Segment) Flags {
	if s.Control&ACK == 0 || rev.maxAck == 0 || !after(s.Ack, rev.maxAck) {
		return 0
	}
	if before(rev.maxAck, rev.nextSeq) {
		rev.maxAck = rev.nextSeq
		return AckLostSegment
	}
	was := rev.dup
	rev.dup = dupLost
	if was == 0 {
		return AckLostSegment
	}
	return 0
}

// again is rule 11.
func (c *Conversation) again(f, rev *side, s *Segment) Flags {
	if s.Len > 0 && rev.lastAck != 0 && upTo(s.Seq+uint32(s.Len), rev.lastAck) {
		return SpuriousRetransmission | Retransmission
	}
	if f.nextSeq == 0 || !before(s.Seq, f.nextSeq) || s.Len > 1 && s.Seq == f.nextSeq-1 {
		return 0
	}
	// Times are unsigned, as in tshark: one before the other is far away.
	if rev.dup >= 2 && s.Seq == rev.lastAck && uint64(s.Time-rev.tAck) < fastWithin {
		return FastRetransmission | Retransmission
	}
	within := reorderWithin
	if c.initialRTT != 0 {
		within = uint64(c.initialRTT)
	}
	if uint64(s.Time-f.tNext) < within && s.end() != f.nextSeq {
		return OutOfOrder
	}
	return Retransmission
}

// advance is rule 12.
func (f *side) advance(s *Segment, flags Flags) {
	if flags&ZeroWindowProbe == 0 {
		if end := s.end(); f.nextSeq == 0 || after(end, f.nextSeq) {
			f.nextSeq, f.tNext = end, s.Time
		}
		if f.maxAck == 0 || s.Seq == f.maxAck {
			f.maxAck = f.nextSeq
		}
	}
	f.window, f.seen = uint32(s.Window), true
	f.lastAck = s.Ack // even without ACK
	f.tAck = s.Time
	f.last = flags
}

// handshake is rule 13. It returns the initial RTT if s made it known, else −1.
func (c *Conversation) handshake(f, rev *side, s *Segment) time.Duration {
	if s.Control&SYN != 0 {
		f.first = true
		if s.Scale >= 0 {
			f.scale = int16(min(s.Scale, maxScale)) + 1
		}
		switch {
		case s.Cut:
		case f.scale == 0:
			f.scale, rev.scale = scaleOff, scaleOff
		case s.Control&ACK != 0 && rev.scale == scaleOff:
			f.scale = scaleOff
		}
		if s.Control&ACK == 0 {
			c.syn = s.Time
		}
		return -1
	}
	if s.Control&ACK == 0 {
		return -1
	}
	f.first = false
	if c.syn != 0 && c.initialRTT == 0 {
		if c.initialRTT = s.Time - c.syn; c.initialRTT > 0 {
			return time.Duration(c.initialRTT)
		}
	}
	return -1
}

// end returns the sequence number after s: SYN and FIN have one each, but tshark
// counts both together as one.
func (s *Segment) end() uint32 {
	end := s.Seq + uint32(s.Len)
	if s.Control&(SYN|FIN) != 0 {
		end++
	}
	return end
}

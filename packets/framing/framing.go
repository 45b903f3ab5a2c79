// Package framing finds messages in what TCP and UDP carry: where each begins
// and ends inside TCP's stream, which segments brought its bytes, and how long
// it waited for bytes that were lost.
//
// TCP is a byte stream (RFC 9293, section 2.2) and knows no messages. A frame
// may lie in two segments, and a segment may hold three:
//
//	segments  |     #4      |  #7   |         #9          |
//	frames    |   1   |    2    | 3 | 4  |       5        |
//
// A [Stream] is one direction of a connection, a [Tracker] all of a capture.
// Positions are offsets in the stream, in bytes; 0 is the first byte after the
// SYN or, where the capture begins in the middle, the first that was seen.
//
// # What is seen where
//
// A capture of one place is taken as it is. Taken at the receiver, it shows a
// lost segment as a hole until it is sent again; taken at the sender, it shows
// two copies and no hole. A capture of a lab or of a link sees each packet up to
// three times, at the host, in the link and at the server. It is known by an
// interface that is named "link", or "link" and a host's name, beside others. Of it only what arrived is put
// together: packets whose direction is in, at an interface that is not the link,
// without a comment, which there says why the host did not take it. These, and
// packets of the link whose comment begins "lost", are remembered, to say what is
// missing in a hole.
//
// # Bounds
//
// A stream keeps at most [MaxAhead] bytes in [MaxChunks] pieces behind a hole,
// and all streams of a Tracker together MaxMemory. Beyond it the first hole is
// given up: it is skipped, which the frame says that has lost bytes by it. Of a
// frame at most [MaxKept] bytes are kept and at most [MaxPieces] pieces; its end
// is known nevertheless. The same holds for bytes that a snap length cut: no
// later packet brings them. After a gap the chat's frames are found again by
// their headers, lines by the next line end, and others are assumed to begin
// with a segment.
//
// Nothing here is safe for concurrent use.
package framing

import (
	"time"

	"wirelab/internal/wire"
)

// What is kept at most. See the package's comment.
const (
	MaxAhead  = 4 << 20       // bytes of a stream behind its first hole
	MaxChunks = 4096          // pieces of them
	MaxKept   = wire.MaxFrame // bytes of a frame: a whole one of the chat
	MaxPieces = 1024          // of a frame
)

// A Frame is one message in a stream or in datagrams.
type Frame struct {
	Start, End uint64        // where it lies in the stream; in a datagram from 0
	Pieces     []Piece       // what carried it, in the order of the stream; copies that came again after it
	More       int           // pieces beyond MaxPieces
	Number     int           // packet that completed it
	First      time.Time     // its first piece in time
	Complete   time.Time     // all of it and all before it was there
	Waited     time.Duration // for bytes that came late; see Hole
	Hole       *Hole         // what it waited for; nil if it did not wait
	Own        bool          // Hole is in the frame; if not, it was whole and waited behind the hole: head-of-line blocking
	Missing    uint64        // bytes that the capture does not have
	Framing    string        // chat, length, lines, http, websocket or none
	Kind       string        // of the framing: event, line, text, …; or unreadable
	Summary    string        // one line, safe for a terminal
	Bytes      []byte        // the frame, as far as it was kept: up to MaxKept, and to the first that is missing
	Err        string        // what is wrong with it, safe for a terminal
}

// Segments returns how many packets brought the frame's bytes, without copies.
func (f *Frame) Segments() int {
	n, last := 0, 0
	for _, p := range f.Pieces {
		if !p.Again && p.Number != last {
			n, last = n+1, p.Number
		}
	}
	return n + f.More
}

// A Piece is the part of a frame that one packet carried.
type Piece struct {
	Number int       // the packet
	Time   time.Time //
	At     uint64    // of its first byte in the stream
	Offset int       // of its first byte in the packet's payload
	Len    int       // bytes
	Again  bool      // a copy of bytes that were there already: not used
	Fills  bool      // it filled a hole, or a part of one
	Cut    bool      // the capture does not have these bytes: a snap length
}

// A Hole is a part of the stream that was missing when later bytes came.
type Hole struct {
	Start, End uint64
	Opened     time.Time // when the first packet after it came
	OpenedBy   int       // that packet
	Filled     time.Time // zero if it never was
	FilledBy   int       // the packet that did, or 0
	Lost       []int     // packets with these bytes that the link says it lost; only a lab capture knows
}

// A Segment is what one packet added to a stream.
type Segment struct {
	Number int
	Time   time.Time
	Start  uint64 // of its payload in the stream
	Len    int    // of its payload
	New    int    // bytes of it that were not there yet
	Again  int    // bytes of it that were
	Early  bool   // it left a hole before it
	Fills  bool   // it filled one
	Cut    int    // bytes at its end that the capture does not have
}

// Offsets says where frames begin in the payload of the packet added last.
type Offsets struct {
	Number  int
	Framing string // what it was cut by; empty if that is not decided yet
	Known   bool   // false behind a hole, and before Framing is decided
	Begins  []int  // bytes from the start of the payload
}

// Package trace carries what a simulation saw from the guest, where it happens,
// to the host, which files it: events, one JSON object each, and packets. A
// stream is
//
//	+----------+--------+--------+-----+-----+
//	| WLTRACE2 | record | record | ... | end |   integers are big-endian
//	+----------+--------+--------+-----+-----+
//
//	 0          4      5                       5+n
//	+----------+------+-----------------------+
//	| n        | kind | body                  |   n <= 1048576 bytes
//	+----------+------+-----------------------+
//
//	kind 1, event      a JSON object in UTF-8, without a line feed
//	kind 2, interface  link type (2), length of the name (2), name, description
//	kind 3, packet     nanoseconds since 1970 (8), interface (2), direction (1),
//	                   original length (4), drops (8), id (8), length of the
//	                   comment (2), comment, the bytes that were kept
//	kind 4, end        number of the records before it (8); nothing follows
//
// Interfaces are numbered from 0 in the order of their records; a packet's
// interface comes before it. A stream without its end was cut off. Directions,
// drops, ids and the rest of a packet mean what they mean in package pcapng.
//
// The writing side runs inside wasm: nothing here opens a file.
package trace

import (
	"errors"
	"math"
)

// MaxBody is the most bytes in a record, so the longest event.
const MaxBody = 1 << 20

// MaxInterfaces is how many interfaces a stream can describe.
const MaxInterfaces = math.MaxUint16

const (
	magic       = "WLTRACE2"
	frameSize   = 4 + 1
	packetFixed = 8 + 2 + 1 + 4 + 8 + 8 + 2 // a packet's body before its comment
	bufferSize  = 64 << 10
)

// ErrFormat means bytes that are no such stream. What comes after them cannot
// be read.
var ErrFormat = errors.New("not a valid trace")

// A Kind says what a record is.
type Kind uint8

const (
	Event Kind = iota + 1
	Interface
	Packet
	end
)

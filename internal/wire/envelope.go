// Package wire encodes and decodes what chat sends: envelopes, the same over
// TCP and UDP. It keeps no clock, starts no goroutine and opens no socket.
//
// On a TCP stream a frame is a length prefix and an envelope:
//
//	 0        4     5      6       8    9    10   11   12    20     28   36
//	+--------+-----+------+-------+----+----+----+----+-----+------+----+------+
//	| length | ver | kind | flags | nl | rl | sl | el | seq | prev | id | time |
//	+--------+-----+------+-------+----+----+----+----+-----+------+----+------+
//	| namespace (nl) | room (rl) | sender (sl) | event (el) | arguments (rest) |
//	+----------------+-----------+-------------+------------+------------------+
//
// All numbers are big-endian. length counts the bytes that follow it: TCP is a
// byte stream (RFC 9293, section 2.2), so it is the only boundary. In a UDP
// datagram (RFC 768) the envelope follows a [Header], without the length.
// SPEC.md tells the whole format; testdata/vectors.txtar holds examples.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Version is the only envelope version that this package reads and writes.
const Version = 1

// Sizes in bytes. Each Max is a cap that the decoder enforces.
const (
	LengthSize   = 4                                     // the length prefix on a stream
	HeaderSize   = 40                                    // an envelope's fixed part, without the prefix
	MinEnvelope  = HeaderSize                            // the least that length may say
	MaxName      = 64                                    // namespace, room, sender and event, each
	MaxArguments = 64 << 10                              // an event's arguments
	MaxEnvelope  = HeaderSize + 4*MaxName + MaxArguments // the most that length may say
	MaxFrame     = LengthSize + MaxEnvelope              // a whole frame on a stream
	MaxNesting   = 32                                    // arrays and objects inside each other in JSON arguments
)

// A Kind says what an envelope is for.
type Kind uint8

// The kinds. C is the client, S the server.
const (
	KindChallenge Kind = 1 + iota // S→C: first on a stream; the server's nonce
	KindConnect                   // C→S: enter a namespace, with or without a session
	KindConnected                 // S→C: the answer to Connect
	KindError                     // S→C: what was wrong, by code; the connection may go on
	KindEvent                     // both: an event, emitted or delivered
	KindAck                       // both: the answer to an event with FlagAck; id names it
	KindCursor                    // S→C: where the member stands in a room, and what was lost
	KindConsumed                  // C→S: everything up to seq in the room was handled
	KindPing                      // both: answer with Pong and the same id
	KindPong                      // both
	KindBye                       // both: the sender goes away, with the reason
	kindEnd
)

var kindNames = [...]string{"", "challenge", "connect", "connected", "error", "event", "ack", "cursor", "consumed", "ping", "pong", "bye"}

// String returns the kind's name in lower case, or "kind N".
func (k Kind) String() string {
	if !k.Valid() {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return kindNames[k]
}

// Valid reports whether k is a kind of this version.
func (k Kind) Valid() bool { return k != 0 && k < kindEnd }

// Flags are the modifiers of an envelope, one bit each.
type Flags uint16

// The flags. Bits that are not named here must be zero.
const (
	FlagAck       Flags = 1 << iota // the receiver answers with KindAck
	FlagVolatile                    // dropped when a member cannot take it now; never stored
	FlagBroadcast                   // for everyone in the room but the sender
	FlagRetry                       // the same message id was sent before
	FlagBinary                      // the arguments are raw bytes, not a JSON array
	FlagFailed                      // on KindAck: the emit was refused; the arguments say why
	FlagDirect                      // a direct message, in the receiver's own room
	flagsEnd
)

var flagNames = [...]string{"ack", "volatile", "broadcast", "retry", "binary", "failed", "direct"}

// String returns the names of the set flags, joined by "+", or "none".
func (f Flags) String() string { return flagString(uint16(f), flagNames[:]) }

func flagString(f uint16, names []string) string {
	if f == 0 {
		return "none"
	}
	var s []byte
	for i, name := range names {
		if f&(1<<i) != 0 {
			s = append(append(s, name...), '+')
		}
	}
	if unknown := f >> len(names) << len(names); unknown != 0 {
		return string(fmt.Appendf(s, "0x%x", unknown))
	}
	return string(s[:len(s)-1])
}

// An Envelope is one message of the protocol, in fields.
//
// After [Decode] the byte slices alias the input: copy what must outlive it.
type Envelope struct {
	Kind  Kind
	Flags Flags
	Seq   uint64 // place in the room's log, from 1; 0 where there is none
	Prev  uint64 // the sequence number before Seq in the room
	ID    uint64 // message id, chosen by the emitter; 0 where there is none
	Time  int64  // when the server took it, in microseconds since 1970 UTC

	Namespace []byte // empty is the default namespace
	Room      []byte // empty addresses the server, or all of the namespace
	Sender    []byte // the identity's name, set by the server
	Event     []byte // the event's name
	Args      []byte // a JSON array, or raw bytes with FlagBinary
}

// What a decoder refuses. The errors it returns wrap one of these and add the
// value and the limit. After any of them a stream cannot be resynchronised:
// close the connection.
var (
	ErrSize    = errors.New("size out of range")
	ErrVersion = errors.New("unknown version")
	ErrKind    = errors.New("unknown kind")
	ErrFlags   = errors.New("unknown flags")
	ErrShort   = errors.New("truncated")
)

// Size returns the number of bytes of e's envelope, without the length prefix.
func (e *Envelope) Size() int {
	return HeaderSize + len(e.Namespace) + len(e.Room) + len(e.Sender) + len(e.Event) + len(e.Args)
}

// Check reports the first field of e that the format cannot carry.
func (e *Envelope) Check() error {
	if !e.Kind.Valid() {
		return fmt.Errorf("wire: kind %d: %w", e.Kind, ErrKind)
	}
	if e.Flags >= flagsEnd {
		return fmt.Errorf("wire: flags %#x: %w", uint16(e.Flags), ErrFlags)
	}
	if len(e.Namespace)|len(e.Room)|len(e.Sender)|len(e.Event) > MaxName-1 || len(e.Args) > MaxArguments {
		return e.checkSizes()
	}
	return nil
}

// checkSizes is apart so that Check stays cheap: the test there is exact up to
// MaxName-1 and sends every doubtful case here.
func (e *Envelope) checkSizes() error {
	for _, f := range [...]struct {
		name  string
		n     int
		limit int
	}{
		{"namespace", len(e.Namespace), MaxName},
		{"room", len(e.Room), MaxName},
		{"sender", len(e.Sender), MaxName},
		{"event name", len(e.Event), MaxName},
		{"arguments", len(e.Args), MaxArguments},
	} {
		if f.n > f.limit {
			return fmt.Errorf("wire: %s of %d bytes, at most %d: %w", f.name, f.n, f.limit, ErrSize)
		}
	}
	return nil
}

// AppendEnvelope appends e to dst without a length prefix, as a datagram
// carries it. On an error dst comes back as it was.
func AppendEnvelope(dst []byte, e *Envelope) ([]byte, error) {
	if err := e.Check(); err != nil {
		return dst, err
	}
	return appendEnvelope(grow(dst, e.Size()), e), nil
}

// AppendFrame appends e to dst with its length prefix, as a stream carries it.
// On an error dst comes back as it was. It allocates only if dst is too small.
func AppendFrame(dst []byte, e *Envelope) ([]byte, error) {
	if err := e.Check(); err != nil {
		return dst, err
	}
	size := e.Size()
	dst = grow(dst, LengthSize+size)
	dst = binary.BigEndian.AppendUint32(dst, uint32(size))
	return appendEnvelope(dst, e), nil
}

// grow makes room for n more bytes, with one allocation or none. It doubles, so
// that appending frame after frame copies each byte a few times at most.
func grow(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst
	}
	grown := make([]byte, len(dst), max(len(dst)+n, 2*cap(dst)))
	copy(grown, dst)
	return grown
}

func appendEnvelope(dst []byte, e *Envelope) []byte {
	var h [HeaderSize]byte
	h[0] = Version
	h[1] = byte(e.Kind)
	binary.BigEndian.PutUint16(h[2:], uint16(e.Flags))
	h[4] = byte(len(e.Namespace))
	h[5] = byte(len(e.Room))
	h[6] = byte(len(e.Sender))
	h[7] = byte(len(e.Event))
	binary.BigEndian.PutUint64(h[8:], e.Seq)
	binary.BigEndian.PutUint64(h[16:], e.Prev)
	binary.BigEndian.PutUint64(h[24:], e.ID)
	binary.BigEndian.PutUint64(h[32:], uint64(e.Time))
	dst = append(dst, h[:]...)
	dst = append(dst, e.Namespace...)
	dst = append(dst, e.Room...)
	dst = append(dst, e.Sender...)
	dst = append(dst, e.Event...)
	return append(dst, e.Args...)
}

// Decode reads one envelope that fills b exactly. The result aliases b; after
// an error it is the zero Envelope.
func Decode(b []byte) (Envelope, error) {
	var e Envelope
	err := e.decode(b)
	return e, err
}

// decode sets e only if all of b is right.
func (e *Envelope) decode(b []byte) error {
	if len(b) < MinEnvelope {
		return fmt.Errorf("wire: envelope of %d bytes, at least %d: %w", len(b), MinEnvelope, ErrShort)
	}
	if len(b) > MaxEnvelope {
		return fmt.Errorf("wire: envelope of %d bytes, at most %d: %w", len(b), MaxEnvelope, ErrSize)
	}
	if b[0] != Version {
		return fmt.Errorf("wire: version %d, want %d: %w", b[0], Version, ErrVersion)
	}
	nl, rl, sl, el := int(b[4]), int(b[5]), int(b[6]), int(b[7])
	names := HeaderSize + nl + rl + sl + el
	if names > len(b) {
		return fmt.Errorf("wire: names need %d bytes, envelope has %d: %w", names, len(b), ErrShort)
	}
	d := Envelope{
		Kind:  Kind(b[1]),
		Flags: Flags(binary.BigEndian.Uint16(b[2:])),
		Seq:   binary.BigEndian.Uint64(b[8:]),
		Prev:  binary.BigEndian.Uint64(b[16:]),
		ID:    binary.BigEndian.Uint64(b[24:]),
		Time:  int64(binary.BigEndian.Uint64(b[32:])),
	}
	i := HeaderSize
	d.Namespace, i = b[i:i+nl:i+nl], i+nl
	d.Room, i = b[i:i+rl:i+rl], i+rl
	d.Sender, i = b[i:i+sl:i+sl], i+sl
	d.Event, i = b[i:i+el:i+el], i+el
	d.Args = b[i:len(b):len(b)]
	if err := d.Check(); err != nil {
		return err
	}
	*e = d
	return nil
}

// SplitFrame cuts the first frame off b and returns its envelope's bytes and
// what follows. With less than a frame in b it returns a nil envelope and no
// error: read more. It is for streams that are in memory, such as a log's
// bytes; for a connection use [Reader].
func SplitFrame(b []byte) (envelope, rest []byte, err error) {
	if len(b) < LengthSize {
		return nil, b, nil
	}
	n, err := frameLength(b)
	if err != nil {
		return nil, b, err
	}
	if len(b) < LengthSize+n {
		return nil, b, nil
	}
	end := LengthSize + n
	return b[LengthSize:end:end], b[end:], nil
}

// frameLength reads the length prefix at the start of b, which must hold it.
func frameLength(b []byte) (int, error) {
	n := binary.BigEndian.Uint32(b)
	if n < MinEnvelope || n > MaxEnvelope {
		return 0, fmt.Errorf("wire: frame length %d, want %d to %d: %w", n, MinEnvelope, MaxEnvelope, ErrSize)
	}
	return int(n), nil
}

package wire

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A Field is one named part of a frame or datagram, for people to read.
type Field struct {
	Name  string
	Off   int    // of the first byte, from the start of the dissected bytes
	Len   int    // in bytes; 0 only for what should be there and is not
	Value string // never holds a raw control character
	Group string // the structure it belongs to, one of the Group constants
}

// The structures that fields belong to.
const (
	GroupFrame     = "frame"
	GroupEnvelope  = "envelope"
	GroupDatagram  = "datagram"
	GroupFragment  = "fragment"
	GroupHandshake = "handshake"
)

// Malformed names the field that holds what could not be read, to the end; its
// value says why. A structure that is whole but not allowed is followed by one
// of no bytes. Rest names bytes after the end.
const (
	Malformed = "malformed"
	Rest      = "rest"
)

// maxShown is how many bytes of arguments a value shows.
const maxShown = 1 << 10

// DissectFrame names the fields of one stream frame. Every byte of b is in
// exactly one field, in order, whatever b is.
func DissectFrame(b []byte) []Field {
	d := dissection{b: b}
	if len(b) < LengthSize {
		return d.fail(GroupFrame, len(b), fmt.Errorf("length of %d bytes, want %d: %w", len(b), LengthSize, ErrShort))
	}
	d.add(GroupFrame, "length", LengthSize, fmt.Sprintf("%d bytes follow", binary.BigEndian.Uint32(b)))
	n, err := frameLength(b)
	if err != nil {
		return d.fail(GroupFrame, len(b), err)
	}
	if here := len(b) - LengthSize; here < n {
		d.envelope(len(b))
		return d.fail(GroupFrame, len(b), fmt.Errorf("%d of %d bytes: %w", here, n, ErrShort))
	}
	d.wholeEnvelope(LengthSize + n)
	return d.rest(GroupFrame, "after the frame")
}

// DissectEnvelope names the fields of one envelope that fills b, like
// [DissectFrame].
func DissectEnvelope(b []byte) []Field {
	d := dissection{b: b}
	d.wholeEnvelope(len(b))
	return d.fields
}

// DissectDatagram names the fields of one UDP payload, like [DissectFrame]. It
// knows no key: it shows a MAC and does not check it.
func DissectDatagram(b []byte) []Field {
	d := dissection{b: b}
	if !d.columns(GroupDatagram, len(b), datagramColumns) {
		_, _, err := DecodeHeader(b)
		return d.fail(GroupDatagram, len(b), err)
	}
	typ, flags := DatagramType(b[2]), DatagramFlags(b[3])
	if flags&DatagramMAC != 0 && d.left(len(b)) >= MACSize {
		d.add(GroupDatagram, "MAC", MACSize, fmt.Sprintf("%x", b[d.off:d.off+MACSize]))
	}
	if flags&DatagramFragment != 0 {
		d.columns(GroupFragment, len(b), fragmentColumns)
	}
	if _, _, err := DecodeHeader(b); err != nil {
		return d.fail(GroupDatagram, len(b), err)
	}
	envelope := func() []Field {
		if flags&DatagramFragment == 0 {
			d.wholeEnvelope(len(b))
		} else if n := d.left(len(b)); n > 0 {
			d.add(GroupFragment, "part", n, fmt.Sprintf("%d bytes of an envelope", n))
		}
		return d.fields
	}
	switch typ {
	case TypeHello:
		if !d.columns(GroupHandshake, len(b), nonceColumns) {
			break
		}
		if n := d.left(len(b)); n > 0 {
			d.add(GroupHandshake, "padding", n, padding(b[d.off:]))
		}
		if len(b) < MinHello {
			return d.fail(GroupHandshake, len(b), fmt.Errorf("hello of %d bytes, at least %d: %w", len(b), MinHello, ErrShort))
		}
		return d.fields
	case TypeCookie:
		if d.columns(GroupHandshake, len(b), cookieColumns) {
			return d.rest(GroupHandshake, "after the cookie")
		}
	case TypeOpen:
		if d.columns(GroupHandshake, len(b), cookieColumns) {
			return envelope()
		}
	case TypeAccept:
		if d.columns(GroupHandshake, len(b), nonceColumns) {
			return envelope()
		}
	case TypeData:
		return envelope()
	default:
		return d.rest(GroupDatagram, "after the header")
	}
	return d.fail(GroupHandshake, len(b), fmt.Errorf("%s of %d bytes: %w", typ, len(b), ErrShort))
}

// A dissection goes over b from the left; off is the first byte without a field.
type dissection struct {
	b      []byte
	off    int
	fields []Field
}

func (d *dissection) left(end int) int { return end - d.off }

func (d *dissection) add(group, name string, n int, value string) {
	d.fields = append(d.fields, Field{Name: name, Off: d.off, Len: n, Value: value, Group: group})
	d.off += n
}

// fail ends a structure that is not right: what is left of it up to end cannot
// be read.
func (d *dissection) fail(group string, end int, err error) []Field {
	d.add(group, Malformed, d.left(end), strings.TrimPrefix(err.Error(), "wire: "))
	return d.fields
}

// rest names what follows the last structure, if anything does.
func (d *dissection) rest(group, where string) []Field {
	if n := d.left(len(d.b)); n > 0 {
		d.add(group, Rest, n, fmt.Sprintf("%d bytes %s", n, where))
	}
	return d.fields
}

// A column is a field of fixed size and its value.
type column struct {
	name  string
	size  int
	value func(b []byte) string
}

// columns adds the columns that lie before end, and reports whether that was
// all. It stops after a magic or version that is not ours: what follows may
// mean anything.
func (d *dissection) columns(group string, end int, columns []column) bool {
	for _, c := range columns {
		if d.left(end) < c.size {
			return false
		}
		b := d.b[d.off : d.off+c.size]
		d.add(group, c.name, c.size, c.value(b))
		if c.name == "magic" && b[0] != magic || c.name == "version" && b[0] != Version {
			return false
		}
	}
	return true
}

var (
	envelopeColumns = []column{
		{"version", 1, decimal},
		{"kind", 1, func(b []byte) string { return known(Kind(b[0]).Valid(), Kind(b[0]), b) }},
		{"flags", 2, func(b []byte) string { return Flags(binary.BigEndian.Uint16(b)).String() }},
		{"namespace length", 1, decimal},
		{"room length", 1, decimal},
		{"sender length", 1, decimal},
		{"event length", 1, decimal},
		{"seq", 8, decimal},
		{"prev", 8, decimal},
		{"id", 8, hexadecimal},
		{"time", 8, timestamp},
	}
	datagramColumns = []column{
		{"magic", 1, func(b []byte) string { return strconv.Quote(string(b)) }},
		{"version", 1, decimal},
		{"type", 1, func(b []byte) string { return known(DatagramType(b[0]).Valid(), DatagramType(b[0]), b) }},
		{"flags", 1, func(b []byte) string { return DatagramFlags(b[0]).String() }},
		{"session", 8, hexadecimal},
		{"number", 8, decimal},
		{"reliable", 8, decimal},
		{"ack", 8, decimal},
		{"ackbits", 8, ackBits},
	}
	fragmentColumns = []column{
		{"fragment of", 4, decimal},
		{"fragment index", 2, decimal},
		{"fragment count", 2, decimal},
	}
	nonceColumns  = []column{{"nonce", NonceSize, hexadecimal}}
	cookieColumns = []column{
		{"nonce", NonceSize, hexadecimal},
		{"cookie stamp", 8, cookieStamp},
		{"server nonce", NonceSize, hexadecimal},
		{"cookie proof", CookieSize - 8 - NonceSize, hexadecimal},
	}
)

// wholeEnvelope dissects an envelope that should fill d.b up to end.
func (d *dissection) wholeEnvelope(end int) {
	b := d.b[d.off:end]
	d.envelope(end)
	e, err := Decode(b)
	if err != nil {
		d.fail(GroupEnvelope, end, err)
		return
	}
	if (e.Kind == KindEvent || e.Kind == KindAck) && e.Flags&FlagBinary == 0 {
		if err := CheckArgs(e.Args); err != nil {
			d.fields[len(d.fields)-1].Value += " (" + strings.TrimPrefix(err.Error(), "wire: ") + ")"
		}
	}
}

// envelope adds the fields of an envelope as far as they lie before end.
func (d *dissection) envelope(end int) {
	b := d.b[d.off:end]
	if !d.columns(GroupEnvelope, end, envelopeColumns) {
		return
	}
	for i, name := range [...]string{"namespace", "room", "sender", "event"} {
		n := int(b[4+i])
		if n > d.left(end) {
			return
		}
		if n > 0 {
			d.add(GroupEnvelope, name, n, strconv.Quote(string(d.b[d.off:d.off+n])))
		}
	}
	if n := d.left(end); n > 0 {
		binary := binary.BigEndian.Uint16(b[2:])&uint16(FlagBinary) != 0
		d.add(GroupEnvelope, "arguments", n, arguments(d.b[d.off:end], binary))
	}
}

func decimal(b []byte) string {
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return strconv.FormatUint(n, 10)
}

// known is the name, or for what has none the number.
func known(valid bool, name fmt.Stringer, b []byte) string {
	if !valid {
		return decimal(b) + " (unknown)"
	}
	return name.String()
}

func hexadecimal(b []byte) string { return fmt.Sprintf("%x", b) }

func timestamp(b []byte) string {
	t := int64(binary.BigEndian.Uint64(b))
	if t == 0 {
		return "none"
	}
	return time.UnixMicro(t).UTC().Format("2006-01-02T15:04:05.000000Z07:00")
}

// cookieStamp is a cookie's time, in seconds, below one bit.
func cookieStamp(b []byte) string {
	n := binary.BigEndian.Uint64(b)
	s := time.Unix(int64(n&^(1<<63)), 0).UTC().Format(time.RFC3339)
	if n>>63 != 0 {
		s += ", join key wanted"
	}
	return s
}

// ackBits says which reliable numbers came, counted from Ack: the column before.
func ackBits(b []byte) string {
	bits := binary.BigEndian.Uint64(b)
	if bits == 0 {
		return "none"
	}
	var s []string
	for i := range AckWindow {
		if bits>>i&1 != 0 {
			s = append(s, fmt.Sprintf("ack+%d", i+2))
		}
	}
	return strings.Join(s, ", ")
}

func padding(b []byte) string {
	for _, c := range b {
		if c != 0 {
			return fmt.Sprintf("%d bytes, not all zero", len(b))
		}
	}
	return fmt.Sprintf("%d zero bytes", len(b))
}

// arguments shows JSON as it stands if all of it is printable, other text
// quoted, and binary in hex.
func arguments(b []byte, binary bool) string {
	shown, more := b, ""
	if len(b) > maxShown {
		shown = b[:maxShown]
		for len(shown) > maxShown-utf8.UTFMax && !utf8.RuneStart(b[len(shown)]) {
			shown = shown[:len(shown)-1]
		}
		more = fmt.Sprintf("… (%d bytes)", len(b))
	}
	if binary {
		return fmt.Sprintf("%x", shown) + more
	}
	if (b[0] == '[' || b[0] == '{') && printable(shown) {
		return string(shown) + more
	}
	return strconv.Quote(string(shown)) + more
}

func printable(b []byte) bool {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 || !strconv.IsPrint(r) {
			return false
		}
		i += n
	}
	return true
}

package layer

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"

	"wirelab/internal/style"
)

// maxShown is how many bytes of a text a value shows.
const maxShown = 1 << 10

// fields are the fields of one layer under way. Each of its methods takes bytes
// from the left. When there are too few, the field has what there is and says
// so, and nothing is taken any more.
type fields struct {
	b     []byte // the packet
	begin int
	at    int
	end   int // no field goes further
	short bool
	list  []Field
}

// bytes takes a field of n bytes and returns them, or nil if not all are there.
func (f *fields) bytes(name string, n int) []byte {
	if f.short {
		return nil
	}
	if left := f.end - f.at; left < n {
		f.short = true
		if left > 0 {
			f.list = append(f.list, Field{Name: name, Off: f.at, Len: left, Value: "cut",
				Note: fmt.Sprintf("%d of %s", left, plural(n, "byte"))})
			f.at = f.end
		}
		return nil
	}
	f.list = append(f.list, Field{Name: name, Off: f.at, Len: n})
	v := f.b[f.at : f.at+n]
	f.at += n
	return v
}

// number takes a field of n bytes, at most 8, that is a number.
func (f *fields) number(name string, n int) (uint64, bool) {
	b := f.bytes(name, n)
	if b == nil {
		return 0, false
	}
	v := be(b)
	f.value("%d", v)
	return v, true
}

// hex takes a field of n bytes whose value is shown in hex.
func (f *fields) hex(name string, n int) (uint64, bool) {
	v, ok := f.number(name, n)
	if ok {
		f.value("0x%0*x", 2*n, v)
	}
	return v, ok
}

// value sets the value of the last field, unless that was cut.
func (f *fields) value(format string, args ...any) {
	if n := len(f.list); n > 0 && !f.short {
		f.list[n-1].Value = fmt.Sprintf(format, args...)
	}
}

// note sets the note of the last field, unless that was cut.
func (f *fields) note(format string, args ...any) {
	if n := len(f.list); n > 0 && !f.short {
		f.list[n-1].Note = fmt.Sprintf(format, args...)
	}
}

// bits adds to the last field, which is a number, the bits of mask. The child
// spans only the bytes that these bits are in.
func (f *fields) bits(name string, mask uint64, value func(v uint64) string) {
	if len(f.list) == 0 || f.short {
		return
	}
	p := &f.list[len(f.list)-1]
	v := be(f.b[p.Off : p.Off+p.Len])
	low, high := bits.TrailingZeros64(mask), bits.Len64(mask)
	first := p.Len - (high+7)/8 // bytes before it, and after it
	after := low / 8
	n := p.Len - first - after
	p.Children = append(p.Children, Field{
		Name: name, Off: p.Off + first, Len: n,
		Bits:  pattern(v>>(8*after), mask>>(8*after), 8*n),
		Value: value(v & mask >> low),
	})
}

// rest takes what is left as one field, if anything is.
func (f *fields) rest(name, why string) {
	if n := f.end - f.at; n > 0 && !f.short {
		f.bytes(name, n)
		f.value("%s", why)
	}
}

// part returns fields for parts of the last field, after skipping bytes of it;
// give them back to adopt.
func (f *fields) part() *fields {
	p := f.list[len(f.list)-1]
	return &fields{b: f.b, begin: p.Off, at: p.Off, end: p.Off + p.Len}
}

// adopt makes the fields of c children of the last field.
func (f *fields) adopt(c *fields) {
	f.list[len(f.list)-1].Children = c.list
}

// pattern draws the bits of mask in v, which has n bits, and dots for the rest.
func pattern(v, mask uint64, n int) string {
	var s strings.Builder
	for i := n - 1; i >= 0; i-- {
		switch {
		case mask>>i&1 == 0:
			s.WriteByte('.')
		default:
			s.WriteByte('0' + byte(v>>i&1))
		}
		if i%4 == 0 && i > 0 {
			s.WriteByte(' ')
		}
	}
	return s.String()
}

func be(b []byte) (v uint64) {
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}

func u16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }

// Values of bit fields.
func decimal(v uint64) string { return strconv.FormatUint(v, 10) }

func set(v uint64) string {
	if v != 0 {
		return "set"
	}
	return "not set"
}

// text shows bytes as text if they are that, else says how many there are.
func text(b []byte) string {
	if !readable(b) {
		return plural(len(b), "byte")
	}
	shown, more := b, ""
	if len(b) > maxShown {
		shown = b[:maxShown]
		for len(shown) > 0 && !utf8.RuneStart(b[len(shown)]) {
			shown = shown[:len(shown)-1]
		}
		more = fmt.Sprintf("… (%d bytes)", len(b))
	}
	return style.Visible(string(shown)) + more
}

// readable reports whether b is UTF-8 of which no more than a tenth is control
// characters other than line ends and tabs. A character may be cut at the end.
func readable(b []byte) bool {
	odd := 0
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			if !utf8.FullRune(b[i:]) && i > 0 {
				break
			}
			return false
		}
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f {
			odd++
		}
		i += n
	}
	return odd*10 <= len(b)
}

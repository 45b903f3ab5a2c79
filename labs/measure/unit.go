package measure

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// A Unit is how a number is written and read: a word, what one of it is in the
// base unit of its dimension, and which dimension that is.
type Unit struct {
	Name  string    // "ms", "%", "segments"; empty: a plain number
	Scale float64   // in base units; 0 counts as 1
	Dim   Dimension // empty: Count
}

// A Dimension is what can be compared and converted.
type Dimension string

// The dimensions, with their base units.
const (
	Time  Dimension = "time"  // seconds
	Size  Dimension = "size"  // bytes
	Rate  Dimension = "rate"  // bits per second
	Share Dimension = "share" // 1
	Count Dimension = "count" // 1, of some noun or of none
	Word  Dimension = "hex"   // 1, written in base 16: the unit "hex"
	Words Dimension = "text"  // no number at all: the unit "text"
)

// A spelling is one way to write a unit.
type spelling struct {
	name  string
	scale float64
	dim   Dimension
}

// spellings returns how units are written. The first of a scale and dimension is
// how it is shown where no other is wanted.
func spellings() []spelling {
	return []spelling{
		{"s", 1, Time}, {"sec", 1, Time}, {"second", 1, Time}, {"seconds", 1, Time},
		{"ms", 1e-3, Time}, {"msec", 1e-3, Time}, {"millisecond", 1e-3, Time}, {"milliseconds", 1e-3, Time},
		{"us", 1e-6, Time}, {"µs", 1e-6, Time}, {"μs", 1e-6, Time}, {"microsecond", 1e-6, Time}, {"microseconds", 1e-6, Time},
		{"ns", 1e-9, Time}, {"nanosecond", 1e-9, Time}, {"nanoseconds", 1e-9, Time},
		{"min", 60, Time}, {"minute", 60, Time}, {"minutes", 60, Time},
		{"h", 3600, Time}, {"hour", 3600, Time}, {"hours", 3600, Time},

		{"B", 1, Size}, {"byte", 1, Size}, {"bytes", 1, Size},
		{"kB", 1e3, Size}, {"MB", 1e6, Size}, {"GB", 1e9, Size},
		{"KiB", 1 << 10, Size}, {"MiB", 1 << 20, Size}, {"GiB", 1 << 30, Size},
		{"octet", 1, Size}, {"octets", 1, Size},
		{"bits", 0.125, Size},

		{"bit/s", 1, Rate}, {"bps", 1, Rate}, {"b/s", 1, Rate}, {"bit", 1, Rate},
		{"kbit/s", 1e3, Rate}, {"kb/s", 1e3, Rate}, {"kbps", 1e3, Rate}, {"kbit", 1e3, Rate},
		{"Mbit/s", 1e6, Rate}, {"Mb/s", 1e6, Rate}, {"Mbps", 1e6, Rate}, {"Mbit", 1e6, Rate}, {"mbit", 1e6, Rate},
		{"Gbit/s", 1e9, Rate}, {"Gb/s", 1e9, Rate}, {"Gbps", 1e9, Rate}, {"Gbit", 1e9, Rate}, {"gbit", 1e9, Rate},
		{"B/s", 8, Rate}, {"kB/s", 8e3, Rate}, {"MB/s", 8e6, Rate}, {"GB/s", 8e9, Rate},

		{"%", 0.01, Share}, {"percent", 0.01, Share}, {"per cent", 0.01, Share},
	}
}

// ParseUnit reads the name of a unit. "none" is a plain number, "port" one that is
// a name, "hex" one in base 16, "text" no number at all, and a word that is no
// unit a count of that noun.
func ParseUnit(name string) (Unit, error) {
	switch name {
	case "", "none":
		return Unit{Dim: Count, Scale: 1}, nil
	case "text":
		return Unit{Name: "text", Dim: Words, Scale: 1}, nil
	case "port":
		return Unit{Name: "port", Dim: Count, Scale: 1}, nil
	case "hex":
		return Unit{Name: "hex", Dim: Word, Scale: 1}, nil
	}
	all := spellings()
	for _, s := range all {
		if s.name == name {
			return Unit{Name: name, Scale: s.scale, Dim: s.dim}, nil
		}
	}
	for _, s := range all {
		if strings.EqualFold(s.name, name) {
			return Unit{}, fmt.Errorf("unit %q is unknown: did you mean %s?", name, s.name)
		}
	}
	if len(name) > 40 {
		return Unit{}, fmt.Errorf("a unit of %d bytes: want one such as ms, B, Mbit/s, %%, or a noun such as segments", len(name))
	}
	for i, r := range name {
		if !unicode.IsLetter(r) && (i == 0 || r != ' ' && r != '-' && r != '/') {
			return Unit{}, fmt.Errorf("%q is no unit: want one such as ms, B, Mbit/s, %%, or a noun such as segments", name)
		}
	}
	return Unit{Name: name, Scale: 1, Dim: Count}, nil
}

// scale returns what one of u is in the base unit.
func (u Unit) scale() float64 {
	if u.Scale == 0 {
		return 1
	}
	return u.Scale
}

// dim returns the dimension.
func (u Unit) dim() Dimension {
	if u.Dim == "" {
		return Count
	}
	return u.Dim
}

// optional reports whether a number without a unit can only mean one thing.
func (u Unit) optional() bool {
	switch u.dim() {
	case Count, Word:
		return true
	case Size:
		return u.scale() == 1
	case Share:
		return u.Name == ""
	}
	return false
}

// read finds the unit that a person wrote where u is wanted; ok is false if
// there is no such unit in u's dimension. Case counts only where it must.
func (u Unit) read(word string) (got Unit, ok bool) {
	word = strings.Join(strings.Fields(word), " ")
	dim := u.dim()
	if dim == Count {
		return u, u.Name != "" && (sameNoun(word, u.Name))
	}
	var found []spelling
	for _, s := range spellings() {
		if s.dim != dim {
			// Rates are often named without their "per second", sizes in bits.
			continue
		}
		if s.name == word {
			return Unit{s.name, s.scale, s.dim}, true
		}
		if strings.EqualFold(s.name, word) && !slices.ContainsFunc(found, func(f spelling) bool { return f.scale == s.scale }) {
			found = append(found, s)
		}
	}
	if len(found) == 1 {
		return Unit{found[0].name, found[0].scale, dim}, true
	}
	return Unit{}, false
}

// sameNoun compares nouns in singular and plural.
func sameNoun(a, b string) bool {
	single := func(s string) string {
		s = strings.ToLower(s)
		if t, ok := strings.CutSuffix(s, "ies"); ok {
			return t + "y"
		}
		if strings.HasSuffix(s, "ss") {
			return s
		}
		return strings.TrimSuffix(s, "s")
	}
	return single(a) == single(b)
}

// examples names the units that are understood where u is wanted.
func (u Unit) examples() string {
	switch u.dim() {
	case Time:
		return "s, ms, us"
	case Size:
		return "B, kB, KiB, MB"
	case Rate:
		return "bit/s, kbit/s, Mbit/s, MB/s"
	case Share:
		return "%"
	case Word:
		return "hexadecimal digits, such as 0x220d"
	}
	if u.Name == "" {
		return "a plain number"
	}
	return u.Name
}

package measure

// A Unit is how a number is written and read: a word, what one of it is in the
// base unit of its dimension, and which dimension that is.
type Unit struct {
	Name  string    // "ms", "%", "segments"; empty: a plain number
	Scale float64   // of the base unit; 0 counts as 1
	Dim   Dimension //
}

// A Dimension is what can be compared and converted.
type Dimension string

// The dimensions, with their base units.
const (
	Time  Dimension = "time"  // seconds
	Size  Dimension = "size"  // bytes
	Rate  Dimension = "rate"  // bits per second
	Share Dimension = "share" // 1; also for a plain number
	Count Dimension = "count" // 1, of some noun
	Words Dimension = "text"  // no number at all: the unit "text"
)

// A Quantity is a number with its unit: Value is in the base unit.
type Quantity struct {
	Value float64
	Unit  Unit
}

// An Unreadable is the error of a text that is no quantity, or one of the wrong
// dimension. Nothing is lost: ask again.
type Unreadable struct {
	Text string // what was given
	What string // what is wrong with it, and what would be right
}

func (e *Unreadable) Error() string { return e.What }

// ParseUnit reads the name of a unit. A word that is no unit is a count of that
// noun.
func ParseUnit(name string) (Unit, error) { return Unit{Name: name}, nil }

// Parse reads what a person writes for a quantity that is wanted in unit:
// "40 ms", "0.04s", "2.91 %", "5.24 Mb/s", "1,448 bytes", "1448". The error is an
// *Unreadable.
func Parse(text string, unit Unit) (Quantity, error) { return Quantity{}, nil }

// String writes q in its unit with as many digits as make sense: "40 ms".
func (q Quantity) String() string { return "" }

// Compact writes q as scenarios and links read it: "40ms", "10mbit", "5%", 100.
func (q Quantity) Compact() string { return "" }

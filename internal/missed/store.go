package missed

// A Store keeps logs and records. It is used from several goroutines: Commit
// from one, Read from any.
type Store interface {
	// Load calls fn for everything stored: each room before its spans.
	Load(fn func(Record) error) error
	// Commit stores all of c or nothing, durably on return.
	Commit(c *Change) error
	// Read returns the events of a room from seq from on, about max bytes of
	// them, at least one. If from is gone it starts at the next that is there.
	// It returns io.EOF if there is none.
	Read(k Key, from uint64, max int) (Block, error)
	Close() error
}

// Ephemeral is what a Store implements that keeps nothing longer than the
// process. A Queue on it keeps the events in its logs alone.
type Ephemeral interface{ Ephemeral() }

// A Record is one thing that Load found. Exactly one field is set.
type Record struct {
	Room  *Room
	Span  *Span
	Entry *Entry
}

// A Room is a log as the store knows it.
type Room struct {
	Key         Key
	Epoch       uint64
	First, Last uint64
}

// A Span is a run of stored events, without them.
type Span struct {
	Key                 Key
	First, Last         uint64
	Bytes               int64
	FirstTime, LastTime int64 // microseconds since 1970 UTC
}

// An Entry is a small record in a table. A nil Value deletes it.
type Entry struct {
	Table, Key string
	Value      []byte
}

// A Block is a run of events without a gap.
type Block struct {
	Key         Key
	First, Last uint64
	Frames      []byte
	Marks       []Marked
}

// A Change is what one Commit stores, in this order.
type Change struct {
	Drop   []Key
	Rooms  []Room
	Blocks []Block
	Trim   []Trim
	Puts   []Entry
}

// A Trim forgets the events of a room before First.
type Trim struct {
	Key   Key
	First uint64
}

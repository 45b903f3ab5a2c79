package missed

// A Store keeps logs and records. Commit is called from one goroutine at a
// time, Read from any number, also during a Commit; Load comes before both.
// storetest has the contract as tests.
type Store interface {
	// Load calls fn for everything stored: each room before its spans, and
	// those from the oldest on. It stops at the first error of fn and returns it.
	Load(fn func(Record) error) error

	// Commit stores all of c or nothing, durably on return. When it returned
	// an error, nothing of c is read back until a later Commit, and what c
	// aliases is not touched any more; after a crash c may be there all the
	// same. On success the store may keep what c aliases, and never changes it.
	Commit(c *Change) error

	// Read returns events of a room from the one numbered from on, without a
	// gap: about max bytes of frames, at least one. If that event is not
	// there, the block starts at the next one that is. A block with numbers
	// and no frames says that those events were stored and are damaged. It
	// returns io.EOF if the room has no event from there on.
	Read(k Key, from uint64, max int) (Block, error)

	// Close ends all use. Calling it again does nothing.
	Close() error
}

// Ephemeral is what a Store implements, too, if it keeps nothing longer than
// the process. A Queue on it keeps the events in its logs alone, never commits
// them and needs no committer: events are visible when Append returns. (It is a
// mark on the store, not an option of the queue: whether an acknowledgement
// survives a crash is the store's nature, and the two must not disagree.)
type Ephemeral interface{ Ephemeral() }

// A Record is one thing that Load found. Exactly one field is set.
type Record struct {
	Room  *Room
	Span  *Span
	Entry *Entry
}

// A Room is a log without its events.
type Room struct {
	Key   Key
	Epoch uint64
	First uint64 // the oldest event that is kept; Last+1 if there is none
	Last  uint64 // the newest ever stored, readable or not; not used in a Change
	Gone  Reason // why the newest events before First are gone; not used in a Change
}

// A Span is a run of stored events without their bytes.
type Span struct {
	Key                 Key
	First, Last         uint64
	Bytes               int64
	FirstTime, LastTime int64 // of those events, in microseconds since 1970
	Marked              bool  // some of them have marks
}

// An Entry is a small record in a table. In a Change, a nil Value deletes it.
type Entry struct {
	Table, Key string
	Value      []byte
}

// A Change is what one Commit stores, field by field in this order. A room is
// in Rooms before or with its first block; a room of that name that was there
// before is in Drop.
type Change struct {
	Drop   []Key
	Rooms  []Room
	Blocks []Block // of one room: each follows what is stored without a gap
	Trim   []Trim
	Puts   []Entry
}

// A Trim forgets the events of a room before First. The store may keep them
// longer, but its Load says First.
type Trim struct {
	Key    Key
	First  uint64
	Reason Reason
}

func (c *Change) empty() bool {
	return len(c.Drop)+len(c.Rooms)+len(c.Blocks)+len(c.Trim)+len(c.Puts) == 0
}

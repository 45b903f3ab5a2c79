package missed

// A Mark restricts who may see an event. Viewers are session ids, sorted.
type Mark struct {
	Only   []uint64 // nil means everyone; empty means no one
	Except []uint64 // taken away from Only
}

// Allows reports whether viewer may see an event marked m. A nil m allows all.
func (m *Mark) Allows(viewer uint64) bool { return true }

// Marked is a mark and the event it is on.
type Marked struct {
	Seq uint64
	Mark
}

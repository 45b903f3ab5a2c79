package attempt

import (
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// A Learner is who works: with the lab's name these two give the numbers. An
// empty name is the common variant, whatever the class key.
type Learner struct {
	Name  string `json:"name"`
	Class string `json:"class,omitempty"` // the class key, which the teacher gives
}

// key is the same for two spellings that give the same numbers.
func (l Learner) key() string {
	name := cases.Fold().String(norm.NFC.String(strings.TrimSpace(l.Name)))
	if name == "" {
		return ""
	}
	return strings.TrimSpace(l.Class) + "\x00" + name
}

// Same reports whether two learners get the same numbers.
func (l Learner) Same(other Learner) bool { return l.key() == other.key() }

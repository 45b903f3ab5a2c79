package scenario

import (
	"fmt"
	"slices"
	"strings"
)

// A Defence is one thing that the chat does against damage. A scenario may
// switch one off. The chat itself has no such switch: the guest puts something
// in between that undoes it.
type Defence string

// The defences, and what is without each.
const (
	SessionSecrets Defence = "session-secrets" // whoever comes with a name gets what waits for it
	SyncBeforeAck  Defence = "sync-before-ack" // an event is acknowledged before it is safe on the disk
	MessageIDs     Defence = "message-ids"     // an emit that is tried again is a new message
	VisibleText    Defence = "visible-text"    // what arrives goes to the terminal as it is
	BoundedWrites  Defence = "bounded-writes"  // what a member does not read waits in the server's memory
	OwnWriters     Defence = "own-writers"     // one lock for all: who writes to one member keeps the others waiting
)

// Defences returns them all.
func Defences() []Defence {
	return []Defence{SessionSecrets, SyncBeforeAck, MessageIDs, VisibleText, BoundedWrites, OwnWriters}
}

func (d Defence) validate() error {
	if d == "" || slices.Contains(Defences(), d) {
		return nil
	}
	names := make([]string, 0, len(Defences()))
	for _, known := range Defences() {
		names = append(names, string(known))
	}
	return fmt.Errorf("scenario: without %q: unknown, want one of %s", string(d), strings.Join(names, ", "))
}

// MaxActs bounds the acts of one scenario.
const MaxActs = 1000

// validateActs validates the acts and what belongs to them.
func (s *Scenario) validateActs() error {
	if err := s.Without.validate(); err != nil {
		return err
	}
	if s.Without == SyncBeforeAck && !s.Server.Data {
		return fmt.Errorf("scenario: without %s: the server has no disk, want data", s.Without)
	}
	for _, ns := range s.Server.Namespaces {
		if err := checkRoom(ns); err != nil {
			return fmt.Errorf("scenario: namespace %q: %w", ns, err)
		}
	}
	if len(s.Acts) > MaxActs {
		return fmt.Errorf("scenario: %d acts, want at most %d", len(s.Acts), MaxActs)
	}
	said := 0
	for i := range s.Acts {
		if err := s.Acts[i].validate(s); err != nil {
			return err
		}
		said += max(1, s.Acts[i].Say.Times)
	}
	if said > MaxMessages {
		return fmt.Errorf("scenario: acts say %d messages, want at most %d", said, MaxMessages)
	}
	for i := range s.Members {
		if ns := s.Members[i].Namespace; ns != "" && !slices.Contains(s.Server.Namespaces, ns) {
			return fmt.Errorf("scenario: member %q connects to namespace %q: the server has none of that name", s.Members[i].Name, ns)
		}
	}
	return nil
}

// checkRoom says what a room's or namespace's name may be.
func checkRoom(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if strings.ContainsAny(name, ",@") {
		return fmt.Errorf("a room's name has no comma and no @")
	}
	return nil
}

package repl

import (
	"encoding/json"
	"fmt"
)

// kick removes a person from the room.
func (s *Session) kick(at Place, rest string) Step {
	name, reason, err := word(rest)
	if err != nil {
		return failed(at, fmt.Errorf("/kick: %w", err), "/kick NAME [REASON]")
	}
	if _, person := at.Person(); person || at.Room == "" {
		return failed(at, fmt.Errorf("/kick: no room to remove %q from", name), "/join the room first")
	}
	var who string
	return s.ask(at, &who, func(json.RawMessage) []Item {
		return []Item{info(at, who+" was removed from "+at.Room)}
	}, "kick", at.Room, name, reason)
}

// ban ends a person's sessions and refuses the name from now on.
func (s *Session) ban(at Place, rest string) Step {
	name, reason, err := word(rest)
	if err != nil {
		return failed(at, fmt.Errorf("/ban: %w", err), "/ban NAME [REASON]")
	}
	var who string
	return s.ask(at, &who, func(json.RawMessage) []Item {
		return []Item{info(at, who+" is banned")}
	}, "ban", name, reason)
}

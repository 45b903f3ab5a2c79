package repl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"wirelab/internal/spell"
)

// A Command is one that a line can give.
type Command struct {
	Name  string
	Args  string // "ROOM", "[N]"; empty: none
	Short string // in a list of commands, on a narrow screen
	Help  string
	Wait  string // what its argument names, for completion: "room", "person", "event", "command", "namespace"

	// Rare ones are not in the list, which has to fit a small screen.
	Rare bool

	run func(s *Session, at Place, rest string) Step
}

// Commands returns all commands, in the order that help lists them.
func Commands() []Command {
	return []Command{
		{Name: "join", Args: "ROOM", Wait: "room", run: (*Session).join,
			Short: "enter a room, write there", Help: "enter a room; what you type goes there"},
		{Name: "leave", Args: "[ROOM]", Wait: "room", run: (*Session).leave,
			Short: "leave this room, or that", Help: "leave this room, or the one named"},
		{Name: "rooms", run: (*Session).rooms,
			Short: "list the rooms", Help: "list the rooms of this namespace: who is here, who is away, how many events"},
		{Name: "who", Args: "[ROOM]", Wait: "room", run: (*Session).who,
			Short: "list the members", Help: "list the members of this room, or of that, and how many events wait for them"},
		{Name: "nick", Args: "NAME", run: (*Session).nick,
			Short: "take another name", Help: "take another name"},
		{Name: "msg", Args: "NAME TEXT", Wait: "person", run: (*Session).msg,
			Short: "write to one person", Help: "write to one person; it waits for them while they are away"},
		{Name: "kick", Args: "NAME [REASON]", Wait: "person", Rare: true, run: (*Session).kick,
			Short: "operators: out of the room", Help: "for operators (serve --operator): remove a person from this room; what was said before is still theirs"},
		{Name: "ban", Args: "NAME [REASON]", Wait: "person", Rare: true, run: (*Session).ban,
			Short: "operators: refuse a name", Help: "for operators: end a person's sessions, refuse the name and names that look like it"},
		{Name: "emit", Args: "EVENT JSON…", Wait: "event", run: (*Session).emitOnce,
			Short: "emit an event, once", Help: "emit an event, at most once, without an acknowledgement; it may overtake messages, which wait for theirs"},
		{Name: "ack", Args: "EVENT JSON…", Wait: "event", run: (*Session).emitAck,
			Short: "emit, and wait for the ack", Help: "emit an event, at most once, and wait for the server's acknowledgement"},
		{Name: "volatile", Args: "EVENT JSON…", Wait: "event", run: (*Session).emitVolatile,
			Short: "emit, now or never", Help: "emit an event that is never stored, and dropped by whoever cannot take it now"},
		{Name: "namespace", Args: "[NAME]", Wait: "namespace", run: (*Session).namespace,
			Short: "go to another namespace", Help: "go to another namespace over the same connection; without a name to the default one"},
		{Name: "history", Args: "[N]", run: (*Session).history,
			Short: "the room's last N events", Help: "show the last N events of the room, 20 if you do not say"},
		{Name: "explain", Args: "[SEQ|ID]", run: (*Session).explain,
			Short: "what became of an event", Help: "tell what became of an event for each member; without a number: of the newest"},
		{Name: "offline", Args: "[DURATION]", run: (*Session).offline,
			Short: "say goodbye, stay away", Help: "say goodbye and stay away, for 30s or 2m, or until /online"},
		{Name: "cut", Args: "[DURATION]", run: (*Session).cut,
			Short: "the same without goodbye", Help: "drop the connection without a word, as a pulled cable does, and stay away, for 30s or until /online"},
		{Name: "online", run: (*Session).online,
			Short: "connect again, now", Help: "connect again, now"},
		{Name: "xray", run: func(*Session, Place, string) Step { return Step{XRay: true} },
			Short: "see the bytes on the wire", Help: "show or hide the bytes on the wire"},
		{Name: "stats", run: (*Session).stats,
			Short: "what this client counted", Help: "show what this client has counted: the connection, emits, events, losses, cursors"},
		{Name: "help", Args: "[COMMAND]", Wait: "command", run: (*Session).help,
			Short: "list these, or tell more", Help: "list the commands, or tell more about one"},
		{Name: "quit", run: func(*Session, Place, string) Step { return Step{Quit: true} },
			Short: "leave", Help: "leave; what was emitted is sent before"},
	}
}

// command does the command that line, without its slash, gives.
func (s *Session) command(at Place, line string) Step {
	name, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	all := Commands()
	i := slices.IndexFunc(all, func(c Command) bool { return c.Name == name })
	if i < 0 {
		hint := "/help lists the commands; // begins a message with a slash"
		if near := nearest(name, all); near != "" {
			hint = "did you mean /" + near + "? " + hint
		}
		return failed(at, fmt.Errorf("no command %q", "/"+name), hint)
	}
	c := &all[i]
	switch {
	case rest == "" && c.Args != "" && c.Args[0] != '[':
		return failed(at, fmt.Errorf("/%s: it wants %s", c.Name, c.Args), usage(c))
	case rest != "" && c.Args == "":
		return failed(at, fmt.Errorf("/%s: %q is too much", c.Name, rest), usage(c))
	}
	return c.run(s, at, rest)
}

func usage(c *Command) string {
	u := "/" + c.Name
	if c.Args != "" {
		u += " " + c.Args
	}
	return u + ": " + c.Help
}

// nearest returns the command that name was likely meant to be, or nothing.
func nearest(name string, all []Command) string {
	best, least := "", 1+max(1, len(name)/2)
	for i := range all {
		d := spell.Distance(name, all[i].Name)
		if len(name) > 1 && strings.HasPrefix(all[i].Name, name) {
			d = 1
		}
		if d < least {
			best, least = all[i].Name, d
		}
	}
	return best
}

func (s *Session) help(at Place, rest string) Step {
	all := Commands()
	if rest != "" {
		i := slices.IndexFunc(all, func(c Command) bool { return c.Name == strings.TrimPrefix(rest, "/") })
		if i < 0 {
			return failed(at, fmt.Errorf("no command %q", rest), "/help lists the commands")
		}
		return Step{Items: []Item{info(at, usage(&all[i]))}}
	}
	t := &Table{Title: "commands; /help COMMAND tells more"}
	for _, c := range all {
		if c.Rare {
			continue
		}
		t.Rows = append(t.Rows, []string{strings.TrimSpace("/" + c.Name + " " + c.Args), c.Short})
	}
	return Step{Items: []Item{listing(at, "help", t, nil)}}
}

// word splits off the first word of s, which may be "quoted" if it has spaces.
func word(s string) (first, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		first, rest, _ = strings.Cut(s, " ")
		return first, strings.TrimSpace(rest), nil
	}
	first, rest, closed := strings.Cut(s[1:], `"`)
	if !closed {
		return "", "", errors.New(`a quote " that is not closed`)
	}
	return first, strings.TrimSpace(rest), nil
}

// one is word where nothing may follow.
func one(s, what string) (string, error) {
	w, rest, err := word(s)
	if err == nil && rest != "" {
		err = fmt.Errorf("%q after the %s: quote a %s that has spaces: \"%s\"", rest, what, what, s)
	}
	return w, err
}

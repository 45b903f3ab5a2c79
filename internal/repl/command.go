package repl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Command is one that a line can give.
type Command struct {
	Name string
	Args string // "ROOM", "[N]"; empty: none
	Help string
	Wait string // what its argument names, for completion: "room", "person", "event", "command", "namespace"

	run func(s *Session, at Place, rest string) Step
}

// Commands returns all commands, in the order that help lists them.
func Commands() []Command {
	return []Command{
		{Name: "join", Args: "ROOM", Help: "enter a room and write there", Wait: "room", run: (*Session).join},
		{Name: "leave", Args: "[ROOM]", Help: "leave this room, or that one", Wait: "room", run: (*Session).leave},
		{Name: "rooms", Help: "list the rooms of this namespace", run: (*Session).rooms},
		{Name: "who", Args: "[ROOM]", Help: "list the members of a room, and what waits for them", Wait: "room", run: (*Session).who},
		{Name: "nick", Args: "NAME", Help: "take another name", run: (*Session).nick},
		{Name: "msg", Args: "NAME TEXT", Help: "write to one person, also while they are away", Wait: "person", run: (*Session).msg},
		{Name: "emit", Args: "EVENT [JSON…]", Help: "emit an event, once; it may overtake messages that wait for their acknowledgement", Wait: "event", run: (*Session).emitOnce},
		{Name: "ack", Args: "EVENT [JSON…]", Help: "emit an event and wait for the server's acknowledgement", Wait: "event", run: (*Session).emitAck},
		{Name: "volatile", Args: "EVENT [JSON…]", Help: "emit an event that is dropped by who cannot take it now", Wait: "event", run: (*Session).emitVolatile},
		{Name: "namespace", Args: "[NAME]", Help: "go to another namespace; without a name to the default one", Wait: "namespace", run: (*Session).namespace},
		{Name: "history", Args: "[N]", Help: "show the last N events of the room (20)", run: (*Session).history},
		{Name: "explain", Args: "[SEQ|ID]", Help: "tell what became of an event for each member; without a number the newest", run: (*Session).explain},
		{Name: "offline", Args: "[DURATION]", Help: "say goodbye and stay away, for 30s or until /online", run: (*Session).offline},
		{Name: "cut", Args: "[DURATION]", Help: "drop the connection without a word, as a pulled cable does", run: (*Session).cut},
		{Name: "online", Help: "connect again, now", run: (*Session).online},
		{Name: "xray", Help: "show or hide the bytes on the wire", run: func(*Session, Place, string) Step { return Step{XRay: true} }},
		{Name: "stats", Help: "show what this client has counted", run: (*Session).stats},
		{Name: "help", Args: "[COMMAND]", Help: "list the commands", Wait: "command", run: (*Session).help},
		{Name: "quit", Help: "leave", run: func(*Session, Place, string) Step { return Step{Quit: true} }},
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
		d := distance(name, all[i].Name)
		if len(name) > 1 && strings.HasPrefix(all[i].Name, name) {
			d = 1
		}
		if d < least {
			best, least = all[i].Name, d
		}
	}
	return best
}

// distance is how many letters must be changed, added, taken away or swapped
// with their neighbour to turn a into b.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 20 {
		return len(x)
	}
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			same := 1
			if x[i-1] == y[j-1] {
				same = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+same)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}

func (s *Session) help(at Place, rest string) Step {
	t := &Table{Title: "commands", Empty: "no such command"}
	for _, c := range Commands() {
		if rest != "" && c.Name != strings.TrimPrefix(rest, "/") {
			continue
		}
		t.Rows = append(t.Rows, []string{strings.TrimSpace("/" + c.Name + " " + c.Args), c.Help})
	}
	if rest != "" && len(t.Rows) == 0 {
		return failed(at, fmt.Errorf("no command %q", rest), "/help lists the commands")
	}
	if rest != "" {
		t.Title = ""
	}
	return Step{Items: []Item{listing(at, "help", t, nil)}}
}

// words splits off the first word of s, which may be "quoted" if it has spaces.
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

package chat_test

import (
	"errors"
	"strings"
	"testing"

	"wirelab/internal/chat"
	"wirelab/internal/wire"
)

// "names that look alike: NFC, and a skeleton comparison; refuse the second"
func TestNamesThatLookAlike(t *testing.T) {
	for _, test := range []struct {
		name, first, second string
		taken               bool
	}{
		{"the same", "ana", "ana", true},
		{"case", "ana", "ANA", true},
		{"case beyond ASCII", "Ömer", "ömer", true},
		{"sharp s", "Strasse", "straße", true},
		{"Cyrillic a", "ana", "аnа", true},
		{"Greek omicron", "bob", "bοb", true},
		{"Cyrillic, other case", "ANA", "аnа", true},
		{"composed and decomposed", "Zo\u00eb", "Zoe\u0308", true},
		{"capital I and small l", "Ivan", "lvan", true},
		{"rn and m", "morn", "mom", true},
		{"digit one and small l", "a1", "al", true},
		{"fullwidth", "ana", "\uff41na", true},
		{"another", "ana", "anna", false},
		{"with a mark", "Zoe", "Zoë", false},
		{"Ian and Lan", "Ian", "Lan", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			hub := newHub(t, chat.Config{})
			first := enter(t, hub, test.first)
			second := dial(t, hub, test.second)
			second.tryConnect(wire.Connect{Name: test.second})
			got := strings.HasPrefix(second.taken()[0], "error name_taken")
			if got != test.taken {
				t.Errorf("after %q, %q is taken: %v, want %v", test.first, test.second, got, test.taken)
			}
			if !test.taken {
				return
			}
			// The same for a nick, and it is free when its holder has gone.
			other := enter(t, hub, "other")
			if got := other.request("nick", test.second); got != "failed name_taken" {
				t.Errorf("nick = %s", got)
			}
			first.drop()
			other.drop()
			second.connect(wire.SessionNone)
		})
	}
}

// Only what cannot hide, reorder or imitate is a name.
func TestNames(t *testing.T) {
	for _, test := range []struct {
		in, want string // want "" is refused
	}{
		{"ana", "ana"}, {"Ana María", "Ana María"}, {"o'neil", "o'neil"}, {"李雷", "李雷"}, {"नेहा", "नेहा"}, {"x_1.y-z", "x_1.y-z"},
		{"Zoe\u0308", "Zoë"},
		{"", ""}, {" ", ""}, {" ana", ""}, {"ana ", ""}, {"a  b", ""}, {"a\tb", ""}, {"a\nb", ""}, {"a\x1b[2J", ""}, {"a\u202eb", ""},
		{"a\u200bb", ""}, {"a\u00adb", ""}, {"a\x7f", ""}, {"a\u0085", ""}, {"\xff", ""}, {"a/b", ""}, {"<b>", ""}, {"#1", ""}, {"@x", ""},
		{"\u0301a", ""}, {"a\u0301\u0302\u0303\u0304", ""}, {strings.Repeat("a", 33), ""}, {strings.Repeat("a", 32), strings.Repeat("a", 32)},
		{strings.Repeat("李", 32), ""}, {strings.Repeat("<", 10_000), ""}, {"* server", ""}, {"ana\ufe0f", ""}, {"an\u034fa", ""}, {"a\u3164b", ""}, {"\u115f", ""},
	} {
		hub := newHub(t, chat.Config{})
		c := dial(t, hub, "c")
		b, err := wire.AppendEnvelope(nil, &wire.Envelope{Kind: wire.KindConnect, Args: []byte(`{"name":` + string(wire.EncodeBody(test.in)) + `}`)})
		if err != nil {
			t.Fatal(err)
		}
		e, _ := wire.Decode(b)
		c.conn.Receive(&e)
		got := c.taken()
		if test.in == "\xff" {
			test.want = "" // JSON makes a U+FFFD of it, which is none either
		}
		switch {
		case test.want == "" && got[0] != "error bad_name":
			t.Errorf("name %.40q: got %q, want it refused", test.in, got)
		case test.want != "" && !strings.HasPrefix(got[0], "connected "+test.want+" ["):
			t.Errorf("name %.40q: got %q, want %q", test.in, got, test.want)
		}
	}
}

// A nick keeps the identity: its sessions, its own room and what waits there.
// "the sender is set by the server"
func TestNick(t *testing.T) {
	hub := newHub(t, chat.Config{})
	ana, bob := enterKept(t, hub, "ana", "lobby"), enter(t, hub, "bob", "lobby")
	ana.taken()
	bob.taken()
	ana.say("lobby", "one")
	if got := ana.request("nick", "Ana B"); got != `["Ana B"]` {
		t.Fatalf("nick = %s", got)
	}
	ana.say("lobby", "two")
	bob.want(`event lobby 1<0 ana chat ["one"]`, `event lobby 2<1 Ana B chat ["two"]`)
	if got := ana.request("nick", "ANA B"); got != `["ANA B"]` {
		t.Errorf("a nick that looks like one's own = %s", got)
	}
	ana.drop()
	if got := bob.request("direct", "ana b", "note", "hello"); got != `["ANA B"]` {
		t.Errorf("direct = %s", got)
	}
	if got := bob.request("direct", "ana", "note"); got != "failed no_member" {
		t.Errorf("direct to the old name = %s", got)
	}
	if got := bob.request("nick", "ana"); got != `["ana"]` {
		t.Errorf("the old name is free: %s", got)
	}
	ana.resume()
	if ana.connected.Name != "ANA B" {
		t.Errorf("resumed as %q", ana.connected.Name)
	}
	if got := ana.taken("connected", "cursor"); len(got) != 1 || !strings.HasSuffix(got[0], ` note ["hello"] [direct]`) {
		t.Errorf("what waited: %q", got)
	}
	ana.sound()
}

// "admission is checked again at every resume"; it is asked for a nick, too.
func TestAdmission(t *testing.T) {
	var asked []string
	var deny string
	hub := newHub(t, chat.Config{})
	hub = newHub(t, chat.Config{Admit: func(name string, info chat.Info) error {
		hub.Snapshot() // the hub is not locked
		asked = append(asked, info.Transport+" "+name)
		if name == deny {
			return errors.New("not today")
		}
		return nil
	}})
	ana := enterKept(t, hub, "ana", "lobby")
	bob := enter(t, hub, "bob", "lobby")
	deny = "cem"
	if got := bob.request("nick", "cem"); got != "failed not_admitted" {
		t.Errorf("nick to a name that is not admitted = %s", got)
	}
	deny = "ana"
	ana.drop()
	bob.say("lobby", "while away")
	ana.attach()
	ana.tryConnect(ana.resumption())
	ana.want("error not_admitted")
	if ana.fault.Message != "not today" {
		t.Errorf("told %q", ana.fault.Message)
	}
	deny = ""
	ana.tryConnect(ana.resumption()) // the refused secret is still good
	ana.heard("lobby", "while away")
	if got := strings.Join(asked, ", "); got != "tcp ana, tcp bob, tcp cem, tcp ana, tcp ana" {
		t.Errorf("asked for %s", got)
	}
}

// Operators kick and ban; others do not.
func TestModeration(t *testing.T) {
	hub := newHub(t, chat.Config{Operators: []string{"root"}})
	root, ana, bob := enter(t, hub, "root", "lobby"), enter(t, hub, "ana", "lobby", "red"), enter(t, hub, "bob", "lobby")
	ana.taken()
	if got := bob.request("kick", "lobby", "ana"); got != "failed not_operator" {
		t.Errorf("kick by bob = %s", got)
	}
	if got := root.request("kick", "lobby", "ana", "noise"); got != `["ana"]` {
		t.Errorf("kick = %s", got)
	}
	ana.want("error removed lobby")
	if ana.fault.Message != `removed from "lobby": noise` {
		t.Errorf("told %q", ana.fault.Message)
	}
	for _, test := range [][]any{{"lobby", "ana"}, {"nowhere", "ana"}, {"lobby", "nobody"}, {"", "ana"}} {
		if got := root.request("kick", test...); !strings.HasPrefix(got, "failed no_") {
			t.Errorf("kick %q = %s", test, got)
		}
	}
	bob.say("lobby", "she is gone")
	root.taken()
	ana.want()
	id := ana.emit("lobby", "chat", wire.FlagAck, "let me in")
	ana.want("ack " + itoa(id) + " failed not_in_room")
	ana.request("join", "lobby") // a kick is no ban
	ana.taken()
	if got := root.request("ban", "ANA", strings.Repeat("<", 10_000)); got != `["ANA"]` {
		t.Errorf("ban = %s", got)
	}
	ana.want("error banned")
	if !ana.link.closed.Load() || len(ana.fault.Message) > 1000 {
		t.Errorf("closed %v, told %d bytes", ana.link.closed.Load(), len(ana.fault.Message))
	}
	for _, name := range []string{"ana", "Ana", "аna"} {
		c := dial(t, hub, name)
		c.tryConnect(wire.Connect{Name: name})
		c.want("error banned")
	}
	if got := bob.request("nick", "ana"); got != "failed banned" {
		t.Errorf("nick to a banned name = %s", got)
	}
	hub.Unban("Ana")
	enter(t, hub, "ana")
}

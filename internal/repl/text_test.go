package repl_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wirelab/internal/client"
	"wirelab/internal/repl"
	"wirelab/internal/repl/repltest"
	"wirelab/internal/style"
)

func TestIncoming(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   client.Event
		want string
	}{
		{"a line", client.Event{Room: "lobby", Sender: "bo", Event: "msg", Args: []byte(`["hi"]`), Seq: 3}, "[lobby] bo: hi\n"},
		{"in a namespace", client.Event{Namespace: "games", Room: "lobby", Sender: "bo", Event: "msg", Args: []byte(`["hi"]`)}, "[games/lobby] bo: hi\n"},
		{"again", client.Event{Room: "lobby", Sender: "bo", Event: "msg", Args: []byte(`["hi"]`), Redelivered: true}, "↻ [lobby] bo: hi\n"},
		{"direct", client.Event{Room: "@1f", Sender: "bo", Event: "msg", Args: []byte(`["hi"]`), Direct: true}, "[@bo] bo: hi\n"},
		{"two lines", client.Event{Room: "lobby", Sender: "bo", Event: "msg", Args: []byte(`["a\n[lobby] ana: b"]`)}, "[lobby] bo: a\n    [lobby] ana: b\n"},
		{"an event", client.Event{Room: "lobby", Sender: "bo", Event: "tick", Args: []byte(`[1,"x"]`)}, "[lobby] bo ▸ tick [1,\"x\"]\n"},
		{"an event's odd name", client.Event{Room: "lobby", Sender: "bo", Event: "x: hello", Args: []byte(`[]`)}, "[lobby] bo ▸ \"x: hello\" []\n"},
		{"msg with two arguments", client.Event{Room: "lobby", Sender: "bo", Event: "msg", Args: []byte(`["a",1]`)}, "[lobby] bo ▸ msg [\"a\",1]\n"},
		{"binary", client.Event{Room: "lobby", Sender: "bo", Event: "blob", Args: []byte{1, 255}, Binary: true}, "[lobby] bo ▸ blob: 2 raw bytes: 01ff\n"},
		{"the server", client.Event{Room: "lobby", Event: "msg", Args: []byte(`["hi"]`)}, "[lobby] ‹server›: hi\n"},
		{"joined", client.Event{Room: "lobby", Event: "member_joined", Args: []byte(`["bo","udp","queue"]`), Volatile: true}, "* [lobby] bo joined over udp/queue\n"},
		{"back", client.Event{Room: "lobby", Event: "member_back", Args: []byte(`["bo","tcp",""]`), Volatile: true}, "* [lobby] bo is back over tcp\n"},
		{"left", client.Event{Room: "lobby", Event: "member_left", Args: []byte(`["bo","left"]`), Volatile: true}, "* [lobby] bo left\n"},
		{"away", client.Event{Room: "lobby", Event: "member_away", Args: []byte(`["bo","connection lost"]`), Volatile: true}, "* [lobby] bo is away: connection lost\n"},
		{"renamed", client.Event{Room: "lobby", Event: "member_renamed", Args: []byte(`["bo","bob"]`), Volatile: true}, "* [lobby] bo is now bob\n"},
		{"a member plays server", client.Event{Room: "lobby", Sender: "eve", Event: "member_left", Args: []byte(`["bo","left"]`), Volatile: true}, "[lobby] eve ▸ member_left [\"bo\",\"left\"]\n"},
		{"escapes", client.Event{Room: "lobby\x1b[2J", Sender: "bo\r* x", Event: "msg", Args: []byte(`["\u001b[2J\u202ehi\r\n* gone"]`)}, "[lobby␛[2J] bo␍* x: ␛[2J‹U+202E›hi\n    * gone\n"},
		{"own", client.Event{Room: "lobby", Sender: "ana", Event: "msg", Args: []byte(`["hi"]`), Own: true}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			it := repl.Incoming(tt.in)
			if got, talk := it.Plain(false); got != tt.want || talk != "" {
				t.Errorf("Plain = %q and talk %q, want %q", got, talk, tt.want)
			}
		})
	}
}

func TestTold(t *testing.T) {
	no := &client.Refusal{Code: "rate_limited", Message: "50 events per second", RetryAfter: 1500 * time.Millisecond}
	for _, tt := range []struct {
		name       string
		in         client.Status
		data, talk string
	}{
		{"connecting", client.Status{Kind: client.StatusConnecting, Attempt: 1}, "", ""},
		{"again", client.Status{Kind: client.StatusConnecting, Attempt: 3}, "", "wirelab: connecting, attempt 3\n"},
		{"connected", client.Status{Kind: client.StatusConnected, Name: "ana", Server: "wirelab 1", Session: "1f", Resumed: true, Link: client.LinkStats{Transport: "udp", Mode: "queue"}}, "", "wirelab: connected as ana over udp/queue to wirelab 1; the session goes on\n"},
		{"no session", client.Status{Kind: client.StatusConnected, Name: "ana", Link: client.LinkStats{Transport: "tcp"}}, "", "wirelab: connected as ana over tcp; no session: what passes while you are away is gone\n"},
		{"disconnected", client.Status{Kind: client.StatusDisconnected, Err: errors.New("EOF"), Retry: time.Second}, "", "wirelab: connection lost: EOF; next attempt in 1 s\n"},
		{"offline", client.Status{Kind: client.StatusOffline, Retry: 90 * time.Second}, "", "wirelab: offline for 1m30s\n"},
		{"offline for good", client.Status{Kind: client.StatusOffline}, "", "wirelab: offline, until /online\n"},
		{"missed", client.Status{Kind: client.StatusRoom, Room: "lobby", Missed: 5}, "* [lobby] 5 messages waited for you\n", ""},
		{"missed nothing", client.Status{Kind: client.StatusRoom, Room: "lobby"}, "", ""},
		{"lost", client.Status{Kind: client.StatusLost, Room: "lobby", Lost: 5, Reason: client.LostOverflow}, "* [lobby] 5 messages lost: overflow (more than the server keeps)\n", ""},
		{"lost, unknown", client.Status{Kind: client.StatusLost, Room: "lobby", Reason: client.LostEpoch}, "* [lobby] messages may be lost: epoch (the room began anew), how many is not known\n", ""},
		{"lost one direct", client.Status{Kind: client.StatusLost, Room: "@1f", Lost: 1, Reason: client.LostExpired}, "* 1 direct message lost: expired (older than the server keeps)\n", ""},
		{"removed", client.Status{Kind: client.StatusLeft, Room: "lobby", Err: errors.New("kicked")}, "* [lobby] no longer in the room: kicked\n", ""},
		{"notice", client.Status{Kind: client.StatusNotice, Err: no}, "", "wirelab: 50 events per second\nhint: try again in 1.5 s\n"},
		{"hostile notice", client.Status{Kind: client.StatusNotice, Err: &client.Refusal{Message: "a\x1b[2J\n* b"}}, "", "wirelab: a␛[2J\n    * b\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var data, talk string
			for _, it := range repl.Told(tt.in) {
				d, w := it.Plain(false)
				data, talk = data+d, talk+w
			}
			if data != tt.data || talk != tt.talk {
				t.Errorf("data %q, talk %q; want %q and %q", data, talk, tt.data, tt.talk)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	in := client.Event{
		Namespace: "games", Room: "lobby", Sender: "bo", Event: "msg", Seq: 3, ID: 0xff, Time: noon,
		Args: []byte(`["a\u001b[2J` + "\u202e" + `  b\u0085` + "\u0085\u200d\U000e0001" + `"]`), Redelivered: true,
	}
	it := repl.Incoming(in)
	got := string(it.JSON())
	want := `{"event":"msg","namespace":"games","room":"lobby","sender":"bo","seq":3,"id":"00000000000000ff","time":"2026-03-01T12:00:00Z",` +
		`"args":["a\u001b[2J\u202e  b\u0085\u0085\u200d\udb40\udc01"],"own":false,"redelivered":true,"direct":false,"volatile":false}`
	if got != want {
		t.Errorf("JSON =\n%s\nwant\n%s", got, want)
	}
	// The same text to a JSON reader.
	var back struct{ Args [1]string }
	var text [1]string
	if err := json.Unmarshal([]byte(got), &back); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(in.Args, &text); err != nil || back.Args != text {
		t.Errorf("args read back as %q, want %q (%v)", back.Args, text, err)
	}
	for _, tt := range []struct {
		it   repl.Item
		want string
	}{
		{repl.Incoming(client.Event{Event: "blob", Args: []byte{1, 2}, Binary: true, Time: noon}), `"bytes":"AQI="`},
		{repl.Told(client.Status{Kind: client.StatusLost, Room: "lobby", Lost: 5, Reason: "overflow"})[0], `{"status":"lost","room":"lobby","text":"5 messages lost: overflow (more than the server keeps)","lost":5,"reason":"overflow"}`},
		{repl.Told(client.Status{Kind: client.StatusRoom, Room: "lobby"})[0], `"seq":0,"head":0,"missed":0,"recovered":false}`},
		{repl.Told(client.Status{Kind: client.StatusRefused, Err: &client.Refusal{Code: "name_taken", Message: "taken"}})[0], `{"status":"refused","text":"taken","error":"taken","code":"name_taken"}`},
		{repl.Item{Kind: repl.Info, Text: "x"}, `{"info":"x"}`},
		{repl.Item{Kind: repl.Failure, Text: "x", Hint: "y"}, `{"error":"x","hint":"y"}`},
		{repl.Item{Kind: repl.Receipt, State: repl.Acked, ID: 1, Place: lobby, Event: &client.Event{Seq: 4}}, `{"ack":"0000000000000001","ok":true,"namespace":"","room":"lobby","seq":4}`},
		{repl.Item{Kind: repl.Listing, Answer: &repl.Answer{Command: "who", Result: []byte("[1, 2]")}}, `{"answer":"who","result":[1,2]}`},
	} {
		if got := string(tt.it.JSON()); !strings.Contains(got, tt.want) {
			t.Errorf("JSON = %s, want %s in it", got, tt.want)
		}
	}
}

// A plain line is one line, or lines that are continued by an indent, and a
// terminal shows it as it is; a JSON line is one line of JSON.
func FuzzNoEventBreaksItsLine(f *testing.F) {
	f.Add("lobby", "bo", "msg", []byte(`["hi"]`), uint8(0))
	f.Add("a]\n* b", "\x1b[2J", "\u202e", []byte("[\"\r\n[lobby] ana: \\u001b\"]"), uint8(3))
	f.Fuzz(func(t *testing.T, room, sender, event string, args []byte, flags uint8) {
		it := repl.Incoming(client.Event{
			Room: room, Sender: sender, Event: event, Args: args, Time: time.Unix(1, 0),
			Binary: flags&1 != 0, Direct: flags&2 != 0, Volatile: flags&4 != 0, Redelivered: flags&8 != 0,
		})
		data, talk := it.Plain(true)
		if talk != "" || !strings.HasSuffix(data, "\n") {
			t.Fatalf("Plain = %q and talk %q", data, talk)
		}
		for i, line := range strings.Split(strings.TrimSuffix(data, "\n"), "\n") {
			if style.Visible(line) != line {
				t.Errorf("line %q is not what a terminal shows", line)
			}
			if i > 0 && !strings.HasPrefix(line, "    ") {
				t.Errorf("line %q could pass for one of its own", line)
			}
		}
		line := it.JSON()
		if !json.Valid(line) || bytes.ContainsAny(line, "\n\x1b\x7f\u0085\u202e") {
			t.Errorf("JSON = %q", line)
		}
	})
}

func TestStatsForPrograms(t *testing.T) {
	c := &repltest.Client{User: "ana", Figures: client.Stats{Online: true, RTT: 1500 * time.Microsecond, Lost: 5, Rooms: []client.RoomStats{{Room: "lobby", Epoch: 255, Handled: 7, Head: 9}}}}
	it := repl.NewSession(c, false).Do(lobby, "/stats").Items[0]
	var got struct {
		Answer string
		Result struct {
			Name  string
			RTT   int `json:"rtt_us"`
			Lost  int
			Rooms []struct {
				Room, Epoch   string
				Handled, Head int
			}
		}
	}
	if err := json.Unmarshal(it.JSON(), &got); err != nil {
		t.Fatal(err)
	}
	r := &got.Result
	if got.Answer != "stats" || r.Name != "ana" || r.RTT != 1500 || r.Lost != 5 || len(r.Rooms) != 1 || r.Rooms[0].Epoch != "00000000000000ff" || r.Rooms[0].Head != 9 {
		t.Errorf("/stats = %s", it.JSON())
	}
}

func TestComplete(t *testing.T) {
	known := repl.Known{Rooms: []string{"lobby", "games", "my room"}, People: []string{"ana", "Bo", "Ana Maria"}, Events: []string{"tick"}, Namespaces: []string{"games"}}
	for _, tt := range []struct {
		line string
		want []string
		from int
	}{
		{"", nil, 0},
		{"hello", nil, 0},
		{"an", []string{"Ana Maria: ", "ana: "}, 0},
		{"hello an", nil, 6},
		{"hello @b", []string{"@Bo "}, 6},
		{"/j", []string{"/join "}, 0},
		{"/o", []string{"/offline ", "/online"}, 0},
		{"/", nil, 0},
		{"/join ", []string{`"my room"`, "games", "lobby"}, 6},
		{`/join "m`, []string{`"my room"`}, 6},
		{"/join lob", []string{"lobby"}, 6},
		{"/msg a", []string{`"Ana Maria" `, "ana "}, 5},
		{"/msg @b", []string{"Bo "}, 6},
		{`/msg "Ana Maria" @b`, []string{"@Bo "}, 17},
		{"/emit t", []string{"tick "}, 6},
		{"/help expl", []string{"explain"}, 6},
		{"/namespace g", []string{"games"}, 11},
		{"//joi", nil, 0},
		{"/quit x", nil, 6},
	} {
		got, from := repl.Complete(tt.line, known)
		if tt.line == "/" {
			if len(got) != len(repl.Commands()) {
				t.Errorf("Complete(/) = %q, want all commands", got)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || from != tt.from {
			t.Errorf("Complete(%q) from %d, want %d (-want +got):\n%s", tt.line, from, tt.from, diff)
		}
	}
}

func TestTable(t *testing.T) {
	table := &repl.Table{
		Title: "a title", Columns: []string{"name", "n", "why"}, Right: []bool{false, true},
		Rows: [][]string{{"ana\x1b[2J", "12", "because it is so, and for no other reason"}, {"你好", "3", ""}},
	}
	for _, tt := range []struct {
		width int
		want  string
	}{
		{0, `a title
name      n  why
ana␛[2J  12  because it is so, and for no other reason
你好      3`},
		{30, `a title
name      n  why
ana␛[2J  12  because it is so,
             and for no other
             reason
你好      3`},
		{12, `a title
name      n
ana␛[2J  12
    because
    it is
    so, and
    for no
    other
    reason
你好      3`},
	} {
		if diff := cmp.Diff(tt.want, strings.Join(table.Lines(tt.width), "\n")); diff != "" {
			t.Errorf("Lines(%d) (-want +got):\n%s", tt.width, diff)
		}
	}
	empty := repl.Table{Columns: []string{"x"}, Empty: "nobody"}
	if diff := cmp.Diff([]string{"nobody"}, empty.Lines(40)); diff != "" {
		t.Errorf("an empty table (-want +got):\n%s", diff)
	}
}

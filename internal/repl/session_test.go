package repl_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"wirelab/internal/chat"
	"wirelab/internal/client"
	"wirelab/internal/repl"
	"wirelab/internal/repl/repltest"
)

var lobby = repl.Place{Room: "lobby"}

// do does a line to its end and describes all that it led to.
func do(t *testing.T, c *repltest.Client, at repl.Place, line string) (said []string) {
	t.Helper()
	step := repl.NewSession(c, false).Do(at, line)
	for {
		for _, it := range step.Items {
			said = append(said, describe(it)...)
		}
		if step.Move != nil {
			said = append(said, "move to "+step.Move.String())
		}
		if step.Quit {
			said = append(said, "quit")
		}
		if step.XRay {
			said = append(said, "x-ray")
		}
		if step.Then == nil {
			return said
		}
		step = step.Then(t.Context())
	}
}

func describe(it repl.Item) []string {
	switch it.Kind {
	case repl.Message:
		text, _ := repl.Body(it.Event)
		past := ""
		if it.Past {
			past = "past "
		}
		return []string{fmt.Sprintf("%s%s in %s: %s", past, it.Event.Sender, it.Place, text)}
	case repl.Receipt:
		return []string{fmt.Sprintf("receipt %d: %s", it.ID, it.Text)}
	case repl.Failure:
		lines := []string{"failure: " + it.Text}
		if it.Hint != "" {
			lines = append(lines, "hint: "+it.Hint)
		}
		return lines
	case repl.Listing:
		return it.Table.Lines(0)
	}
	return []string{"info: " + it.Text}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func answer(event string, args []any) (any, error) {
	switch event {
	case "rooms":
		return []chat.RoomInfo{{Room: "lobby", Members: 2, Away: 1, Head: 17}, {Room: "games", Members: 1}}, nil
	case "who":
		return []chat.Person{
			{Name: "ana", Transport: "tcp", Since: noon},
			{Name: "bo", Transport: "udp", Mode: "queue", Since: noon, Away: true, Waiting: 5},
		}, nil
	case "history":
		return []chat.Past{{Seq: 3, ID: "00000000000000ff", Time: noon, Sender: "bo", Event: "msg", Args: []byte(`["before"]`)}}, nil
	case "explain":
		return chat.Story{
			Room: "lobby", Seq: 3, ID: "00000000000000ff", Sender: "bo", Event: "msg", Stored: noon,
			Members: []chat.Fate{
				{Name: "ana", Transport: "tcp", Status: "acked", Sent: noon.Add(300 * time.Microsecond), Acked: noon.Add(2 * time.Millisecond)},
				{Name: "bo", Transport: "udp/queue", Status: "waiting", Why: "away since 11:59:00"},
			},
		}, nil
	}
	return nil, &client.Refusal{Code: "no_member", Message: "nobody is called that", Hint: "/who lists the members"}
}

func TestCommands(t *testing.T) {
	for _, tt := range []struct {
		line string
		want []string // what is said
		log  []string // what is asked of the client
	}{
		{"", nil, nil},
		{"   ", nil, nil},
		{"hello <b> & you", []string{`ana in lobby: hello <b> & you`, "receipt 1: stored as 1 after 3.0 ms"}, []string{`emit "lobby" msg ["hello <b> & you"] ack=false retries=-1 volatile=false`}},
		{"//join is a command", []string{"ana in lobby: /join is a command", "receipt 1: stored as 1 after 3.0 ms"}, []string{`emit "lobby" msg ["/join is a command"] ack=false retries=-1 volatile=false`}},
		{"/join games", []string{"info: joined games", "move to games"}, []string{"join games"}},
		{`/join "my room"`, []string{"info: joined my room", "move to my room"}, []string{"join my room"}},
		{"/join my room", []string{`failure: /join: "room" after the room: quote a room that has spaces: "my room"`}, nil},
		{"/join", []string{"failure: /join: it wants ROOM", "hint: /join ROOM: enter a room; what you type goes there"}, nil},
		{"/leave", []string{"info: left lobby", "move to games"}, []string{"leave lobby"}},
		{"/rooms", []string{
			"room   here  away  events",
			"lobby     2     1      17",
			"games     1     0       0",
		}, []string{"request rooms []"}},
		{"/rooms please", []string{`failure: /rooms: "please" is too much`, "hint: /rooms: list the rooms of this namespace: who is here, who is away, how many events"}, nil},
		{"/who", []string{
			"member  over       since     waiting",
			"ana     tcp        12:00:00        0",
			"bo      udp/queue  12:00:00        5  away",
		}, []string{"request who [lobby]"}},
		{"/nick Ana Maria", []string{"info: you are now Ana Maria"}, []string{"nick Ana Maria"}},
		{`/msg "Bo B" hi  there`, []string{"ana in @Bo B: hi  there", "info: to Bo B: hi  there", "receipt 1: stored as 1 after 3.0 ms"}, []string{`emit "" direct ["Bo B","msg","hi  there"] ack=true retries=-1 volatile=false`}},
		{"/msg bo", []string{`failure: /msg: no text for "bo"`, "hint: /msg NAME TEXT"}, nil},
		{`/msg "bo hi`, []string{`failure: /msg: a quote " that is not closed`, `hint: a name with spaces is quoted: /msg "Ana Maria" hello`}, nil},
		{`/emit tick 1 {"a": 2} "x y" [3]`, []string{`ana in lobby: tick [1,{"a":2},"x y",[3]]`}, []string{`emit "lobby" tick [1,{"a":2},"x y",[3]] ack=false retries=0 volatile=false`}},
		{"/emit tick", []string{"ana in lobby: tick []"}, []string{`emit "lobby" tick [] ack=false retries=0 volatile=false`}},
		{"/emit tick 1 hello 2", []string{"failure: /emit tick: argument 2, hello, is no JSON", `hint: arguments are JSON values: 1 "text" {"x": [2, 3]}`}, nil},
		{"/ack tick 1", []string{"ana in lobby: tick [1]", "receipt 1: stored as 1 after 3.0 ms", "info: acknowledged: stored as 1 after 3.0 ms"}, []string{`emit "lobby" tick [1] ack=true retries=0 volatile=false`}},
		{"/volatile move 3 4", []string{"ana in lobby: move [3,4]"}, []string{`emit "lobby" move [3,4] ack=false retries=0 volatile=true`}},
		{"/namespace games", []string{"info: in namespace games, in no room there yet: /rooms, /join ROOM", "move to games/"}, []string{"enter games"}},
		{"/namespace", []string{"info: in the default namespace", "move to lobby"}, nil},
		{"/history", []string{"info: history: 1 event", "past bo in lobby: before"}, []string{"request history [lobby 20]"}},
		{"/history 5", []string{"info: history: 1 event", "past bo in lobby: before"}, []string{"request history [lobby 5]"}},
		{"/history many", []string{`failure: /history: "many" is no number of events`, "hint: 1 to 100: /history 50"}, nil},
		{"/explain 3", []string{
			"3 in lobby: msg of bo, stored 12:00:00.000, id 00000000000000ff",
			"member  over       status       sent    acked  why",
			"ana     tcp        acked    +0.30 ms  +2.0 ms",
			"bo      udp/queue  waiting                     away since 11:59:00",
		}, []string{"request explain [lobby 3]"}},
		{"/explain 00000000000000ff", nil, []string{"request explain [lobby 00000000000000ff]"}},
		{"/explain", nil, []string{"request explain [lobby 17]"}},
		{"/explain that", []string{`failure: /explain: "that" is neither a sequence number nor a message id`, "hint: /explain 17, or 16 hex digits; without a number the newest event"}, nil},
		{"/offline", nil, []string{"offline 0s"}},
		{"/offline 90", nil, []string{"offline 1m30s"}},
		{"/offline 2m", nil, []string{"offline 2m0s"}},
		{"/offline soon", []string{`failure: /offline: "soon" is no duration`, "hint: 30s, 2m or 1h30m; a bare number is seconds"}, nil},
		{"/offline -1s", []string{"failure: /offline: -1s is not more than 0", "hint: without a duration it lasts until /online"}, nil},
		{"/cut 5s", nil, []string{"cut 5s"}},
		{"/online", nil, []string{"online"}},
		{"/xray", []string{"x-ray"}, nil},
		{"/quit", []string{"quit"}, nil},
		{"/help /offline", []string{"info: /offline [DURATION]: say goodbye and stay away, for 30s or 2m, or until /online"}, nil},
		{"/help nothing", []string{`failure: no command "nothing"`, "hint: /help lists the commands"}, nil},
		{"/jion games", []string{`failure: no command "/jion"`, "hint: did you mean /join? /help lists the commands; // begins a message with a slash"}, nil},
		{"/hist", []string{`failure: no command "/hist"`, "hint: did you mean /history? /help lists the commands; // begins a message with a slash"}, nil},
		{"/frobnicate", []string{`failure: no command "/frobnicate"`, "hint: /help lists the commands; // begins a message with a slash"}, nil},
	} {
		t.Run(tt.line, func(t *testing.T) {
			c := &repltest.Client{
				User: "ana", Member: []string{"lobby", "games"}, Answer: answer,
				Figures: client.Stats{Rooms: []client.RoomStats{{Room: "lobby", Head: 17}}},
			}
			if tt.line == "/namespace" {
				c.Member = []string{"lobby"}
			}
			got := do(t, c, lobby, tt.line)
			if tt.want != nil || len(tt.log) == 0 || !strings.HasPrefix(tt.log[0], "request") {
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("said (-want +got):\n%s", diff)
				}
			}
			if diff := cmp.Diff(tt.log, c.Log()); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryCommandIsHelped(t *testing.T) {
	lines := strings.Join(do(t, &repltest.Client{}, lobby, "/help"), "\n")
	for _, c := range repl.Commands() {
		if c.Rare {
			continue // the list has to fit a small screen; /help NAME tells
		}
		if !strings.Contains(lines, "/"+c.Name) || c.Help == "" || len(c.Short) > 28 {
			t.Errorf("/help does not tell about /%s:\n%s", c.Name, lines)
		}
	}
}

func TestInNoRoom(t *testing.T) {
	c := &repltest.Client{User: "ana"}
	for _, line := range []string{"hello", "/emit x", "/leave", "/who", "/history", "/explain 3"} {
		if got := do(t, c, repl.Place{}, line); len(got) == 0 || !strings.HasPrefix(got[0], "failure: ") {
			t.Errorf("%q in no room led to %q, want a failure", line, got)
		}
	}
	if log := c.Log(); len(log) != 0 {
		t.Errorf("the client was asked for %q", log)
	}
}

func TestInAConversation(t *testing.T) {
	c := &repltest.Client{User: "ana"}
	at := repl.Place{Room: "@bo"}
	if diff := cmp.Diff([]string{"ana in @bo: hello", "receipt 1: stored as 1 after 3.0 ms"}, do(t, c, at, "hello")); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
	if got := do(t, c, at, "/volatile x"); !strings.HasPrefix(got[0], "failure: /volatile") {
		t.Errorf("/volatile to a person led to %q, want a failure", got)
	}
	if diff := cmp.Diff([]string{`emit "" direct ["bo","msg","hello"] ack=true retries=-1 volatile=false`}, c.Log()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &repltest.Client{User: "ana", Manual: true}
		step := repl.NewSession(c, false).Do(lobby, "hello")
		if !step.Loose || step.Then == nil {
			t.Fatalf("a message keeps the next line waiting: %+v", step)
		}
		done := make(chan repl.Step)
		go func() { done <- step.Then(context.Background()) }()
		synctest.Wait()
		c.Acknowledge(1, &client.Refusal{Code: "rate_limited", Message: "50 events per second", RetryAfter: 2 * time.Second})
		it := (<-done).Items[0]
		if it.State != repl.Refused || it.Text != "50 events per second" || it.Hint != "try again in 2 s" {
			t.Errorf("receipt of a refused message = %+v", it)
		}
	})
}

func TestUnreliableLinesAskForNoAcknowledgement(t *testing.T) {
	c := &repltest.Client{User: "ana"}
	step := repl.NewSession(c, true).Do(lobby, "hello")
	if step.Then != nil || step.Items[0].State != repl.Sent {
		t.Errorf("step = %+v, want one that is over", step)
	}
	if diff := cmp.Diff([]string{`emit "lobby" msg ["hello"] ack=false retries=0 volatile=false`}, c.Log()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

package scenario

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseAct(t *testing.T) {
	tests := []struct {
		in, want string // want: the canonical text, or after ! a part of the error
	}{
		{"1s eve says 40", "1s eve says 40"},
		{"  1500ms eve says 40 bytes in tea ", "1.5s eve says 40 in tea"},
		{"1s eve says 40 in tea others", "1s eve says 40 in tea others"},
		{"1s eve says 40 to tea,coffee except bo,cy", "1s eve says 40 to tea,coffee except bo,cy"},
		{"1s eve says 40 to all namespace shop volatile", "1s eve says 40 to all namespace shop volatile"},
		{"1s eve says 40 direct bo ack within 500ms", "1s eve says 40 direct bo ack within 500ms"},
		{"1s eve says 40 request ack", "1s eve says 40 request ack"},
		{"1s eve says 40 x 10 every 50ms in tea retry 3 within 1s", "1s eve says 40 x 10 every 50ms in tea retry 3 within 1s"},
		{`1s eve says "a\x1b[2J # ; b" once`, `1s eve says "a\x1b[2J # ; b" once`},
		{"1s server says 40 to all ack", "1s server says 40 to all ack"},
		{"1s eve joins tea namespace shop", "1s eve joins tea namespace shop"},
		{"1s eve leaves tea", "1s eve leaves tea"},
		{"1s eve enters shop", "1s eve enters shop"},
		{"1s eve disconnects", "1s eve disconnects"},
		{"1s eve returns", "1s eve returns"},
		{"1s eve takes bo", "1s eve takes bo"},
		{"eve says", "!AT WHO DOES"},
		{"-1s eve says 40", `!"-1s" is no instant`},
		{"1s eve shouts 40", `!"shouts" is unknown: want one of says, joins`},
		{"1s eve says", "!bytes"},
		{"1s eve says 39", "!40 to 4096"},
		{"1s eve says 40 bytes long", `!"long" is one word too many`},
		{`1s eve says "no end`, "!quotes"},
		{`1s eve says ""`, "!quotes"},
		{"1s eve says 40 x 10", `!want "every"`},
		{"1s eve says 40 x 0 every 1s", "!1 to 100000"},
		{"1s eve says 40 x 100000 every 1h", "!more than"},
		{"1s eve says 40 in", "!a room"},
		{"1s eve says 40 in tea except bo", `!goes with "to ROOM"`},
		{"1s eve says 40 to tea,tea", "!named twice"},
		{"1s eve says 40 to tea, cy", "!joined by commas"},
		{"1s eve says 40 to tea retry", "!retry goes with in and direct"},
		{"1s eve says 40 in tea volatile retry", "!volatile is not retried"},
		{"1s eve says 40 direct bo volatile", "!volatile goes with"},
		{"1s eve says 40 once within 1s", "!nothing is waited for"},
		{"1s eve says 40 retry 0", "!1 to 1000"},
		{"1s eve joins", "!a room"},
		{"1s eve joins @tea", "!no @"},
		{"1s eve disconnects now", `!"now" is one word too many`},
	}
	for _, tt := range tests {
		a, err := ParseAct(tt.in)
		if part, ok := strings.CutPrefix(tt.want, "!"); ok {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("ParseAct(%q) = %v, %v, want an error with %q", tt.in, a, err, part)
			}
		} else if err != nil || a.String() != tt.want {
			t.Errorf("ParseAct(%q) = %q, %v, want %q", tt.in, a, err, tt.want)
		}
	}
}

const chatText = `seed 7
without message-ids
watch
server
  data
  keep 100
  namespaces shop,news
member eve over udp+go-back-n
  link delay 20ms
  rooms tea,coffee
  says 100 every 50ms size 200 from 25ms
member bo over tcp+queue
  namespace shop
  says 10 rate 2.5/s size 100
at 1s eve says 40 to tea except bo
at 2s kill bo
at 3s server says "hi there" to all
`

// The text becomes what it says, and survives being written and read, as text
// and as JSON.
func TestChatText(t *testing.T) {
	s, err := ParseText(chatText)
	if err != nil {
		t.Fatal(err)
	}
	want := []Member{
		{Name: "eve", Transport: UDPGoBackN, Up: "delay 20ms", Down: "delay 20ms", Rooms: []string{"tea", "coffee"},
			Messages: 100, Every: Duration(50 * time.Millisecond), Size: 200, From: Duration(25 * time.Millisecond)},
		{Name: "bo", Transport: TCPQueue, Namespace: "shop", Messages: 10, Rate: 2.5, Size: 100},
	}
	if d := cmp.Diff(want, s.Members); d != "" {
		t.Error(d)
	}
	if s.Without != MessageIDs || !s.Watch || len(s.Acts) != 2 || len(s.Faults) != 1 || s.Acts[1].Say.Text != "hi there" {
		t.Errorf("without %q, watch %t, acts %v, faults %v", s.Without, s.Watch, s.Acts, s.Faults)
	}
	again, err := ParseText(s.Text())
	if err != nil {
		t.Fatalf("%v:\n%s", err, s.Text())
	}
	if d := cmp.Diff(s, again); d != "" {
		t.Errorf("its own text says: %s", d)
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if again, err = Read(strings.NewReader(string(b))); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s, again); d != "" {
		t.Errorf("its own JSON says: %s", d)
	}
}

// What makes no sense is refused at its line.
func TestChatTextRefused(t *testing.T) {
	const ok = "member eve over tcp\nmember bo over udp\n"
	tests := []struct{ line, want string }{
		{"member cy over sctp", `"sctp", want one of udp, udp+sequenced`},
		{"without locks", `"locks": unknown, want one of session-secrets`},
		{"without sync-before-ack", "data"},
		{"at 1s cy says 40", `nobody is named "cy"`},
		{"at 1s eve says 40 direct cy", `nobody is named "cy"`},
		{"at 1s server joins tea", "the server says things"},
		{"at 1s server says 40", "the server speaks"},
		{"at 1s eve takes cy", `nobody is named "cy"`},
		{"member cy over tcp\n  namespace shop", `none of that name`},
		{"member cy over tcp\n  says 10 every 0s size 100", `"0s"`},
		{"member cy over tcp\n  says 10 every 50ms size 9", "9 bytes"},
		{"member cy over tcp\n  says 10 size 100", "a gap or a rate"},
		{"member cy over tcp\n  rooms tea,", "joined by commas"},
	}
	for _, tt := range tests {
		if _, err := ParseText(ok + tt.line); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want an error with %q", tt.line, err, tt.want)
		}
	}
}

// FuzzActRoundTrip: the text of what was parsed parses to the same.
func FuzzActRoundTrip(f *testing.F) {
	f.Add("1s eve says 40 x 3 every 1ms to a,b except c namespace d volatile ack within 1s")
	f.Add(`2s eve says "\x1b[2J" direct bo retry 3`)
	f.Add("3s eve joins tea namespace shop")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAct(text)
		if err != nil {
			return
		}
		again, err := ParseAct(a.String())
		if d := cmp.Diff(a, again); err != nil || d != "" {
			t.Errorf("ParseAct(%q) has the text %q, which parses to %v, %v: %s", text, a, again, err, d)
		}
	})
}

package scenario

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// valid returns a scenario that makes sense.
func valid() *Scenario {
	return &Scenario{
		Seed: 7,
		Members: []Member{
			{Name: "bo", Transport: TCPQueue, Down: "delay 20ms loss 10%"},
			{Name: "ana", Transport: UDP, Messages: 10, Rate: 5, Size: 100},
		},
		Faults: []Fault{{At: time.Second, Verb: Kill, Host: "server"}, {At: 2 * time.Second, Verb: Slow, Host: "bo", For: time.Millisecond}},
		Record: []string{"bo"},
	}
}

func TestScenarioSurvivesJSON(t *testing.T) {
	want := valid()
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(strings.NewReader(string(b)))
	if err != nil {
		t.Fatalf("Read(%s) = %v", b, err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// What makes no sense is refused with the value and what would be right.
func TestValidate(t *testing.T) {
	tests := []struct {
		name string
		turn func(*Scenario)
		want []string // all in the error
	}{
		{"nobody", func(s *Scenario) { s.Members = nil }, []string{"0 members", "1 to 16"}},
		{"twice", func(s *Scenario) { s.Members[1].Name = "bo" }, []string{`two hosts are named "bo"`}},
		{"the server's name", func(s *Scenario) { s.Members[1].Name = "server" }, []string{`two hosts are named "server"`}},
		{"bad name", func(s *Scenario) { s.Members[0].Name = "b o" }, []string{`"b o"`, "no space"}},
		{"transport", func(s *Scenario) { s.Members[0].Transport = "sctp" }, []string{`"sctp"`, "udp+queue"}},
		{"loss", func(s *Scenario) { s.Members[0].Down = "loss 120%" }, []string{"bo", "down", "120%", "100"}},
		{"messages", func(s *Scenario) { s.Members[1].Messages = -1 }, []string{"-1 messages", "100000"}},
		{"rate", func(s *Scenario) { s.Members[1].Rate = 0 }, []string{"0 messages per second", "10000"}},
		{"size", func(s *Scenario) { s.Members[1].Size = 5000 }, []string{"5000 bytes", "40 to 4096"}},
		{"unknown host", func(s *Scenario) { s.Faults[0].Host = "cleo" }, []string{"cleo", "server, bo, ana"}},
		{"record", func(s *Scenario) { s.Record = []string{"server"} }, []string{`"server"`, "bo, ana"}},
		{"keep", func(s *Scenario) { s.Server.KeepCount = -1 }, []string{"-1 events"}},
		{"quiet", func(s *Scenario) { s.Quiet = Duration(-time.Second) }, []string{"-1s"}},
	}
	for _, tt := range tests {
		s := valid()
		tt.turn(s)
		err := s.Validate()
		if err == nil {
			t.Errorf("%s: Validate() = nil, want an error", tt.name)
			continue
		}
		for _, w := range tt.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: Validate() = %q, want %q in it", tt.name, err, w)
			}
		}
	}
}

func TestReadRefusesUnknownFields(t *testing.T) {
	if _, err := Read(strings.NewReader(`{"members":[{"name":"bo","transport":"tcp"}],"sede":1}`)); err == nil || !strings.Contains(err.Error(), "sede") {
		t.Errorf("Read of a misspelt field = %v, want an error that names it", err)
	}
}

func TestParseFault(t *testing.T) {
	tests := []struct {
		in, want string // want: the canonical text, or after ! a part of the error
	}{
		{"2s kill server", "2s kill server"},
		{"  1500ms   cut bo ", "1.5s cut bo"},
		{"1s slow bo 200ms", "1s slow bo 200ms"},
		{"1s link bo loss 10% delay 20ms", "1s link bo delay 20ms loss 10%"},
		{"kill server", "!AT VERB HOST"},
		{"-2s kill server", `!"-2s" is no instant`},
		{"2 kill server", `!"2" is no instant`},
		{"2s shoot server", `!"shoot" is unknown: want one of kill, start`},
		{"2s kill server now", `!"now" is one word too many`},
		{"2s slow bo", "!how long a read takes"},
		{"2s slow bo -1s", "!how long a read takes"},
		{"2s link bo loss 120%", "!120%"},
	}
	for _, tt := range tests {
		f, err := ParseFault(tt.in)
		if part, ok := strings.CutPrefix(tt.want, "!"); ok {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("ParseFault(%q) = %v, %v, want an error with %q", tt.in, f, err, part)
			}
		} else if err != nil || f.String() != tt.want {
			t.Errorf("ParseFault(%q) = %q, %v, want %q", tt.in, f, err, tt.want)
		}
	}
}

// FuzzFaultsRoundTrip: the text of what was parsed parses to the same.
func FuzzFaultsRoundTrip(f *testing.F) {
	f.Add("2s kill server; 3s start server\n# a remark\n4s link bo loss 1%")
	f.Add("1s slow a 1ms")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ParseFaults(text)
		if err != nil {
			return
		}
		again, err := ParseFaults(FaultText(all))
		if err != nil || !slices.Equal(all, again) {
			t.Errorf("ParseFaults(%q) = %v; its text %q parses to %v, %v", text, all, FaultText(all), again, err)
		}
	})
}

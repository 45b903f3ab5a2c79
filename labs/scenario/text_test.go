package scenario

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// whole uses every line and every statement there is.
const whole = `# everything
seed 7
quiet 5s; end 30s
record ana eve   # not bo
states off

host ana
  up   delay 20ms rate 10mbit loss 5% swap data 3
  down delay 20ms
  mtu 1500
  receive-buffer 64KiB
  send-buffer 1MB
  udp-buffer 8192
  min-rto 300ms
  max-rto 60s
  no-sack; no-rack; reno; nagle
host bo
  link delay 1ms

server
  data
  keep 100
member eve over tcp+queue
  link delay 5ms
  says 100 rate 10/s size 200

run bo
  listen 7000 as door
  serve door sink 100 at a time every 1s
  accept door as c
  receive c 1000 at a time every 10ms 5 times 5000 bytes until 3s
  receive c until closed
  echo c
  shutdown c
run bo
  udp 7001 as s
  arq receive s selective-repeat window 70 frames 100
run ana at 2s
  wait 10ms; until 3s
  note here it begins
  connect bo:7000 as c from 5000 within 20s
  keepalive c 5s count 3
  send c 1000 x 100 every 10ms until 9s
  send c "a # and a ; and a \"quote\"\n"
  request c 100 x 5 every 1s within 500ms
  close c
  abort c
run ana
  udp 7001 as u
  sendto u bo:7001 65507 x 2 every 1.5ms
  sendto u bo:7001 "text"
  request u bo:7001 20 x 3
  arq send u bo:7001 go-back-n window 35 timeout 41.2ms frames 1000 size 1500
  arq send u bo:7001 stop-and-wait timeout 41.2ms frames 10 size 1500
at 2s kill bo
at 3s link ana loss 10%
at 4s slow eve 20ms
`

// What Text writes is read back as the same, and so is its JSON.
func TestTextSurvives(t *testing.T) {
	want, err := ParseText(whole)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(want.Programs[2].Do); n != 10 || len(want.Programs) != 4 || len(want.Hosts) != 2 || len(want.Faults) != 3 {
		t.Errorf("%d statements of ana, %d programs, %d hosts, %d faults", n, len(want.Programs), len(want.Hosts), len(want.Faults))
	}
	again, err := ParseText(want.Text())
	if err != nil {
		t.Fatalf("its own text: %v\n%s", err, want.Text())
	}
	if d := cmp.Diff(want, again); d != "" {
		t.Errorf("read back from its text: %s", d)
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	again, err = Read(strings.NewReader(string(b)))
	if err != nil {
		t.Fatalf("its own JSON: %v\n%s", err, b)
	}
	if d := cmp.Diff(want, again); d != "" {
		t.Errorf("read back from JSON: %s", d)
	}
}

// Recorded are those whose link does something or will; else the first.
func TestTextRecords(t *testing.T) {
	for text, want := range map[string][]string{
		"host a\n  link delay 1ms\nhost b":            {"a"},
		"host a\nhost b":                              {"a"},
		"host a\nhost b\nat 1s cut b":                 {"b"},
		"host a\nhost b\n  up loss 1%\nrecord a":      {"a"},
		"host a\n  up loss 1%\nrecord none":           nil,
		"member a over udp\nhost b\n  up delay 1ms":   {"b"},
		"member a over udp\n  up delay 1ms\nhost b\n": {"a"},
	} {
		s, err := ParseText(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if d := cmp.Diff(want, s.Record); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
}

// A mistake is told with its line, and what was expected.
func TestTextErrors(t *testing.T) {
	host := "host ana\nhost bo\n"
	for _, tt := range []struct {
		text string
		line int
		want string
	}{
		{"", 0, "or hosts"},
		{"  wait 1s", 1, "stands under nothing"},
		{"hots ana", 1, `"hots" is unknown: want one of seed`},
		{"seed seven", 1, "want a number from 0"},
		{"seed 1\n\n\nquiet soon", 4, `"soon": want how long, such as quiet 5s`},
		{"seed 1\n  wait 1s", 2, `nothing can stand under "seed"`},
		{"host ana\n  up loss 120%", 2, "want 0% to 100%"},
		{"host ana\n  mtu 100", 2, "1280 to 65535"},
		{"host ana\n  mtu 1500 1500", 2, "one word too many"},
		{"host ana\n  fast", 2, `"fast" is unknown here: want one of up`},
		{"host ana\n  send-buffer many", 2, "such as send-buffer 64KiB"},
		{"host ana\nhost ana", 0, `two hosts are named "ana"`},
		{host + "run cy\n", 0, "no host is named so, want one of ana, bo"},
		{host + "run ana\n  listen", 4, "want a port"},
		{host + "run ana\n  listen 7000", 4, `want "as", such as "listen 7000 as a"`},
		{host + "run ana\n  listen 70000 as a", 4, "1 to 65535"},
		{host + "run ana\n  connect bo as c", 4, "want HOST:PORT, such as bo:7000"},
		{host + "run ana\n  connect cy:7000 as c", 4, `no host is named "cy"`},
		{host + "run ana\n  wait 1s\n  send c 100", 5, `nothing opens a socket "c"`},
		{host + "run ana\n  wait", 4, "want how long, such as wait 10ms"},
		{host + "run ana\n  wait 10", 4, `"10": want how long`},
		{host + "run ana\n  dance", 4, `"dance" is unknown: want one of wait`},
		{host + "run ana\n  connect bo:1 as c\n  send c 100 y 5", 5, `"y": want one of x, every, until`},
		{host + "run ana\n  connect bo:1 as c\n  send c 100 x 0", 5, "1 to 100000"},
		{host + "run ana\n  connect bo:1 as c\n  send c 100 x 5 x 5", 5, `"x" is there twice`},
		{host + "run ana\n  connect bo:1 as c\n  send c 1.5", 5, "such as 1000 or 64KiB"},
		{host + "run ana\n  connect bo:1 as c\n  send c 1MB x 1000", 5, "want at most"},
		{host + "run ana\n  connect bo:1 as c\n  send c \"open", 5, "want a text in quotes"},
		{host + "run ana\n  udp 1 as s\n  arq send s bo:1 round-robin", 5, "want stop-and-wait, go-back-n or selective-repeat"},
		{host + "run ana\n  udp 1 as s\n  arq send s bo:1 go-back-n timeout 1s frames 5 size 1500", 5, "want a window"},
		{host + "at 2s shoot bo", 3, `"shoot" is unknown`},
		{host + "at 2s kill cy", 3, `no host is named "cy"`},
		{host + "record cy", 0, `record "cy"`},
		{host + "states maybe", 3, "want on or off"},
		{"member eve\n", 1, "want member NAME over TRANSPORT"},
	} {
		_, err := ParseText(tt.text)
		var at *TextError
		if !errors.As(err, &at) || at.Line != tt.line || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ParseText(%q) = %v, want line %d and %q", tt.text, err, tt.line, tt.want)
		}
	}
}

// FuzzText: the text of what was parsed parses to the same, and its JSON, too.
func FuzzText(f *testing.F) {
	f.Add(whole)
	f.Add("host a;link delay 1ms\nrun a;udp 1 as s;receive s until 1s")
	f.Add("host a\nrun a\n  note # x")
	f.Add("host a\nrun a\n\tlisten 1 as l;accept l as \"c\"")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseText(text)
		if err != nil {
			return
		}
		again, err := ParseText(s.Text())
		if err != nil {
			t.Fatalf("ParseText(%q); its text %q: %v", text, s.Text(), err)
		}
		if d := cmp.Diff(s, again); d != "" {
			t.Errorf("ParseText(%q); its text %q: %s", text, s.Text(), d)
		}
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Read(strings.NewReader(string(b))); err != nil {
			t.Errorf("its JSON %s: %v", b, err)
		}
	})
}

package check

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"wirelab/labs/check/script"
)

// stage parses a conversation.
func stage(t testing.TB, head, text string) *script.Stage {
	t.Helper()
	s, err := script.Parse(1, "the stage", head+"\n\n"+text, 1)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// judge checks one of the test programs. A machine that is too busy to judge them
// says nothing about the checker.
func judge(t testing.TB, s *script.Stage, args ...string) (*Result, *Failure) {
	t.Helper()
	cfg := Config{Lab: "test", Stages: []*script.Stage{s}, Args: append([]string{os.Args[0], "program"}, args...), Seed: 7}
	if args[0] == "deaf" {
		cfg.Ready = 700 * time.Millisecond
	}
	for range 3 {
		cfg.Dir = t.TempDir()
		r, err := Check(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		gone(t, cfg.Dir)
		if _, f := r.Failure(); r.Kind() != Unjudged {
			return r, f
		}
	}
	t.Skip("this machine is too busy")
	return nil, nil
}

// gone checks that none of the children that programs noted runs any more. Who
// has to bury them may take a moment.
func gone(t testing.TB, dir string) {
	t.Helper()
	b, _ := os.ReadFile(filepath.Join(dir, "child"))
	for _, word := range strings.Fields(string(b)) {
		pid, _ := strconv.Atoi(word)
		for end := time.Now().Add(3 * time.Second); running(pid); runtime.Gosched() {
			if time.Now().After(end) {
				t.Errorf("process %d still runs", pid)
				break
			}
		}
	}
}

const hello = "open a\na > \"hello\\n\"\na < \"hello\\n\"\na close"

// Each way in which a program fails has a verdict of its own.
func TestVerdicts(t *testing.T) {
	for _, tt := range []struct {
		program, text string
		want          Kind
		words         string
	}{
		{"echo", hello, Passed, ""},
		{"stubborn", hello, Passed, ""},
		{"child", hello, Passed, ""},
		{"exits", hello, Exited, "exit status 3"},
		{"deaf", hello, NotListening, "after 700ms"},
		{"floods", hello, Flooded, "1 MiB"},
		{"daemon", hello, LeftChildren, "has ended by itself"},
		{"stray", hello, LeftChildren, "outside of its process group"},
		{"orphan", hello, LeftChildren, "outside of its process group"},
		{"silent", hello, NeverAnswers, "a: nothing came"},
		{"short", hello, NeverAnswers, "4 of 6 bytes came"},
		{"capitals", hello, WrongBytes, "byte 1 is wrong"},
		{"talks", hello[:len(hello)-len("\na close")], WrongBytes, "nobody expected"},
		{"late", "open a\na > \"x\"\na < \"x\" within 100ms", TooLate, "within 100ms"},
		{"greets", "open a\nsilence a 200ms", TooEarly, "nothing may come"},
		{"echo", "open a\na > \"x\"\na < \"x\" after 100ms within 1s", TooEarly, "must not come before 100ms"},
		{"late", "open a\na > \"x\"\na < \"x\" after 100ms within 1s", Passed, ""},
		{"hangs-up", hello, HangsUp, "(FIN)"},
		{"resets", hello, HangsUp, "(RST)"},
		{"crashes", hello, Exited, "exit status 2"},
		{"one-client", "open a\na > \"x\"\na < \"x\"\nopen b", Refuses, "go on accepting"},
		{"open", "open a\na shutdown\na eof within 200ms", NotClosed, "still open after 200ms"},
		{"echo", "open a\na > \"x\"\na < \"x\"\na shutdown\na eof", Passed, ""},
		{"talks", "open a\na > \"x\"\na < \"x\"\na eof", WrongBytes, "has to end the connection"},
		{"echo", "open a b\nb > \"ab\"*3 + 0a\nb <~ `(?P<all>(ab)+)`\na > \"${all}!\"\na < \"ababab!\"\nb >cut 1 \"xyz\" \"é\"\nb < 78 79 7a c3 a9", Passed, ""},
		{"echo", "open a\na > \"b\\n\" \"a\\n\"\na <any \"a\\n\" \"b\\n\"", Passed, ""},
		{"echo", "open a\na > \"b\\nc\\n\"\na <any \"a\\n\" \"b\\n\"", WrongBytes, "none of those"},
		{"echo", "open a\na > \"no\\n\"\na <~ `yes`", WrongBytes, "does not match"},
		{"echo", "open a\na > bytes*300000\na < bytes*300000\na > random*70000\na < random*70000", Passed, ""},
		{"store", "open a\na > \"put me\"\na <~ `OK (?P<n>[0-9]+)`\nkill\nrestart\nopen a\na > \"get\"\na < \"kept me\"\nopen b\nb > \"put ${n}\"\nb < \"OK 12\\n\"", Passed, ""},
		{"halts", "open a\na > letters*100\na < letters*100\na > \"halt\"\na > \"x\"*20000000\na < \"x\"", NeverAnswers, "does not read on"},
	} {
		if runtime.GOOS == "windows" && (tt.program == "stray" || tt.program == "orphan") {
			continue // a job object cannot be left
		}
		if runtime.GOOS != "linux" && tt.program == "orphan" {
			continue // see package process
		}
		t.Run(tt.program, func(t *testing.T) {
			t.Parallel()
			r, f := judge(t, stage(t, "transport: tcp\nhint: look here", tt.text), tt.program)
			if r.Kind() != tt.want {
				t.Fatalf("%s: %v (%v), want %s", tt.program, r.Kind(), f, tt.want)
			}
			if f != nil && !strings.Contains(f.What, tt.words) {
				t.Errorf("%s: %q, want %q in it", tt.program, f.What, tt.words)
			}
		})
	}
}

func TestVerdictsUDP(t *testing.T) {
	for _, tt := range []struct {
		program, head, text string
		want                Kind
		words               string
	}{
		{"udp-echo", "", "open a b\na > \"x\" \"\"\nb > bytes*8000\na < \"x\" \"\"\nb < bytes*8000\nsilence a b 50ms", Passed, ""},
		{"udp-other-port", "", "open a\na > \"x\"\na < \"x\"", WrongBytes, "the socket that it listens on"},
		{"udp-cuts", "", "open a\na > letters*11\na < letters*11", WrongBytes, "ends after 10 of 11 bytes"},
		{"udp-echo", "link: delay 30ms", "open a\na > \"x\"\na < \"x\" after 55ms within 1s", Passed, ""},
		{"udp-echo", "up: drop 2", "open a\na > \"1\" \"2\" \"3\"\na < \"1\" \"3\"\nsilence a 50ms", Passed, ""},
		{"udp-echo", "", "open a\nlose a > \"DATA 1\"\ntwice a < \"DATA 2\"\na > \"DATA 1 x\" \"DATA 2 y\" \"DATA 1 x\"\na < \"DATA 2 y\" \"DATA 2 y\" \"DATA 1 x\"", Passed, ""},
		{"udp-echo", "", "open a\nlate a > \"1\" 100ms\na > \"1\" \"2\"\na < \"2\" \"1\"", Passed, ""},
		{"udp-echo", "up: delay 1 100ms", "open a\na > \"1\" \"2\"\na < \"1\" \"2\"", Passed, ""},
		{"udp-echo", "up: delay 1 100ms\nreorder: yes", "open a\na > \"1\" \"2\"\na < \"2\" \"1\"", Passed, ""},
	} {
		t.Run(tt.program, func(t *testing.T) {
			t.Parallel()
			r, f := judge(t, stage(t, strings.TrimSpace("transport: udp\n"+tt.head), tt.text), tt.program)
			if r.Kind() != tt.want {
				t.Fatalf("%s, %q: %v (%v), want %s", tt.program, tt.text, r.Kind(), f, tt.want)
			}
			if f != nil && !strings.Contains(f.What, tt.words) {
				t.Errorf("%s: %q, want %q in it", tt.program, f.What, tt.words)
			}
		})
	}
}

// A program that cannot be started is no crash of the checker.
func TestNotStarted(t *testing.T) {
	s := stage(t, "transport: tcp", hello)
	for _, name := range []string{"./no-such-program", "no-such-program-anywhere", os.TempDir()} {
		r, err := Check(t.Context(), Config{Stages: []*script.Stage{s}, Args: []string{name}})
		if err != nil || r.Kind() != NotStarted {
			t.Errorf("%s: %v, %v, want %s", name, r, err, NotStarted)
		}
	}
	if _, err := Check(t.Context(), Config{}); err == nil {
		t.Error("no program: no error")
	}
}

// A stage that fails ends the check; a stage's own limit ends the stage.
func TestStages(t *testing.T) {
	good := stage(t, "transport: tcp", hello)
	slow := stage(t, "transport: tcp\nlimit: 300ms", "open a\nsilence a 200ms\na < \"x\"")
	after := stage(t, "transport: tcp", hello)
	slow.Number, after.Number = 2, 3
	for _, tt := range []struct {
		last int
		want []Kind
	}{{0, []Kind{Passed, TooLate, NotRun}}, {1, []Kind{Passed}}} {
		r, err := Check(t.Context(), Config{Stages: []*script.Stage{good, slow, after}, Last: tt.last, Args: []string{os.Args[0], "program", "echo"}})
		if err != nil {
			t.Fatal(err)
		}
		var got []Kind
		for _, s := range r.Stages {
			got = append(got, s.Kind)
		}
		if len(got) != len(tt.want) || got[0] != tt.want[0] || len(got) > 1 && (got[1] != tt.want[1] || got[2] != tt.want[2]) {
			t.Errorf("last %d: %v, want %v", tt.last, got, tt.want)
		}
	}
}

// Who interrupts a check gets no verdict, and nothing runs on.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	s := stage(t, "transport: tcp", "open a\nsilence a 9s")
	began := time.Now()
	r, err := Check(ctx, Config{Stages: []*script.Stage{s}, Args: []string{os.Args[0], "program", "child"}, Dir: dir, Event: func(e Event) {
		go func() {
			// It has started when it has noted its child.
			for ctx.Err() == nil {
				if b, _ := os.ReadFile(filepath.Join(dir, "child")); len(b) > 0 {
					cancel()
				}
				time.Sleep(time.Millisecond)
			}
		}()
	}})
	if r != nil || err == nil {
		t.Errorf("Check = %v, %v, want an error", r, err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v to end", took)
	}
	gone(t, dir)
}

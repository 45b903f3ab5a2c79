package process

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"wirelab/internal/leak"
)

// The test binary is also the programs that are run: called with "program NAME"
// it is one of them.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "program" {
		program(os.Args[2])
		os.Exit(0)
	}
	leak.Main(m)
}

func program(name string) {
	switch name {
	case "talk":
		fmt.Println("out", os.Getenv("WORD"))
		fmt.Fprintln(os.Stderr, "err")
		os.Exit(3)
	case "flood":
		for {
			os.Stdout.Write(bytes.Repeat([]byte("x"), 4096))
		}
	case "sleep":
		time.Sleep(time.Hour)
	case "tree": // three generations, all of which sleep
		spawn("branch")
		time.Sleep(time.Hour)
	case "branch":
		spawn("sleep")
		time.Sleep(time.Hour)
	case "leaves": // ends, its child does not
		spawn("sleep")
	default:
		leaver(name)
	}
}

// spawn starts this binary as another program and tells its number.
func spawn(name string, change ...func(*exec.Cmd)) {
	cmd := exec.Command(os.Args[0], "program", name)
	cmd.Stdout = os.Stdout
	for _, fn := range change {
		fn(cmd)
	}
	if err := cmd.Start(); err != nil {
		fmt.Println(err)
		os.Exit(9)
	}
	fmt.Println("child", cmd.Process.Pid)
}

func start(t *testing.T, name string, cfg Config) *Process {
	t.Helper()
	cfg.Args = []string{os.Args[0], "program", name}
	p, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.End() })
	return p
}

// children waits until a program has told of n children, and returns them.
func children(t *testing.T, p *Process, n int) []int {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		var all []int
		for line := range strings.Lines(string(p.Output())) {
			if word, ok := strings.CutPrefix(strings.TrimSpace(line), "child "); ok {
				pid, _ := strconv.Atoi(word)
				all = append(all, pid)
			}
		}
		if len(all) >= n {
			return all
		}
		if time.Now().After(end) {
			t.Fatalf("%d children, want %d; output %q", len(all), n, p.Output())
		}
	}
}

// dead checks that none of them runs. Who has to bury them may take a moment.
func dead(t *testing.T, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		for end := time.Now().Add(5 * time.Second); running(pid); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Errorf("process %d still runs", pid)
				break
			}
		}
	}
}

func TestOutputAndStatus(t *testing.T) {
	p := start(t, "talk", Config{Env: []string{"WORD=here"}})
	if s := p.Status(); s != "" && s != "exit status 3" {
		t.Errorf("Status = %q", s)
	}
	<-p.Exited()
	p.Settle()
	if got := string(p.Output()); got != "out here\nerr\n" && got != "err\nout here\n" {
		t.Errorf("Output = %q", got)
	}
	if s := p.Status(); s != "exit status 3" {
		t.Errorf("Status = %q, want exit status 3", s)
	}
	for range 2 {
		if left, err := p.End(); len(left) > 0 || err != nil {
			t.Errorf("End = %v, %v, want nothing left", left, err)
		}
	}
}

func TestFloodIsCapped(t *testing.T) {
	p := start(t, "flood", Config{Cap: 10_000})
	<-p.Flooded()
	if left, err := p.End(); len(left) > 0 || err != nil {
		t.Errorf("End = %v, %v", left, err)
	}
	if n := len(p.Output()); n != 10_000 {
		t.Errorf("%d bytes are kept, want 10000", n)
	}
}

// A tree that stays in its group ends as a whole, and is nobody's fault.
func TestTreeEnds(t *testing.T) {
	p := start(t, "tree", Config{})
	pids := children(t, p, 2)
	if left, err := p.End(); len(left) > 0 || err != nil {
		t.Errorf("End = %v, %v, want nothing left", left, err)
	}
	dead(t, append(pids, p.PID())...)
}

// A program that ends while its child runs has left it behind.
func TestLeftInGroup(t *testing.T) {
	p := start(t, "leaves", Config{})
	pids := children(t, p, 1)
	<-p.Exited()
	left, err := p.End()
	if err != nil || len(left) != 1 || left[0].PID != 0 && left[0].PID != pids[0] {
		t.Errorf("End = %v, %v, want process %d", left, err, pids[0])
	}
	dead(t, pids...)
}

func TestStartFails(t *testing.T) {
	for _, args := range [][]string{nil, {""}, {"./no-such-program"}, {"no-such-program-anywhere"}, {os.TempDir()}} {
		if p, err := Start(Config{Args: args}); err == nil {
			p.End()
			t.Errorf("Start(%q) succeeded", args)
		}
	}
}

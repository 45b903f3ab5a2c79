package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"wirelab": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("NO_COLOR", "1")
			env.Setenv("WIRELAB_KEY", "")
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			env.Setenv("HOME", env.WorkDir)
			env.Values["procs"] = map[string]*process{}
			// Runs of wirelab compare --fault loss-10 --messages 8.
			if err := os.CopyFS(env.WorkDir, os.DirFS(filepath.Join("testdata", "captures"))); err != nil {
				return err
			}
			env.Defer(func() {
				for _, p := range env.Values["procs"].(map[string]*process) {
					p.kill()
				}
			})
			return nil
		},
		Condition: condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"freeport": freePort,
			"start":    start,
			"type":     typeLine,
			"expect":   expect,
			"hangup":   hangUp,
			"signal":   signalProcess,
			"ended":    ended,
		},
		RequireExplicitExec: true,
	})
}

// condition knows [nc]: a netcat that takes -u. Where the tools have to be
// there, one that is missing fails.
func condition(cond string) (bool, error) {
	switch cond {
	case "nc":
		_, err := exec.LookPath("nc")
		if err != nil && os.Getenv("WIRELAB_TEST_TOOLS") != "" {
			return false, err
		}
		return err == nil, nil
	}
	return false, fmt.Errorf("unknown condition %q", cond)
}

// freePort NAME sets NAME to a port that nobody listens on, TCP or UDP.
func freePort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: freeport NAME")
	}
	addr, err := findAddress()
	ts.Check(err)
	_, port, _ := net.SplitHostPort(addr)
	ts.Setenv(args[0], port)
}

// A process is a program of a script that runs on beside it.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
	seen  []string
	done  chan error
}

func (p *process) kill() {
	p.in.Close()
	p.cmd.Process.Kill()
	<-p.done
}

func processes(ts *testscript.TestScript) map[string]*process {
	return ts.Value("procs").(map[string]*process)
}

func named(ts *testscript.TestScript, args []string, least int, usage string) *process {
	if len(args) < least {
		ts.Fatalf("usage: %s", usage)
	}
	p := processes(ts)[args[0]]
	if p == nil {
		ts.Fatalf("no process %q: start it", args[0])
	}
	return p
}

// start NAME PROGRAM ARGS... runs a program beside the script; its stdout and
// stderr are for expect.
func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start NAME PROGRAM ARGS...")
	}
	path := args[1]
	if !strings.Contains(path, "/") {
		for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
			if f := filepath.Join(dir, path); fileExists(f) {
				path = f
				break
			}
		}
	}
	cmd := exec.Command(path, args[2:]...)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "WIRELAB_KEY=", "HOME="+ts.Getenv("HOME"),
		"XDG_CONFIG_HOME="+ts.Getenv("XDG_CONFIG_HOME"), "PATH="+ts.Getenv("PATH"))
	in, err := cmd.StdinPipe()
	ts.Check(err)
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	ts.Check(cmd.Start())
	p := &process{cmd: cmd, in: in, lines: make(chan string, 10_000), done: make(chan error, 1)}
	go func() {
		s := bufio.NewScanner(r)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			p.lines <- s.Text()
		}
		close(p.lines)
	}()
	go func() {
		err := cmd.Wait()
		w.Close()
		p.done <- err
		close(p.done)
	}()
	processes(ts)[args[0]] = p
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// type NAME LINE writes a line to the program's stdin.
func typeLine(ts *testscript.TestScript, neg bool, args []string) {
	p := named(ts, args, 2, "type NAME LINE")
	_, err := io.WriteString(p.in, strings.Join(args[1:], " ")+"\n")
	ts.Check(err)
}

// expect NAME TEXT waits for a line that has the text; ! expect NAME TEXT says
// that no line up to here had it.
func expect(ts *testscript.TestScript, neg bool, args []string) {
	p := named(ts, args, 2, "expect NAME TEXT")
	text := strings.Join(args[1:], " ")
	if neg {
		for _, line := range p.seen {
			if strings.Contains(line, text) {
				ts.Fatalf("%s said %q", args[0], line)
			}
		}
		return
	}
	limit := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				ts.Fatalf("%s ended without %q; it said:\n%s", args[0], text, strings.Join(p.seen, "\n"))
			}
			p.seen = append(p.seen, line)
			if strings.Contains(line, text) {
				return
			}
		case <-limit:
			ts.Fatalf("%s did not say %q; it said:\n%s", args[0], text, strings.Join(p.seen, "\n"))
		}
	}
}

// hangup NAME closes the program's stdin.
func hangUp(ts *testscript.TestScript, neg bool, args []string) {
	named(ts, args, 1, "hangup NAME").in.Close()
}

// signal NAME KILL|INT|TERM sends a signal.
func signalProcess(ts *testscript.TestScript, neg bool, args []string) {
	p := named(ts, args, 2, "signal NAME KILL|INT|TERM")
	sig := map[string]os.Signal{"KILL": os.Kill, "INT": os.Interrupt, "TERM": syscall.SIGTERM}[args[1]]
	ts.Check(p.cmd.Process.Signal(sig))
}

// ended NAME [CODE] waits for the program's end with that exit code.
func ended(ts *testscript.TestScript, neg bool, args []string) {
	p := named(ts, args, 1, "ended NAME [CODE]")
	select {
	case err, ok := <-p.done:
		if ok && err != nil {
			if _, exit := err.(*exec.ExitError); !exit {
				ts.Fatalf("%s: %v", args[0], err)
			}
		}
	case <-time.After(20 * time.Second):
		ts.Fatalf("%s did not end", args[0])
	}
	for line := range p.lines {
		p.seen = append(p.seen, line)
	}
	if len(args) > 1 {
		if got := fmt.Sprint(p.cmd.ProcessState.ExitCode()); got != args[1] {
			ts.Fatalf("%s ended with exit code %s, want %s; it said:\n%s", args[0], got, args[1], strings.Join(p.seen, "\n"))
		}
	}
	delete(processes(ts), args[0])
}

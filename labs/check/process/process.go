// Package process runs a program that may misbehave: it may end early, flood its
// output, ignore signals, start others and leave them behind. Whatever it does,
// after End nothing of it runs.
//
// The program gets a process group of its own (on Windows a job object), so a
// Ctrl+C in the terminal does not reach it. Its standard input is empty; standard
// output and standard error are kept together, up to a bound. On Linux it is also
// killed when this process dies.
//
// What has left the group is found on Linux and macOS among the descendants, and
// on Linux, when its parents are gone, by a mark in its environment. A process
// that has no parent any more and has emptied its environment escapes; so does,
// on macOS, one without a parent. On Windows none does.
package process

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// A Config says what to run.
type Config struct {
	Args []string // the program and its arguments
	Dir  string   // where it runs; if empty, here
	Env  []string // KEY=VALUE, added to ours
	Cap  int      // bytes of output that are kept; more is a flood. If zero, 1 MiB
}

const defaultCap = 1 << 20

// mark is the variable by which a process is known as one of ours.
const mark = "WIRELAB_CHECK"

// Bounds of End.
const (
	dieTime = 5 * time.Second // for the system to bury what was killed
	pause   = 2 * time.Millisecond
	rounds  = 20 // of looking for what is left
)

// A Process is a program that was started. Its methods are safe for concurrent
// use.
type Process struct {
	cmd    *exec.Cmd
	group  group
	id     string // MARK=…, in its environment
	exited chan struct{}
	err    error // of Wait, once exited is closed
	output output
	read   chan struct{} // closed when the output is over
	pipe   *os.File

	end  sync.Once
	left []Left
}

// A Left is a process that the program left behind.
type Left struct {
	PID     int    // 0: not known
	Command string // empty: not known
}

func (l Left) String() string {
	switch {
	case l.PID == 0:
		return "a process"
	case l.Command == "":
		return fmt.Sprintf("process %d", l.PID)
	}
	return fmt.Sprintf("process %d (%s)", l.PID, l.Command)
}

// Start runs a program. Call End in any case.
func Start(cfg Config) (*Process, error) {
	if len(cfg.Args) == 0 {
		return nil, errors.New("no program to start")
	}
	if cfg.Cap <= 0 {
		cfg.Cap = defaultCap
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p := &Process{cmd: exec.Command(cfg.Args[0], cfg.Args[1:]...), exited: make(chan struct{}), read: make(chan struct{}), pipe: r,
		output: output{most: cfg.Cap, flooded: make(chan struct{})}, id: mark + "=" + rand.Text()}
	p.cmd.Dir = cfg.Dir
	p.cmd.Env = append(append(os.Environ(), cfg.Env...), p.id)
	p.cmd.Stdout, p.cmd.Stderr = w, w
	p.cmd.SysProcAttr = attributes()
	started := make(chan error, 1)
	go func() {
		// The kernel kills the program when the thread ends that has started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		if err == nil {
			err = p.group.take(p.cmd.Process)
		}
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.exited)
		}
	}()
	err = <-started
	w.Close()
	if err != nil {
		r.Close()
		if p.cmd.Process != nil {
			p.cmd.Process.Kill()
			p.cmd.Wait()
		}
		return nil, err
	}
	go func() {
		defer close(p.read)
		io.Copy(&p.output, r)
	}()
	return p, nil
}

// PID returns the program's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed when the program has ended, by itself or by End.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Flooded is closed when the program has written more than Config.Cap.
func (p *Process) Flooded() <-chan struct{} { return p.output.flooded }

// Status says how the program ended, such as "exit status 1"; it is empty as
// long as the program runs.
func (p *Process) Status() string {
	select {
	case <-p.exited:
		return p.cmd.ProcessState.String()
	default:
		return ""
	}
}

// Output returns what the program has written so far, up to Config.Cap.
func (p *Process) Output() []byte { return p.output.bytes() }

// Starved returns how long the program wanted to run and did not get a processor
// so far, where the system tells (Linux), else 0.
func (p *Process) Starved() time.Duration { return p.group.starved() }

// Settle waits a little for what an ended program wrote last.
func (p *Process) Settle() {
	select {
	case <-p.read:
	case <-time.After(100 * time.Millisecond):
	}
}

// End kills the program and all that it has started, and returns those that had
// outlived it or had left its group: they would run on. It returns after all of
// them are dead; the error says what is not.
func (p *Process) End() ([]Left, error) {
	var err error
	p.end.Do(func() { p.left, err = p.kill() })
	return p.left, err
}

func (p *Process) kill() ([]Left, error) {
	var left []Left
	early := p.Status() != ""
	outside := p.group.outside(p.PID())
	if early {
		left = p.group.members()
	}
	p.group.kill(p.cmd.Process)
	select {
	case <-p.exited:
	case <-time.After(dieTime):
		return left, fmt.Errorf("process %d does not die", p.PID())
	}
	for end := time.Now().Add(dieTime); p.group.alive(); time.Sleep(pause) {
		if time.Now().After(end) {
			return left, fmt.Errorf("the group of process %d does not die", p.PID())
		}
	}
	seen := map[int]bool{}
	for round := 0; ; round++ {
		strays := p.group.strays(p.id, outside)
		if len(strays) == 0 {
			break
		}
		if round == rounds {
			return left, fmt.Errorf("%v does not die", strays[0])
		}
		for _, s := range strays {
			if !seen[s.PID] {
				seen[s.PID] = true
				left = append(left, s)
			}
			killOne(s.PID)
		}
		time.Sleep(pause)
	}
	p.group.release()
	p.pipe.SetReadDeadline(time.Now().Add(time.Second)) // in case that something unseen holds it
	select {
	case <-p.read:
	case <-time.After(2 * time.Second):
	}
	p.pipe.Close()
	<-p.read
	return left, nil
}

// output keeps the first bytes that are written to it.
type output struct {
	mu      sync.Mutex
	kept    bytes.Buffer
	most    int
	over    bool
	flooded chan struct{}
}

// Write never fails: a program may go on writing.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	room := o.most - o.kept.Len()
	o.kept.Write(b[:min(len(b), room)])
	if len(b) > room && !o.over {
		o.over = true
		close(o.flooded)
	}
	return len(b), nil
}

func (o *output) bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.kept.Bytes())
}

//go:build unix

package process

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// running reports whether pid runs; one that is dead and not buried yet does not.
func running(pid int) bool {
	list, ok := processes()
	if !ok {
		return syscall.Kill(pid, 0) == nil
	}
	return slices.ContainsFunc(list, func(e entry) bool { return e.pid == pid && !e.dead })
}

func session(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// leaver is a program that only Unix has.
func leaver(name string) {
	switch name {
	case "setsid":
		spawn("sleep", session)
	case "orphan": // its child's child has no parent any more
		spawn("middle", session)
	case "middle":
		spawn("sleep")
		return
	case "nomark": // empties the environment
		spawn("sleep", session, func(c *exec.Cmd) { c.Env = []string{"A=B"} })
	case "starter": // runs a program with this package, and waits to be killed
		p, err := Start(Config{Args: []string{os.Args[0], "program", "sleep"}})
		if err != nil {
			os.Exit(9)
		}
		fmt.Println("child", p.PID())
	}
	time.Sleep(time.Hour)
}

// What has left the group is found, killed and named.
func TestLeavers(t *testing.T) {
	for _, tt := range []struct {
		name     string
		children int
		os       string // that it can be found on; empty: all that list processes
	}{
		{"setsid", 1, ""},
		{"orphan", 2, "linux"},
		{"nomark", 1, ""},
	} {
		if runtime.GOOS != "linux" && (runtime.GOOS != "darwin" || tt.os != "") {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			p := start(t, tt.name, Config{})
			pids := children(t, p, tt.children)
			last := pids[len(pids)-1]
			left, err := p.End()
			if err != nil || !slices.ContainsFunc(left, func(l Left) bool { return l.PID == last && strings.Contains(l.String(), "program sleep") }) {
				t.Errorf("End = %v, %v, want process %d", left, err, last)
			}
			dead(t, pids...)
		})
	}
}

// On Linux a program dies with the one that started it, however that ended.
func TestDiesWithUs(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a child of its parent's death")
	}
	p := start(t, "starter", Config{})
	pids := children(t, p, 1)
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	dead(t, pids...)
}

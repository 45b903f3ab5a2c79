package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A log gets nothing of work within a second, then a line at intervals.
func TestProgressInALog(t *testing.T) {
	for _, tt := range []struct {
		lasts time.Duration
		want  string
	}{
		{900 * time.Millisecond, ""},
		{1500 * time.Millisecond, "wirelab: running: 1 s\n"},
		{7 * time.Second, "wirelab: running: 1 s\nwirelab: 3 of 80 runs, loss-10 over tcp: 6 s\n"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var b bytes.Buffer
			p := startProgress(&b)
			p.running(0, 0, "")
			time.AfterFunc(3*time.Second, func() { p.running(3, 80, "loss-10 over tcp") })
			time.Sleep(tt.lasts)
			p.stop()
			p.stop()
			if b.String() != tt.want {
				t.Errorf("after %v: %q, want %q", tt.lasts, b.String(), tt.want)
			}
		})
	}
}

// While the guest is compiled something is said, which is no reproach: it is
// done once.
func TestProgressOfCompiling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := startProgress(&b)
		for i := range 10 {
			time.Sleep(250 * time.Millisecond)
			p.compiling(time.Duration(i+1) * 250 * time.Millisecond)
		}
		p.warn(errors.New("no cache\n\x1b[2J"))
		p.stop()
		if want := "wirelab: compiling the lab guest for this machine, once: 1 s\nwirelab: no cache\n  ␛[2J\n"; b.String() != want {
			t.Errorf("%q, want %q", b.String(), want)
		}
	})
}

// The line on a terminal is drawn again and again in its place, and is gone at
// the end.
func TestProgressOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := startProgress(&b)
		p.terminal = true
		p.running(0, 0, "")
		p.running(3, 80, strings.Repeat("long ", 30))
		time.Sleep(time.Second + redrawEvery/2)
		p.stop()
		lines := strings.Split(b.String(), "\r\x1b[K")
		if len(lines) != 7 || lines[0] != "" || lines[6] != "" {
			t.Fatalf("%d lines: %q", len(lines), b.String())
		}
		for _, line := range lines {
			if strings.Contains(line, "\n") || len([]rune(line)) > 79 {
				t.Errorf("a line that breaks: %q", line)
			}
		}
	})
}

// Picture makes the README's picture: it runs a server and three members in
// tmux, types as people would, and draws what one of them then has on the
// screen. Nothing in it is drawn by hand.
package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"wirelab/internal/style/svg"
)

const (
	columns = 132
	rows    = 34
	wait    = 20 * time.Second // for anything to appear on a screen
)

func main() {
	if err := draw("bin/wirelab", "docs/session.svg"); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

// A stage is a tmux server of its own, with a session for each program.
type stage struct {
	socket string
	home   string
}

func (s *stage) tmux(args ...string) (string, error) {
	cmd := exec.Command("tmux", append([]string{"-L", s.socket, "-f", "/dev/null"}, args...)...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "COLORTERM=truecolor", "HOME="+s.home, "XDG_CONFIG_HOME="+s.home, "TZ=UTC")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("tmux %s: %w: %s", args[0], err, errs.String())
	}
	return string(out), nil
}

// run starts a program on a screen of its own.
func (s *stage) run(name string, argv ...string) error {
	_, err := s.tmux("new-session", "-d", "-s", name, "-x", fmt.Sprint(columns), "-y", fmt.Sprint(rows), strings.Join(argv, " "))
	return err
}

// await waits until the text is on the screen.
func (s *stage) await(name, text string) error {
	var screen string
	for end := time.Now().Add(wait); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var err error
		if screen, err = s.tmux("capture-pane", "-p", "-t", name); err != nil {
			return err
		}
		if strings.Contains(screen, text) {
			return nil
		}
	}
	return fmt.Errorf("%q is not on %s's screen:\n%s", text, name, screen)
}

// say types a line and waits until it shows on the screen of who hears it.
func (s *stage) say(name, line, heard, text string) error {
	if _, err := s.tmux("send-keys", "-t", name, "-l", line); err != nil {
		return err
	}
	if _, err := s.tmux("send-keys", "-t", name, "Enter"); err != nil {
		return err
	}
	return s.await(heard, text)
}

func draw(program, out string) error {
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	home, err := os.MkdirTemp("", "wirelab-picture")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := l.Addr().String()
	l.Close()
	s := &stage{socket: filepath.Base(home), home: home}
	defer s.tmux("kill-server")
	steps := []func() error{
		func() error { return s.run("server", program, "serve", "--listen", addr) },
		func() error { return s.await("server", addr) },
		func() error { return s.run("ana", program, "tcp", "chat", "--connect", addr, "--name", "ana") },
		func() error { return s.await("ana", "connected") },
		func() error {
			return s.run("bo", program, "udp", "chat", "--connect", addr, "--name", "bo", "--mode", "queue")
		},
		func() error { return s.await("ana", "bo joined") },
		func() error {
			return s.run("cy", program, "udp", "chat", "--connect", addr, "--name", "cy")
		},
		func() error { return s.await("ana", "cy joined") },
		func() error { return s.say("bo", "hello from a datagram", "ana", "hello from a datagram") },
		func() error { return s.say("ana", "and from a stream", "bo", "and from a stream") },
		func() error { return s.say("bo", "/offline", "ana", "bo is away") },
		func() error { return s.say("ana", "bo, you will miss this", "cy", "you will miss this") },
		func() error { return s.say("cy", "and this", "ana", "and this") },
		func() error { return s.say("bo", "/online", "bo", "and this") },
		func() error { return s.say("bo", "I got both", "ana", "I got both") },
		func() error { return s.say("ana", "/explain 3", "ana", "acked") },
		func() error { return s.say("ana", "/xray", "ana", "x-ray") },
		func() error { return s.say("cy", "look at my bytes", "ana", "look at my bytes") },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	screen, err := s.tmux("capture-pane", "-e", "-p", "-t", "ana")
	if err != nil {
		return err
	}
	return os.WriteFile(out, svg.Screen(screen, "wirelab tcp chat --name ana", columns, rows), 0o644)
}

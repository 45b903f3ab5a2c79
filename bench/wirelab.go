//go:build linux

package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// buildWirelab builds the program under test into dir.
func buildWirelab(dir string) (string, error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "wirelab").Output()
	if err != nil {
		return "", fmt.Errorf("find wirelab's source: %w (run this in its bench folder)", err)
	}
	path := filepath.Join(dir, "wirelab")
	build := exec.Command("go", "build", "-trimpath", "-o", path, "./cmd/wirelab")
	build.Dir = strings.TrimSpace(string(root))
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build wirelab: %w\n%s", err, out)
	}
	return path, nil
}

// startWirelab starts the real program as a server on TCP and UDP, with args
// besides. Only the limit on events of one connection is off: it is made for
// people, not for this.
func (b *bench) startWirelab(args ...string) (*server, error) {
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	args = append([]string{"serve", "--plain", "--rate", "-1", "--listen", addr.String()}, args...)
	s, err := start(command(b.Wirelab, args...))
	if err != nil {
		return nil, err
	}
	s.Addr = addr
	return s, s.await()
}

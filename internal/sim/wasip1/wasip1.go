// Package wasip1 compiles Go programs for WebAssembly's system interface, with
// the go tool of this machine. The product runs what was compiled before; this
// is for the build and for tests.
package wasip1

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build compiles the main package at path, an import path or a folder that
// begins with ./, seen from the folder dir (if empty, the working one). The same
// sources give the same bytes with the same Go version. The error holds what the
// compiler said.
func Build(ctx context.Context, dir, path string) ([]byte, error) {
	tmp, err := os.MkdirTemp("", "wirelab-wasip1-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	out := filepath.Join(tmp, "guest.wasm")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, path)
	cmd.Dir = dir
	// What could change the bytes from one machine to the next is fixed.
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOWASM=", "CGO_ENABLED=0", "GOFLAGS=")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("go build %s: %w\n%s", path, err, bytes.TrimSpace(said.Bytes()))
	}
	return os.ReadFile(out)
}

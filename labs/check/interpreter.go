package check

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// direct returns args with the interpreter itself in place of what stands before
// it: the "python3" of a version manager is a script that looks for the right
// version, and takes longer at each start than most programs run here. It is asked
// once. Whatever else is called stays as it is.
func direct(ctx context.Context, args []string, dir string) []string {
	name := strings.TrimSuffix(filepath.Base(args[0]), ".exe")
	if rest, ok := strings.CutPrefix(name, "python"); !ok || strings.Trim(rest, "0123456789.") != "" {
		return args
	}
	path, err := exec.LookPath(args[0])
	if err != nil || !isScript(path) {
		return args
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], "-c", "import sys; print(sys.executable)")
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	out, err := cmd.Output()
	path = strings.TrimSpace(string(out))
	if err != nil || !filepath.IsAbs(path) {
		return args
	}
	if _, err := os.Stat(path); err != nil {
		return args
	}
	return append([]string{path}, args[1:]...)
}

// isScript reports whether a file begins as scripts do.
func isScript(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var b [2]byte
	_, err = io.ReadFull(f, b[:])
	return err == nil && string(b[:]) == "#!"
}

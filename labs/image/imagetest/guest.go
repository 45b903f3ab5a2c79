// Package imagetest builds the guest for tests, from the sources as they are:
// they need no `make build`, and never see an old guest.
package imagetest

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"wirelab/internal/sim/wasip1"
)

// stat looks at every source file of the module. The go tool remembers what a
// passing test looked at, and so runs it again when the guest has changed, which
// the test's own imports do not show.
func stat() error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(root)
		if up == root {
			return nil // not in the module: nothing to look at
		}
		root = up
	}
	for _, dir := range []string{"internal", "labs", "tcpchat", "udpchat"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") {
				_, err = os.Stat(path)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// build runs at most once per test binary.
var build = sync.OnceValues(func() ([]byte, error) {
	if err := stat(); err != nil {
		return nil, err
	}
	return wasip1.Build(context.Background(), "", "wirelab/labs/guest")
})

// Build returns the guest as WebAssembly. It is for TestMain and examples; tests
// ask Guest. Nobody must change the bytes: every caller gets the same.
func Build() ([]byte, error) { return build() }

// Guest returns what Build does. It fails tb if the guest does not build.
func Guest(tb testing.TB) []byte {
	tb.Helper()
	wasm, err := build()
	if err != nil {
		tb.Fatal(err)
	}
	return wasm
}

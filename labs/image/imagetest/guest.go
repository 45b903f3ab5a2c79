// Package imagetest builds the guest for tests, from the sources as they are:
// they need no `make build`, and never see an old guest.
package imagetest

import (
	"context"
	"sync"
	"testing"

	"wirelab/internal/sim/wasip1"
)

// build runs at most once per test binary.
var build = sync.OnceValues(func() ([]byte, error) {
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

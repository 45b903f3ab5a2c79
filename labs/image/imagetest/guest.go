// Package imagetest builds the guest for tests, from the sources as they are:
// they need no `make build`, and never see an old guest.
package imagetest

import (
	"context"
	"sync"
	"testing"

	"wirelab/internal/sim/wasip1"
)

// guest is built at most once per test binary.
var guest = sync.OnceValues(func() ([]byte, error) {
	return wasip1.Build(context.Background(), "", "wirelab/labs/guest")
})

// Guest returns the guest as WebAssembly. It fails tb if it does not build.
func Guest(tb testing.TB) []byte {
	tb.Helper()
	wasm, err := guest()
	if err != nil {
		tb.Fatal(err)
	}
	return wasm
}

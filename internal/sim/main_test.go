package sim

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"wirelab/internal/leak"
	"wirelab/internal/sim/wasip1"
)

func TestMain(m *testing.M) { leak.Main(m) }

// guest is testdata/guest, built and compiled once for all tests.
var guest = sync.OnceValues(func() (*Program, error) {
	wasm, err := wasip1.Build(context.Background(), "", "./testdata/guest")
	if err != nil {
		return nil, err
	}
	return Compile(context.Background(), wasm, Options{NoCache: true})
})

func program(tb testing.TB) *Program {
	tb.Helper()
	p, err := guest()
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// output runs the guest, which must end well, and returns what it said.
func output(tb testing.TB, c Config) (string, Result) {
	tb.Helper()
	var out bytes.Buffer
	c.Stdout = &out
	r, err := program(tb).Run(tb.Context(), c)
	if err != nil {
		tb.Fatalf("guest %q: %v", c.Args, err)
	}
	return out.String(), r
}

// A writerFunc is a function as an io.Writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

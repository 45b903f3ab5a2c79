package sim

import (
	"context"
	"os"
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

// limited is a disk that fills up.
type limited struct {
	w    interface{ Write([]byte) (int, error) }
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, os.ErrClosed
	}
	l.left -= len(p)
	return l.w.Write(p)
}

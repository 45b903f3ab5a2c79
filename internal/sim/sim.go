// Package sim runs a program that was compiled for wasip1 in virtual time. It
// knows no experiment: it is the program's clock, its chance and its output.
//
// A Go program in WebAssembly has one thread, and takes time, sleep and random
// bytes only from its host. Here the clock is a variable. It stands still while
// the guest computes; when each of its goroutines waits, the runtime asks the
// host to sleep until the next timer, and the variable jumps there. So an hour
// passes at once, a computation takes no time, and the guest's output is a
// function of its code, its input and the seed: the same bytes on every machine.
//
// The guest sees no files, no network and no environment but what Config gives.
package sim

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// progressEvery is how often Options.Progress is called.
const progressEvery = 250 * time.Millisecond

// ErrClosed means a run of a program after Close.
var ErrClosed = errors.New("sim: program is closed")

// Options say how to compile.
type Options struct {
	// CacheDir keeps compiled programs, so that the next Compile of the same one
	// takes a tenth of a second instead of seconds. If empty, the folder wirelab in
	// the user's cache folder. The eight newest programs are kept.
	CacheDir string
	NoCache  bool // compile in memory only

	// Progress, if not nil, is called four times a second while Compile works,
	// with the time that it took so far: never for a program from the cache. It
	// runs on a goroutine of its own, and not after Compile has returned.
	Progress func(elapsed time.Duration)

	// Warn, if not nil, is told why the cache is not used. Compile goes on without.
	Warn func(error)
}

// A Program is compiled code. It may run many times, also at the same time:
// runs share nothing that one could change.
type Program struct {
	mu     sync.RWMutex // held for reading by runs
	engine *engine      // nil once closed
}

// engine is what a compilation leaves: all of it is to be closed.
type engine struct {
	runtime wazero.Runtime
	cache   wazero.CompilationCache // may be nil
	module  wazero.CompiledModule
}

func (e *engine) close() error {
	ctx := context.Background()
	err := e.runtime.Close(ctx)
	if e.cache != nil {
		err = errors.Join(err, e.cache.Close(ctx))
	}
	return err
}

// Compile makes a program of WebAssembly. It uses every processor. If ctx ends,
// it stops soon and returns ctx's cause.
func Compile(ctx context.Context, wasm []byte, o Options) (*Program, error) {
	defer report(o.Progress)()
	warn := o.Warn
	if warn == nil {
		warn = func(error) {}
	}
	if !o.NoCache {
		e, err := compileCached(ctx, wasm, o.CacheDir)
		if err == nil {
			return &Program{engine: e}, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		// Whether it was the cache's fault shows when it goes well without.
		e, plain := compile(ctx, wasm, nil)
		if plain == nil {
			warn(fmt.Errorf("sim: compiled without a cache: %w", err))
			return &Program{engine: e}, nil
		}
		return nil, plain
	}
	e, err := compile(ctx, wasm, nil)
	if err != nil {
		return nil, err
	}
	return &Program{engine: e}, nil
}

// compile uses cache, if there is one, and owns it from now on.
func compile(ctx context.Context, wasm []byte, cache wazero.CompilationCache) (*engine, error) {
	config := wazero.NewRuntimeConfig().WithDebugInfoEnabled(false)
	if cache != nil {
		config = config.WithCompilationCache(cache)
	}
	// With one worker, the compiler does not look at ctx.
	workers := max(2, runtime.GOMAXPROCS(0))
	e := &engine{runtime: wazero.NewRuntimeWithConfig(ctx, config), cache: cache}
	_, err := wasi_snapshot_preview1.Instantiate(ctx, e.runtime)
	if err == nil {
		e.module, err = e.runtime.CompileModule(experimental.WithCompilationWorkers(ctx, workers), wasm)
	}
	if err != nil {
		e.close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("sim: compile: %w", err)
	}
	return e, nil
}

// report calls progress, if there is one, until the function that it returns.
func report(progress func(time.Duration)) (stop func()) {
	if progress == nil {
		return func() {}
	}
	start := time.Now()
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				progress(time.Since(start))
			case <-quit:
				return
			}
		}
	}()
	return func() { close(quit); <-done }
}

// Close frees the program. It waits for runs that have not ended.
func (p *Program) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.engine == nil {
		return nil
	}
	e := p.engine
	p.engine = nil
	return e.close()
}

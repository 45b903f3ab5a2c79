package sim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestCompileRefusesWhatIsNoWebAssembly(t *testing.T) {
	for _, in := range []string{"", "hello", "\x00asm\x01\x00\x00\x00\xff"} {
		if p, err := Compile(t.Context(), []byte(in), Options{NoCache: true}); err == nil {
			p.Close()
			t.Errorf("Compile(%q) went well", in)
		}
		warned := false
		if _, err := Compile(t.Context(), []byte(in), Options{CacheDir: t.TempDir(), Warn: func(error) { warned = true }}); err == nil || warned {
			t.Errorf("Compile(%q) with a cache = %v, warned %v: it is not the cache's fault", in, err, warned)
		}
	}
}

func TestCompileEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	for _, o := range []Options{{NoCache: true}, {CacheDir: t.TempDir()}} {
		if p, err := Compile(ctx, trapping, o); !errors.Is(err, why) {
			p.Close()
			t.Errorf("Compile(%+v) = %v, want %v", o, err, why)
		}
	}
}

// cached returns the files below dir.
func cached(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func compiles(t *testing.T, o Options) {
	t.Helper()
	p, err := Compile(t.Context(), trapping, o)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Run(t.Context(), Config{}); !errors.Is(err, ErrTrap) {
		t.Errorf("Run = %v, want %v", err, ErrTrap)
	}
}

func TestCacheIsUsed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	o := Options{CacheDir: dir, Warn: func(err error) { t.Error(err) }}
	compiles(t, o)
	files := cached(t, dir)
	if len(files) != 1 {
		t.Fatalf("after one Compile the cache has %q, want one file", files)
	}
	before, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	compiles(t, o)
	after, err := os.Stat(files[0])
	if err != nil || !os.SameFile(before, after) || len(cached(t, dir)) != 1 {
		t.Errorf("the second Compile wrote the cache anew: %v", err)
	}
}

func TestWithoutUsableCacheItGoesOnAndSaysSo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := t.TempDir()
	compiles(t, Options{CacheDir: damaged})
	for _, f := range cached(t, damaged) {
		if err := os.WriteFile(f, []byte("rubbish"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{file, filepath.Join(file, "below"), damaged} {
		var warned []error
		compiles(t, Options{CacheDir: dir, Warn: func(err error) { warned = append(warned, err) }})
		if len(warned) != 1 {
			t.Errorf("cache in %s: warnings %v, want one", dir, warned)
		}
		compiles(t, Options{CacheDir: dir}) // nobody to warn
	}
}

func TestCacheKeepsTheNewest(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for i := range cacheKeeps + 5 {
		sub := filepath.Join(dir, fmt.Sprintf("wazero-v%d", i%2))
		if err := os.MkdirAll(sub, 0o700); err != nil {
			t.Fatal(err)
		}
		f := filepath.Join(sub, fmt.Sprint("program", i))
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(int64(1000+i*7%13), 0)
		if err := os.Chtimes(f, at, at); err != nil {
			t.Fatal(err)
		}
		if i*7%13 >= 5 { // of thirteen, the eight newest
			want = append(want, f)
		}
	}
	other := filepath.Join(dir, "other", "file")
	if err := os.MkdirAll(filepath.Dir(other), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want = append(want, other)
	prune(dir)
	got := cached(t, dir)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("prune left\n%q, want\n%q", got, want)
	}
}

func TestProgressIsReportedUntilTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []time.Duration
		stop := report(func(d time.Duration) { got = append(got, d) })
		time.Sleep(900 * time.Millisecond)
		stop()
		time.Sleep(time.Second)
		want := []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, 750 * time.Millisecond}
		if !slices.Equal(got, want) {
			t.Errorf("progress at %v, want %v", got, want)
		}
	})
}

// writing is a module whose _start writes "hi\n" to its standard output.
var writing = []byte("\x00asm\x01\x00\x00\x00" +
	"\x01\x0c\x02\x60\x00\x00\x60\x04\x7f\x7f\x7f\x7f\x01\x7f" + // types () and (i32, i32, i32, i32) i32
	"\x02\x23\x01\x16wasi_snapshot_preview1\x08fd_write\x00\x01" +
	"\x03\x02\x01\x00" +
	"\x05\x03\x01\x00\x01" + // memory of one page
	"\x07\x13\x02\x06_start\x00\x01\x06memory\x02\x00" +
	"\x0a\x0f\x01\x0d\x00\x41\x01\x41\x00\x41\x01\x41\x0c\x10\x00\x1a\x0b" + // drop(fd_write(1, 0, 1, 12))
	"\x0b\x11\x01\x00\x41\x00\x0b\x0b\x08\x00\x00\x00\x03\x00\x00\x00hi\n") // at 0: {8, 3}, "hi\n"

func TestCloseWaitsForRuns(t *testing.T) {
	p, err := Compile(t.Context(), writing, Options{NoCache: true})
	if err != nil {
		t.Fatal(err)
	}
	var closed atomic.Bool
	done := make(chan error)
	_, err = p.Run(t.Context(), Config{Stdout: writerFunc(func(b []byte) (int, error) {
		go func() {
			err := p.Close()
			closed.Store(true)
			done <- err
		}()
		for range 10000 { // the chance to be wrong
			runtime.Gosched()
		}
		if closed.Load() {
			t.Error("Close did not wait")
		}
		return len(b), nil
	})})
	if err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("second Close = %v", err)
	}
	if _, err := p.Run(t.Context(), Config{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Run after Close = %v, want %v", err, ErrClosed)
	}
}

func BenchmarkRunOfAGuestThatDoesNothing(b *testing.B) {
	p := program(b)
	for b.Loop() {
		if _, err := p.Run(b.Context(), Config{Args: []string{"begin"}}); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleCompile() {
	p, err := Compile(context.Background(), []byte("no program"), Options{NoCache: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	// Output: sim: compile: invalid magic number
}

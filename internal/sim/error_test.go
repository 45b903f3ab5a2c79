package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// trapping is a module whose _start executes unreachable.
var trapping = []byte("\x00asm\x01\x00\x00\x00" +
	"\x01\x04\x01\x60\x00\x00" + // type 0: no parameters, no results
	"\x03\x02\x01\x00" + // function 0 has type 0
	"\x07\x0a\x01\x06_start\x00\x00" + // and is exported
	"\x0a\x05\x01\x03\x00\x00\x0b") // its code: unreachable

func TestHowRunsEnd(t *testing.T) {
	full := errors.New("the disk is full")
	disk := 2500
	for _, tt := range []struct {
		name   string
		in     Config
		is     error
		code   uint32
		text   string // of the error
		stderr string
		at     time.Duration
	}{
		{
			name: "exit code", in: Config{Args: []string{"exit"}, Seed: 42}, code: 7,
			text:   "guest with seed 42, 3s after its start: exit code 7: the disk is on fire \uFFFD[31m",
			stderr: "first\nthe disk is on fire \x1b[31m\n", at: 3 * time.Second,
		},
		{name: "panic", in: Config{Args: []string{"panic"}}, code: 2, text: "exit code 2: panic: assignment to entry in nil map", stderr: "goroutine 1 [running]:", at: 2 * time.Millisecond},
		{name: "deadlock", in: Config{Args: []string{"deadlock"}}, is: ErrDeadlock, text: "wait for ever", stderr: "[chan receive]:", at: 2 * time.Millisecond},
		{name: "limit", in: Config{Args: []string{"forever"}}, is: ErrLimit, text: "virtual time is up after 24h0m0s", at: 24 * time.Hour},
		{name: "limit given", in: Config{Args: []string{"forever"}, Limit: 90 * time.Second}, is: ErrLimit, text: "after 1m30s", at: 90 * time.Second},
		{name: "stalled", in: Config{Args: []string{"wait"}}, is: ErrStalled, text: "read 4194304 times at one instant"},
		{name: "memory", in: Config{Args: []string{"hoard"}, Memory: 32 << 20}, is: ErrMemory, text: "may have 32 MiB", stderr: "out of memory", at: 2 * time.Millisecond},
		{name: "memory too small to begin", in: Config{Args: []string{"hour"}, Memory: 1 << 20}, is: ErrMemory, text: "may have 1 MiB"},
		{name: "full disk", in: Config{Args: []string{"write"}, Stdout: writerFunc(func(b []byte) (int, error) {
			if disk -= len(b); disk < 0 {
				return 0, full
			}
			return len(b), nil
		})}, is: full, text: "standard output: the disk is full"},
		{name: "short write", in: Config{Args: []string{"write"}, Stdout: writerFunc(func(b []byte) (int, error) { return len(b) - 1, nil })}, is: io.ErrShortWrite, text: "short write"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := program(t).Run(t.Context(), tt.in)
			var failed *Error
			if !errors.As(err, &failed) {
				t.Fatalf("Run = %v, want an *Error", err)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("Run = %v, want %v", err, tt.is)
			}
			var exit *ExitError
			if errors.As(err, &exit) != (tt.code != 0) || exit != nil && exit.Code != tt.code {
				t.Errorf("Run = %v, want exit code %d", err, tt.code)
			}
			if !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Run = %q, want one line with %q", err, tt.text)
			}
			if !strings.Contains(failed.Stderr, tt.stderr) || tt.stderr == "" && failed.Stderr != "" {
				t.Errorf("standard error = %q, want %q in it", failed.Stderr, tt.stderr)
			}
			if failed.Seed != tt.in.Seed || failed.At != tt.at || r.Virtual != tt.at {
				t.Errorf("seed %d, at %v, result %+v, want seed %d, at %v", failed.Seed, failed.At, r, tt.in.Seed, tt.at)
			}
		})
	}
}

func TestTrap(t *testing.T) {
	p, err := Compile(t.Context(), trapping, Options{NoCache: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_, err = p.Run(t.Context(), Config{Seed: 3})
	if !errors.Is(err, ErrTrap) || err.Error() != "guest with seed 3, 0s after its start: trap: unreachable" {
		t.Errorf("Run of a trap = %v", err)
	}
}

// A guest that sleeps, one that computes and one that waits for its clock end
// when the context does.
func TestCancel(t *testing.T) {
	why := errors.New("enough")
	for _, what := range []string{"forever", "allocate", "wait"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		var said bytes.Buffer
		_, err := program(t).Run(ctx, Config{Args: []string{what}, Limit: 1 << 62, Stdout: writerFunc(func(b []byte) (int, error) {
			cancel(why)
			return said.Write(b)
		})})
		cancel(nil)
		if !errors.Is(err, why) || said.String() != "on and on\n" {
			t.Errorf("%s: Run = %v after %q, want %v", what, err, said.String(), why)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := program(t).Run(ctx, Config{Args: []string{"hour"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("Run after its context = %v, want %v", err, context.Canceled)
	}
}

// An error of Stderr neither ends the run nor loses the text.
func TestStderrIsKeptAndPassedOn(t *testing.T) {
	var passed int
	_, err := program(t).Run(t.Context(), Config{Args: []string{"chatter"}, Stderr: writerFunc(func(b []byte) (int, error) {
		passed += len(b)
		return 0, io.ErrClosedPipe
	})})
	var all strings.Builder
	for n := range 10000 {
		fmt.Fprintln(&all, "line", n)
	}
	if passed != all.Len() {
		t.Errorf("%d bytes passed on, want %d", passed, all.Len())
	}
	var failed *Error
	if !errors.As(err, &failed) {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%s\n[%d bytes left out]\n%s", all.String()[:keepHead], all.Len()-keepHead-keepTail, all.String()[all.Len()-keepTail:])
	if failed.Stderr != want {
		t.Errorf("kept %q, want %q", failed.Stderr, want)
	}
}

func TestReason(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"last line", "a\nb\n\n", "b"},
		{"panic", "before\npanic: boom\n\ngoroutine 1 [running]:\n", "panic: boom"},
		{"fatal", "fatal error: no\nexit\n", "fatal error: no"},
		{"unprintable", "a\x00b\x1b]0;x\x07\xff", "a\uFFFDb\uFFFD]0;x\uFFFD\uFFFD"},
		{"long", strings.Repeat("ü", 300), strings.Repeat("ü", 200) + "…"},
	} {
		if got := reason(tt.in); got != tt.want {
			t.Errorf("%s: reason(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

// However the text comes in pieces, the same is kept of it.
func FuzzSegmentationNeverChangesAnExcerpt(f *testing.F) {
	f.Add(100, 7)
	f.Add(keepHead+keepTail, 4096)
	f.Add(keepHead+keepTail+1, 1)
	f.Add(200000, 1000)
	f.Fuzz(func(t *testing.T, size, piece int) {
		if size < 0 || size > 1<<18 || piece < 1 {
			t.Skip()
		}
		text := make([]byte, size)
		for i := range text {
			text[i] = byte('a' + i*i%23)
		}
		var whole, pieces excerpt
		whole.write(text)
		for i := 0; i < size; i += min(piece, size-i) {
			pieces.write(text[i : i+min(piece, size-i)])
		}
		if got, want := pieces.String(), whole.String(); got != want {
			t.Errorf("%d bytes in pieces of %d: kept %d bytes, want %d", size, piece, len(got), len(want))
		}
		if n := len(pieces.head) + len(pieces.tail); n > keepHead+2*keepTail && piece <= keepTail {
			t.Errorf("%d bytes in memory", n)
		}
	})
}

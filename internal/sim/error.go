package sim

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Why a run ended, other than by the guest's own exit. Error wraps one of them,
// or an *ExitError, the cause of the context, or the write error of Stdout.
var (
	// ErrLimit means that the guest was not done at Config.Limit.
	ErrLimit = errors.New("virtual time is up")
	// ErrMemory means that the guest needs more than Config.Memory.
	ErrMemory = errors.New("out of memory")
	// ErrStalled means that the guest reads its clock for ever and does not sleep,
	// so that its time does not go on.
	ErrStalled = errors.New("time does not go on")
	// ErrDeadlock means that every goroutine of the guest waits and no timer runs.
	ErrDeadlock = errors.New("all goroutines of the guest wait for ever")
	// ErrTrap means that the guest did what WebAssembly forbids.
	ErrTrap = errors.New("trap")
)

// An ExitError is an exit code of the guest that is not 0. A Go program that
// panics has 2.
type ExitError struct {
	Code uint32
}

func (e *ExitError) Error() string { return fmt.Sprintf("exit code %d", e.Code) }

// An Error says why a run did not end well, and what one needs to see it again.
type Error struct {
	Seed   uint64
	At     time.Duration // virtual time since the start
	Stderr string        // what the guest wrote to its standard error: if it was much, begin and end
	Err    error
}

// Error returns one line; of the guest's own words it has one, made printable.
func (e *Error) Error() string {
	text := fmt.Sprintf("guest with seed %d, %v after its start: %v", e.Seed, e.At, e.Err)
	var exit *ExitError
	if line := reason(e.Stderr); line != "" && errors.As(e.Err, &exit) {
		text += ": " + line
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// reason returns the line of a guest's standard error that says what happened:
// the one of a panic, else the last.
func reason(stderr string) string {
	last := ""
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			last = line
			break
		}
		if line != "" {
			last = line
		}
	}
	last = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, last)
	if r := []rune(last); len(r) > 200 {
		last = string(r[:200]) + "…"
	}
	return last
}

// Of a guest's standard error this many bytes are kept.
const (
	keepHead = 4 << 10
	keepTail = 28 << 10
)

// excerpt keeps the beginning and the end of what is written to it.
type excerpt struct {
	head, tail []byte
	lost       int
}

func (x *excerpt) write(p []byte) {
	n := min(len(p), keepHead-len(x.head))
	x.head = append(x.head, p[:n]...)
	x.tail = append(x.tail, p[n:]...)
	if over := len(x.tail) - keepTail; over > keepTail {
		x.tail = x.tail[:copy(x.tail, x.tail[over:])]
		x.lost += over
	}
}

func (x *excerpt) String() string {
	lost, tail := x.lost, x.tail
	if over := len(tail) - keepTail; over > 0 {
		lost, tail = lost+over, tail[over:]
	}
	if lost == 0 {
		return string(x.head) + string(tail)
	}
	return fmt.Sprintf("%s\n[%d bytes left out]\n%s", x.head, lost, tail)
}

package sim

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/tetratelabs/wazero/sys"
)

// epoch is what the guest's monotonic clock shows at the start, in nanoseconds:
// Go's runtime takes 0 for a clock that does not work.
const epoch = 1

// stallReads is how many times the guest may read its clock at one instant.
// That takes a second for a loop that waits for time to pass, and a minute for a
// network that carries packets without delay.
const stallReads = 1 << 22

// A clock is virtual time.
type clock struct {
	start  int64 // nanoseconds since 1970
	passed int64 // nanoseconds since start
	reads  int   // at this instant
	sleeps int
}

// stop ends the guest from within a function that it called.
func (r *run) stop(cause error) {
	if r.cause == nil {
		r.cause = cause
	}
	panic(sys.NewExitError(1))
}

// poll ends the guest if ctx has ended.
func (r *run) poll() {
	if r.cancelled.Load() {
		r.stop(context.Cause(r.ctx))
	}
}

// read counts a look at the clock.
func (r *run) read() {
	r.poll()
	if r.clock.reads++; r.clock.reads > stallReads {
		r.stop(fmt.Errorf("%w: the clock was read %d times at one instant", ErrStalled, stallReads))
	}
}

func (r *run) nanotime() int64 {
	r.read()
	return epoch + r.clock.passed
}

func (r *run) walltime() (sec int64, nsec int32) {
	r.read()
	ns := r.clock.start + r.clock.passed
	return ns / 1e9, int32(ns % 1e9)
}

// yield is called by a guest that waits for another thread; it has none.
func (r *run) yield() { r.read() }

// nanosleep lets ns nanoseconds pass: every goroutine of the guest waits.
func (r *run) nanosleep(ns int64) {
	r.poll()
	c := &r.clock
	if left := int64(r.Limit) - c.passed; ns < 0 || ns > left { // below 0: more than 2^63
		r.pace(int64(r.Limit))
		c.passed = int64(r.Limit)
		r.stop(fmt.Errorf("%w after %v", ErrLimit, r.Limit))
	}
	r.pace(c.passed + ns)
	c.passed += ns
	c.reads = 0
	c.sleeps++
}

// pace waits until the real instant that belongs to the virtual one, measured
// from the start, so that time spent computing is made up for.
func (r *run) pace(passed int64) {
	if r.Speed == 0 {
		return
	}
	since := float64(passed) / r.Speed
	if since > math.MaxInt64/2 {
		since = math.MaxInt64 / 2 // a century
	}
	wait := time.Until(r.began.Add(time.Duration(since)))
	if wait <= 0 {
		return
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.ctx.Done():
		r.stop(context.Cause(r.ctx))
	}
}

// random is the guest's chance: ChaCha8 of math/rand/v2 with a key that begins
// with the seed.
type random struct {
	*run
	chacha *rand.ChaCha8
}

func (r *run) random() random {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], r.Seed)
	copy(key[8:], "wirelab: seed of a guest")
	return random{r, rand.NewChaCha8(key)}
}

func (x random) Read(p []byte) (int, error) {
	x.poll()
	return x.chacha.Read(p)
}

type stdout struct{ *run }

func (w stdout) Write(p []byte) (int, error) {
	w.poll()
	if w.Stdout == nil {
		return len(p), nil
	}
	n, err := w.Stdout.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.stop(fmt.Errorf("standard output: %w", err))
	}
	return n, nil
}

type stderr struct{ *run }

func (w stderr) Write(p []byte) (int, error) {
	w.poll()
	w.run.stderr.write(p)
	if w.Stderr != nil {
		w.Stderr.Write(p)
	}
	return len(p), nil
}

// result says how the guest ended, from what wazero returned.
func (r *run) result(err error) (Result, error) {
	res := Result{
		Virtual: time.Duration(r.clock.passed),
		Real:    time.Since(r.began),
		Memory:  r.memory.size,
		Sleeps:  r.clock.sleeps,
	}
	var exit *sys.ExitError
	switch {
	case r.cause != nil:
		err = r.cause
	case err == nil:
		return res, nil
	case r.memory.refused:
		err = fmt.Errorf("%w: it may have %d MiB", ErrMemory, r.Memory>>20)
	case !errors.As(err, &exit):
		err = fmt.Errorf("%w: %s", ErrTrap, trap(err))
	case exit.ExitCode() == 0:
		return res, nil
	case exit.ExitCode() == 2 && strings.Contains(r.stderr.String(), deadlock):
		err = ErrDeadlock
	default:
		err = &ExitError{Code: exit.ExitCode()}
	}
	return res, &Error{Seed: r.Seed, At: res.Virtual, Stderr: r.stderr.String(), Err: err}
}

// trap returns what wazero says, without the stack and where it began.
func trap(err error) string {
	what, _, _ := strings.Cut(err.Error(), "\n")
	if _, after, ok := strings.Cut(what, " failed: "); ok {
		what = after
	}
	return strings.TrimPrefix(what, "wasm error: ")
}

// deadlock is what Go's runtime writes when every goroutine waits.
const deadlock = "fatal error: all goroutines are asleep - deadlock!\n"

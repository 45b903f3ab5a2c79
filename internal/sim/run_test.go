package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestHourPassesAtOnce(t *testing.T) {
	got, r := output(t, Config{Args: []string{"hour"}})
	if want := "1h0m0s 2026-01-01T01:00:00Z\n"; got != want {
		t.Errorf("guest that sleeps an hour says %q, want %q", got, want)
	}
	if r.Virtual != time.Hour || r.Sleeps != 1 || r.Memory == 0 {
		t.Errorf("result %+v, want one hour, one sleep, some memory", r)
	}
	if r.Real > time.Minute {
		t.Errorf("an hour took %v", r.Real)
	}
}

func TestClockBeginsAtStart(t *testing.T) {
	for _, want := range []string{"1970-01-01T00:00:00Z", "2001-02-03T04:05:06.000000007Z"} {
		start, err := time.Parse(time.RFC3339Nano, want)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := output(t, Config{Args: []string{"begin"}, Start: start}); got != want+"\n" {
			t.Errorf("guest that starts at %s says %q", want, got)
		}
	}
}

func TestTimersGoOffInOrder(t *testing.T) {
	said, r := output(t, Config{Args: []string{"timers"}})
	var got []string
	var before time.Duration
	for line := range strings.Lines(said) {
		at, _, _ := strings.Cut(line, " ")
		d, err := time.ParseDuration(at)
		if err != nil || d < before {
			t.Errorf("timer at %s after one at %v (%v)", at, before, err)
		}
		before = d
		got = append(got, strings.TrimSpace(line))
	}
	var want []string
	for i := range 50 {
		want = append(want, fmt.Sprint(time.Duration(i*37%50/5)*100*time.Millisecond, i))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("timers went off\n%q, want\n%q", got, want)
	}
	if r.Virtual != 900*time.Millisecond {
		t.Errorf("the last timer ended at %v, want 900ms", r.Virtual)
	}
}

func TestSameSeedSameBytes(t *testing.T) {
	c := Config{Args: []string{"chance"}, Seed: rand.Uint64()}
	want, wantResult := output(t, c)
	same := func(when string) {
		got, r := output(t, c)
		if got != want {
			t.Errorf("seed %d, %s: other output", c.Seed, when)
		}
		r.Real = wantResult.Real
		if r != wantResult {
			t.Errorf("seed %d, %s: result %+v, want %+v", c.Seed, when, r, wantResult)
		}
	}
	for range 5 {
		same("again")
	}
	for _, n := range []int{1, 8} {
		before := runtime.GOMAXPROCS(n)
		same(fmt.Sprint("GOMAXPROCS ", n))
		runtime.GOMAXPROCS(before)
	}

	// Eight at once, and more load than there are processors.
	ctx, cancel := context.WithCancel(t.Context())
	var load, runs sync.WaitGroup
	for range 2 * runtime.NumCPU() {
		load.Go(func() {
			for ctx.Err() == nil {
				runtime.Gosched()
			}
		})
	}
	for range 8 {
		runs.Go(func() { same("in parallel under load") })
	}
	runs.Wait()
	cancel()
	load.Wait()
}

func TestOtherSeedOtherBytes(t *testing.T) {
	seen := map[string]uint64{}
	for _, seed := range []uint64{0, 1, 2, 1 << 32, 1 << 63, math.MaxUint64} {
		got, _ := output(t, Config{Args: []string{"chance"}, Seed: seed})
		if other, ok := seen[got]; ok {
			t.Errorf("seeds %d and %d give the same", other, seed)
		}
		seen[got] = seed
	}
}

// The generator is part of what a seed means: it must not change by itself.
func TestRandomBytesOfASeed(t *testing.T) {
	r := newRun(t.Context(), Config{Seed: 7})
	got := make([]byte, 16)
	r.random().Read(got)
	if want := "2efa7d8b5ab0f2101ffacd9e81ed2edd"; fmt.Sprintf("%x", got) != want {
		t.Errorf("first random bytes of seed 7 = %x, want %s", got, want)
	}
}

func TestGuestHasOnlyWhatConfigGives(t *testing.T) {
	t.Setenv("SECRET", "of the host")
	got, _ := output(t, Config{
		Args:  []string{"echo", "a b", "ü"},
		Env:   []string{"KEY=value=more", "EMPTY="},
		Stdin: strings.NewReader("to be read\n"),
	})
	want := `"to be read\n" <nil> ["guest" "echo" "a b" "ü"] ["KEY=value=more" "EMPTY="] ""` + "\n"
	if got != want {
		t.Errorf("guest says %s, want %s", got, want)
	}
	if got, _ := output(t, Config{Args: []string{"echo"}}); got != `"" <nil> ["guest" "echo"] [] ""`+"\n" {
		t.Errorf("guest without anything says %s", got)
	}
	if got, _ := output(t, Config{Args: []string{"files"}}); got != "true\n" {
		t.Errorf("guest could read a file of the host")
	}
}

// In a bubble real time is the test's: it passes only while Run waits.
func TestSpeedPacesRealTime(t *testing.T) {
	for _, tt := range []struct {
		speed float64
		want  []time.Duration // when the guest's three seconds come
	}{
		{0, []time.Duration{0, 0, 0}},
		{1, []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}},
		{0.1, []time.Duration{10 * time.Second, 20 * time.Second, 30 * time.Second}},
		{4, []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, 750 * time.Millisecond}},
	} {
		p := program(t)
		synctest.Test(t, func(t *testing.T) {
			var got []time.Duration
			var said bytes.Buffer
			begin := time.Now()
			_, err := p.Run(t.Context(), Config{Args: []string{"ticks"}, Speed: tt.speed, Stdout: writerFunc(func(b []byte) (int, error) {
				got = append(got, time.Since(begin))
				return said.Write(b)
			})})
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("speed %v: seconds came at %v, %v, want %v", tt.speed, got, err, tt.want)
			}
			if want := "1s\n2s\n3s\n"; said.String() != want {
				t.Errorf("speed %v: guest says %q, want %q", tt.speed, said.String(), want)
			}
		})
	}
}

// Time that the host needs is made up for: the next instant is not late.
func TestSpeedMakesUpForWork(t *testing.T) {
	p := program(t)
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		work := writerFunc(func(b []byte) (int, error) {
			time.Sleep(300 * time.Millisecond)
			return len(b), nil
		})
		if _, err := p.Run(t.Context(), Config{Args: []string{"ticks"}, Speed: 1, Stdout: work}); err != nil {
			t.Fatal(err)
		}
		if got, want := time.Since(begin), 3300*time.Millisecond; got != want {
			t.Errorf("three seconds with work of 300ms in each took %v, want %v", got, want)
		}
	})
}

func TestCancelWhileItWaitsForRealTime(t *testing.T) {
	p := program(t)
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 150*time.Second, why)
		defer cancel()
		begin := time.Now()
		r, err := p.Run(ctx, Config{Args: []string{"forever"}, Speed: 1})
		if !errors.Is(err, why) || time.Since(begin) != 150*time.Second || r.Virtual != 2*time.Minute {
			t.Errorf("Run = %+v, %v after %v, want %v in the third minute", r, err, time.Since(begin), why)
		}
	})
}

func TestConfigThatMakesNoSense(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   Config
		want string
	}{
		{"speed", Config{Speed: -1}, "speed -1"},
		{"speed", Config{Speed: math.NaN()}, "speed NaN"},
		{"speed", Config{Speed: math.Inf(1)}, "speed +Inf"},
		{"limit", Config{Limit: -time.Second}, "limit -1s"},
		{"memory", Config{Memory: -5}, "memory of -5 bytes"},
		{"environment", Config{Env: []string{"A=b", "nonsense"}}, `"nonsense"`},
		{"environment", Config{Env: []string{"=b"}}, `"=b"`},
		{"start", Config{Start: time.Unix(-1, 0)}, "1969-12-31"},
		{"start", Config{Start: time.Date(2262, 4, 11, 0, 0, 0, 0, time.UTC)}, "2262-04-11"},
		{"argument", Config{Args: []string{"a\x00b"}}, "NUL"},
		{"environment", Config{Env: []string{"A=\x00b"}}, "NUL"},
	} {
		_, err := program(t).Run(t.Context(), tt.in)
		var failed *Error
		if err == nil || errors.As(err, &failed) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Run = %v, want an error about the config with %q", tt.name, err, tt.want)
		}
	}
}

func ExampleProgram_Run() {
	p, err := guest() // Compile(ctx, wasm, Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var out bytes.Buffer
	r, err := p.Run(context.Background(), Config{Args: []string{"hour"}, Seed: 7, Stdout: &out})
	fmt.Print(out.String())
	fmt.Println(r.Virtual, r.Sleeps, err)
	// Output:
	// 1h0m0s 2026-01-01T01:00:00Z
	// 1h0m0s 1 <nil>
}

// Reads count at one instant only: a long run may read its clock as often as it
// likes.
func TestClockMayBeReadOftenOverTime(t *testing.T) {
	r := newRun(t.Context(), Config{Limit: time.Hour})
	for range 3 {
		for range stallReads - 1 {
			r.nanotime()
		}
		r.nanosleep(1)
	}
	if got := r.nanotime(); got != epoch+3 {
		t.Errorf("after three nanoseconds the clock shows %d, want %d", got, epoch+3)
	}
}

package labs

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"wirelab/internal/leak"
	"wirelab/internal/sim"
	"wirelab/internal/trace"
	"wirelab/labs/image/imagetest"
	"wirelab/labs/scenario"
)

func TestMain(m *testing.M) { leak.Main(m) }

func engine(t testing.TB) *Engine {
	t.Helper()
	e, err := Open(t.Context(), imagetest.Guest(t), sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// rough is a run in which much goes wrong: loss, a server that is killed, TCP
// and UDP side by side.
func rough(seed uint64) *scenario.Scenario {
	faults, err := scenario.ParseFaults("1s kill server; 2s start server; 2500ms kill bo; 3s start bo; 3s cut cy; 5s mend cy")
	if err != nil {
		panic(err)
	}
	link := "delay 20ms 5ms rate 1mbit loss 5% duplicate 2% corrupt 1%"
	return &scenario.Scenario{
		Seed: seed, Server: scenario.Server{Data: true},
		Members: []scenario.Member{
			{Name: "ana", Transport: scenario.TCPQueue, Up: link, Down: link, Messages: 20, Rate: 10, Size: 300},
			{Name: "bo", Transport: scenario.UDPQueue, Up: link, Down: link, Messages: 20, Rate: 10, Size: 300},
			{Name: "cy", Transport: scenario.TCP, Up: link, Down: link},
		},
		Faults: faults, Record: []string{"ana", "bo", "cy"}, Packets: true, States: true,
	}
}

// One seed is one SHA-256 of the events and of the capture: run after run, under
// load, side by side, and whatever GOMAXPROCS of the host is.
func TestOneSeedIsOneRun(t *testing.T) {
	e := engine(t)
	want := play(t, e, rough(1))
	if other := play(t, e, rough(2)); other == want {
		t.Fatal("seeds 1 and 2 give one and the same run")
	}
	runs := 24
	if testing.Short() || imagetest.Raced {
		runs = 4
	}
	for _, procs := range []int{1, 8} {
		before := runtime.GOMAXPROCS(procs)
		stop := load(procs)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for range runs / 4 {
					if got := play(t, e, rough(1)); got != want {
						t.Errorf("GOMAXPROCS %d: %x, before %x", procs, got, want)
					}
				}
			})
		}
		wg.Wait()
		stop()
		runtime.GOMAXPROCS(before)
	}
}

func play(t *testing.T, e *Engine, s *scenario.Scenario) trace.Sums {
	t.Helper()
	res, err := e.Play(context.Background(), s, Output{})
	if err != nil {
		t.Error(err)
	}
	return res.Sums
}

// load keeps n processors busy until stop.
func load(n int) (stop func()) {
	quit := make(chan struct{})
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for x := uint64(1); ; x = x*6364136223846793005 + 1 {
				select {
				case <-quit:
					return
				default:
				}
			}
		})
	}
	return func() { close(quit); wg.Wait() }
}

// What is written out does not change what happens.
func TestOutputDoesNotChangeTheRun(t *testing.T) {
	e := engine(t)
	var events, packets bytes.Buffer
	n := 0
	res, err := e.Play(t.Context(), rough(1), Output{Events: &events, Packets: &packets, Event: func(*scenario.Event) error {
		n++
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(events.Bytes(), []byte("\n")); n == 0 || lines != n {
		t.Errorf("%d events, %d lines", n, lines)
	}
	if want := play(t, e, rough(1)); res.Sums != want {
		t.Errorf("with files %x, without %x", res.Sums, want)
	}
}

// The capture is one that tshark reads without a malformed packet, checksums
// included: what was corrupted on the way is damaged at the far end only.
func TestCaptureOpensInTshark(t *testing.T) {
	tool, err := exec.LookPath("tshark")
	if err != nil && os.Getenv("WIRELAB_TEST_TOOLS") != "" {
		t.Fatal("no tshark, and WIRELAB_TEST_TOOLS is set")
	} else if err != nil {
		t.Skip("no tshark here")
	}
	s := rough(3)
	for i := range s.Members {
		// Bits that are wrong are malformed packets, and meant to be.
		s.Members[i].Up, s.Members[i].Down = "delay 20ms loss 5%", "delay 20ms loss 5%"
	}
	path := filepath.Join(t.TempDir(), "run.pcapng")
	var packets bytes.Buffer
	if _, err := engine(t).Play(t.Context(), s, Output{Packets: &packets}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, packets.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	shark := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(tool, append([]string{"-r", path, "-n",
			"-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"}, args...)...).Output()
		if err != nil {
			t.Fatalf("tshark %v: %v", args, err)
		}
		return string(out)
	}
	if bad := shark("-Y", "_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0"); bad != "" {
		t.Errorf("tshark finds fault with:\n%.2000s", bad)
	}
	all := strings.Fields(shark("-T", "fields", "-e", "frame.interface_name"))
	seen := make(map[string]int)
	for _, name := range all {
		seen[name]++
	}
	if len(seen) < 5 {
		t.Errorf("packets at the interfaces %v, want three for each of three links", seen)
	}
	if lost := shark("-Y", `frame.comment contains "lost"`); lost == "" {
		t.Error("no packet is marked as lost")
	}
	if again := shark("-Y", "tcp.analysis.retransmission"); again == "" {
		t.Error("tshark sees no retransmission at 5 % loss")
	}
}

// A scenario that cannot end is reported, not waited for.
func TestLimitOfVirtualTime(t *testing.T) {
	s := rough(1)
	s.Members[0].Up = "loss 100%"
	_, err := engine(t).Play(t.Context(), s, Output{})
	if err == nil || !strings.Contains(err.Error(), "ana") || !strings.Contains(err.Error(), "seed 1") {
		t.Errorf("a member that can never connect: %v, want an error that names it and the seed", err)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	n := 0
	_, err := engine(t).Play(ctx, rough(1), Output{Event: func(*scenario.Event) error {
		if n++; n == 10 {
			cancel(why)
		}
		return nil
	}})
	if !errors.Is(err, why) {
		t.Errorf("Play(cancelled) = %v, want %v", err, why)
	}
}

// A full disk ends the run with its error; what was written before can be read.
func TestFullDisk(t *testing.T) {
	full := &limited{left: 20_000}
	_, err := engine(t).Play(t.Context(), rough(1), Output{Packets: full})
	if !errors.Is(err, errFull) {
		t.Errorf("Play(full disk) = %v, want %v", err, errFull)
	}
}

var errFull = errors.New("no space left on device")

// limited is a disk with so many bytes left.
type limited struct{ left int }

func (l *limited) Write(p []byte) (int, error) {
	if n := l.left; len(p) > n {
		l.left = 0
		return n, errFull
	}
	l.left -= len(p)
	return len(p), nil
}

// BenchmarkGuest measures one run of the default size: what a run costs, and
// how much faster than real time it is.
func BenchmarkGuest(b *testing.B) {
	e := engine(b)
	s := &scenario.Scenario{Seed: 1, Members: []scenario.Member{
		{Name: "bo", Transport: scenario.TCPQueue, Up: "delay 20ms", Down: "delay 20ms"},
		{Name: "ana", Transport: scenario.TCPQueue, Messages: 100, Rate: 10, Size: 200},
	}, Record: []string{"bo"}}
	virtual := time.Duration(0)
	for b.Loop() {
		res, err := e.Play(b.Context(), s, Output{})
		if err != nil {
			b.Fatal(err)
		}
		virtual += res.Virtual
	}
	b.ReportMetric(virtual.Seconds()/b.Elapsed().Seconds(), "virtual/real")
}

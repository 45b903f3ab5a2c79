//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// analysisFlags are the fifteen fields tcp.analysis.* that both programs read.
var analysisFlags = []string{
	"zero_window_probe", "zero_window", "lost_segment", "keep_alive", "window_update",
	"window_full", "keep_alive_ack", "zero_window_probe_ack", "duplicate_ack", "ack_lost_segment",
	"spurious_retransmission", "fast_retransmission", "out_of_order", "retransmission", "reused_ports",
}

const (
	liveTCP    = 200
	liveUDP    = 50
	firstLines = 20
)

// packets measures the analysis of a large capture beside tshark's, in the same
// minutes and on the same file.
func (b *bench) packets() (rows []row, err error) {
	path := filepath.Join(b.Dir, "large.pcap")
	defer os.Remove(path)
	n, err := makeCapture(path, traffic{Bytes: b.Capture})
	if err != nil {
		return nil, err
	}
	size := megabytes(b.Capture)
	b.progress("packets: %d packets in %s, %d flows at any time", n, size, liveTCP+liveUDP)

	// The file is in the page cache: it was just written.
	var one, all []child
	for range max(b.Rounds/2, 1) {
		c, err := b.loss(path, "GOMAXPROCS=1")
		if err != nil {
			return rows, err
		}
		one = append(one, c)
		if c, err = b.loss(path); err != nil {
			return rows, err
		}
		all = append(all, c)
	}
	fast := row{What: "packets loss, " + size, Unit: "packets/s", Value: float64(n) / middle(all).Seconds(), Bar: bar{Ratio: 20}}
	single := row{What: "packets loss, " + size + ", one core", Unit: "packets/s", Value: float64(n) / middle(one).Seconds(), Bar: bar{Least: 1e6}}
	switch tshark, err := runTshark(path); {
	case errors.Is(err, exec.ErrNotFound):
		b.progress("packets: no tshark: no ratio")
		fast.Bar = bar{}
	case err != nil:
		return rows, err
	default:
		b.progress("packets: tshark took %.1f s and %.0f MiB", tshark.took.Seconds(), mib(tshark.peak))
		for _, r := range []*row{&fast, &single} {
			r.Reference, r.Base = "tshark io,stat", float64(n)/tshark.took.Seconds()
		}
		if err := sameFlags(tshark.out, all[0].out); err != nil {
			return rows, err
		}
	}
	rows = append(rows, fast, single)
	first, failed := b.firstLines(path)
	if failed == nil {
		rows = append(rows, row{What: fmt.Sprintf("packets show | head -%d, %s", firstLines, size), Unit: "ms", Value: first, Bar: bar{Most: 200}})
	}
	for _, endless := range []bool{true, false} {
		var peak [2]int64
		for i, bytes := range []int64{b.Capture / 10, b.Capture} {
			if _, err := makeCapture(path, traffic{Bytes: bytes, Endless: endless}); err != nil {
				return rows, err
			}
			c, err := b.loss(path, "GOMAXPROCS=1")
			if err != nil {
				return rows, err
			}
			peak[i] = max(c.peak, 1)
		}
		what, limit := "the same flows", bar{Most: 1.2}
		if !endless { // what has ended is a row of the result, too
			what, limit = "as many at a time", bar{}
		}
		b.progress("packets: loss, %s: %.1f MiB at most for %s, %.1f MiB for %s", what, mib(peak[0]), megabytes(b.Capture/10), mib(peak[1]), size)
		rows = append(rows, row{What: fmt.Sprintf("packets loss, peak %s : %s, %s", size, megabytes(b.Capture/10), what), Unit: "times",
			Value: float64(peak[1]) / float64(peak[0]), Bar: limit})
	}
	return rows, failed
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

func megabytes(n int64) string { return fmt.Sprintf("%d MB", n/1e6) }

// makeCapture writes a capture of t's size and kind.
func makeCapture(path string, t traffic) (packets int64, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	t.TCP, t.UDP, t.Seed = liveTCP, liveUDP, 1
	packets, err = t.write(f)
	return packets, errors.Join(err, f.Close())
}

// A child is what was measured of a program that ran to its end.
type child struct {
	took time.Duration
	peak int64 // bytes of memory that were resident at most
	out  []byte
}

func middle(cs []child) time.Duration {
	var s []float64
	for _, c := range cs {
		s = append(s, c.took.Seconds())
	}
	return time.Duration(median(s) * float64(time.Second))
}

// runChild runs a program to its end.
func runChild(env []string, name string, args ...string) (c child, err error) {
	cmd, log := command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout = &out
	at := time.Now()
	if err := cmd.Start(); err != nil {
		return c, err
	}
	stop, watched := make(chan struct{}), make(chan int64)
	go func() { watched <- watchPeak(cmd.Process.Pid, stop) }()
	err = cmd.Wait()
	c.took = time.Since(at)
	close(stop)
	c.peak, c.out = <-watched, out.Bytes()
	if err != nil {
		return c, fmt.Errorf("%s %s: %w%s", filepath.Base(name), strings.Join(args, " "), err, log)
	}
	return c, nil
}

// watchPeak returns the most memory that process pid had until stop. The kernel
// keeps the peak; the last look at it is at most some milliseconds before the end.
// (The ru_maxrss of a child is at least this process's own: it counts from before
// exec.)
func watchPeak(pid int, stop <-chan struct{}) (peak int64) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
			if _, rest, ok := strings.Cut(string(b), "VmHWM:"); ok {
				kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
				peak = max(peak, kib<<10)
			}
		}
		select {
		case <-stop:
			return peak
		case <-tick.C:
		}
	}
}

// loss runs the analysis.
func (b *bench) loss(path string, env ...string) (child, error) {
	return runChild(env, b.Wirelab, "packets", "loss", "--json", "--top", "0", path)
}

// runTshark has tshark count the packets with each of the flags.
func runTshark(path string) (child, error) {
	name, err := exec.LookPath("tshark")
	if err != nil {
		return child{}, err
	}
	stat := "io,stat,0"
	for _, f := range analysisFlags {
		stat += ",tcp.analysis." + f
	}
	return runChild(nil, name, "-n", "-q", "-r", path, "-z", stat)
}

// sameFlags checks that both programs found each flag as often: a fast answer
// has to be the right one.
func sameFlags(tshark, wirelab []byte) error {
	want, err := tsharkCounts(tshark)
	if err != nil {
		return err
	}
	got, err := wirelabCounts(wirelab)
	if err != nil {
		return err
	}
	for i, f := range analysisFlags {
		if got[f] != want[i] {
			return fmt.Errorf("%s: wirelab found %d, tshark %d", f, got[f], want[i])
		}
	}
	return nil
}

// tsharkCounts reads the table of io,stat: a line with frames and bytes of each
// filter.
func tsharkCounts(out []byte) ([]int64, error) {
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, "<>") || strings.Contains(line, "Frames") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|\r\n "), "|")
		if len(cells) != 1+2*len(analysisFlags) {
			continue
		}
		var counts []int64
		for i := range analysisFlags {
			n, err := strconv.ParseInt(strings.TrimSpace(cells[1+2*i]), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("tshark's table: %w", err)
			}
			counts = append(counts, n)
		}
		return counts, nil
	}
	return nil, fmt.Errorf("tshark printed no table of %d counts:\n%s", len(analysisFlags), out)
}

// wirelabCounts sums the flags of all flows in the JSON of packets loss.
func wirelabCounts(out []byte) (map[string]int64, error) {
	var doc struct {
		Captures []struct {
			LeftOut int64 `json:"flows_left_out"`
			Flows   []struct {
				Directions []struct {
					Flags map[string]int64 `json:"flags"`
				} `json:"directions"`
			} `json:"flows"`
		} `json:"captures"`
	}
	if err := json.Unmarshal(out, &doc); err != nil {
		return nil, fmt.Errorf("wirelab's JSON: %w", err)
	}
	if len(doc.Captures) != 1 || len(doc.Captures[0].Flows) == 0 || doc.Captures[0].LeftOut > 0 {
		return nil, fmt.Errorf("wirelab's JSON has %d captures, want one with all of its flows", len(doc.Captures))
	}
	counts := map[string]int64{}
	for _, f := range doc.Captures[0].Flows {
		for _, d := range f.Directions {
			for name, n := range d.Flags {
				counts[name] += n
			}
		}
	}
	return counts, nil
}

// firstLines returns the milliseconds until the list of packets has its first
// lines, of a program whose reader then goes away.
func (b *bench) firstLines(path string) (float64, error) {
	var all []float64
	for range 3 {
		cmd, log := command(b.Wirelab, "packets", "show", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			return 0, err
		}
		at := time.Now()
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		lines := bufio.NewReader(out)
		var failed error
		for range firstLines {
			if _, failed = lines.ReadString('\n'); failed != nil {
				break
			}
		}
		all = append(all, float64(time.Since(at).Microseconds())/1000)
		out.Close()
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-ended: // with which code is its own affair: nobody reads on
		case <-time.After(stalled):
			cmd.Process.Kill()
			<-ended
			return 0, errors.New("packets show does not end when nobody reads on")
		}
		if failed != nil {
			return 0, fmt.Errorf("packets show printed fewer than %d lines%s", firstLines, log)
		}
	}
	return median(all), nil
}

package main

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"wirelab/internal/impair"
	"wirelab/internal/relay"
)

func TestImpairFlags(t *testing.T) {
	for _, tt := range []struct {
		name     string
		in       []string
		up, down string // as impair.Parse reads them
		err      string
	}{
		{"nothing", nil, "", "", ""},
		{"both directions", []string{"--loss", "10%", "--delay", "40ms"}, "loss 10% delay 40ms", "loss 10% delay 40ms", ""},
		{"jitter of a delay", []string{"--delay", "40ms 5ms 25%"}, "delay 40ms 5ms 25%", "delay 40ms 5ms 25%", ""},
		{"every parameter", []string{
			"--delay", "40ms", "--jitter", "5ms", "--distribution", "normal", "--loss", "gemodel 1% 25%", "--duplicate", "1%", "--corrupt", "2%",
			"--reorder", "3%", "--gap", "5", "--rate", "10mbit", "--limit", "100", "--fate", "drop data 3", "--fate", "down 2s..7s",
		}, "delay 40ms 5ms distribution normal loss gemodel 1% 25% duplicate 1% corrupt 2% reorder 3% gap 5 rate 10mbit limit 100 drop data 3 down 2s..7s",
			"delay 40ms 5ms distribution normal loss gemodel 1% 25% duplicate 1% corrupt 2% reorder 3% gap 5 rate 10mbit limit 100 drop data 3 down 2s..7s", ""},
		{"a profile, changed", []string{"--profile", "4g", "--loss", "2%"}, "4g loss 2%", "4g loss 2%", ""},
		{"one direction besides", []string{"--loss", "1%", "--up", "delay 5ms", "--down", "loss 3% drop ack 2"}, "loss 1% delay 5ms", "loss 3% drop ack 2", ""},
		{"a profile takes the place of the rest", []string{"--loss", "1%", "--down", "satellite rate 1mbit"}, "loss 1%", "satellite rate 1mbit", ""},
		{"sense only together", []string{"--reorder", "5%", "--up", "delay 5ms", "--down", "delay 9ms"}, "reorder 5% delay 5ms", "reorder 5% delay 9ms", ""},
		{"sense in one direction only", []string{"--reorder", "5%", "--up", "delay 5ms"}, "", "", "reorder"},
		{"too much", []string{"--loss", "120%"}, "", "", `--loss "120%": `},
		{"no share", []string{"--corrupt", "often"}, "", "", `--corrupt "often": `},
		{"no such profile", []string{"--profile", "moon"}, "", "", `--profile "moon": no such profile`},
		{"two words", []string{"--rate", "10mbit delay 5ms"}, "", "", `--rate "10mbit delay 5ms": `},
		{"two fates", []string{"--fate", "drop data 3", "--fate", "duplicate data 3"}, "", "", "two fates for one packet"},
		{"two fates, one of them besides", []string{"--fate", "drop data 3", "--down", "spare data 3"}, "", "", `--down "spare data 3": `},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var f impairFlags
			fl := pflag.NewFlagSet("link", pflag.ContinueOnError)
			f.add(fl)
			if err := fl.Parse(tt.in); err != nil {
				t.Fatal(err)
			}
			up, down, err := f.configs()
			if tt.err != "" {
				var fail *failure
				if !errors.As(err, &fail) || !strings.Contains(err.Error(), tt.err) || fail.hint == "" || fail.code != exitUsage {
					t.Errorf("configs = %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range []struct {
				name, want string
				got        impair.Config
			}{{"up", tt.up, up}, {"down", tt.down, down}} {
				want, err := impair.Parse(d.want)
				if err != nil {
					t.Fatal(err)
				}
				if d.got.String() != want.String() {
					t.Errorf("%s: %q, want %q", d.name, d.got.String(), want.String())
				}
			}
		})
	}
}

func TestLiveLine(t *testing.T) {
	start := time.Unix(1000, 0)
	before := relay.Snapshot{Started: start, Time: start.Add(time.Second)}
	now := relay.Snapshot{Started: start, Time: start.Add(2 * time.Second)}
	if got := liveLine(&before, &now); got != "" {
		t.Errorf("nothing happened: %q", got)
	}
	now.Up.Sent, now.Up.Received = relay.Volume{Packets: 200, Bytes: 250_000}, relay.Volume{Packets: 190, Bytes: 237_500}
	now.Up.Lost[impair.LostRandom], now.Up.Resent, now.Connecting = 10, 9, 1
	c := relay.Conn{Client: netip.MustParseAddrPort("127.0.0.1:40000"), Port: 7, Opened: start}
	c.Up.Handed = 200_000
	c.Up.Sender = relay.Control{Known: true, Cwnd: 34, SRTT: 81_234_567, RTO: 281 * time.Millisecond, Recovery: "recovery"}
	idle := relay.Conn{Client: netip.MustParseAddrPort("127.0.0.1:50000"), Port: 8, Opened: start}
	idle.Up.Sender.Known = true
	now.Conns = []relay.Conn{idle, c}
	const want = "    2s  up 1.9 Mb/s lost 10 of 200 again 9; down 0 b/s; 2 open, 1 connecting; 127.0.0.1:40000: cwnd 34, srtt 81.2ms, rto 281ms, recovery"
	if got := liveLine(&before, &now); got != want {
		t.Errorf("liveLine = %q, want %q", got, want)
	}
}

func TestBrief(t *testing.T) {
	for _, tt := range []struct {
		in   time.Duration
		want string
	}{{0, "0s"}, {345_678, "346µs"}, {81_234_567, "81.2ms"}, {1_234_567_890, "1.23s"}, {75 * time.Second, "1m15s"}} {
		if got := brief(tt.in); got != tt.want {
			t.Errorf("brief(%d) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

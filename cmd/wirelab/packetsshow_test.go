package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"wirelab/packets"
)

// chatCapture is the capture of a real chat over Ethernet, in pcap.
const chatCapture = "../../packets/show/testdata/chat.pcap"

// execute runs one of the commands of packets.
func execute(ctx context.Context, make func(*app) *cobra.Command, in io.Reader, out io.Writer, args ...string) error {
	a := &app{in: in, out: out, err: io.Discard}
	cmd := make(a)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	return cmd.ExecuteContext(ctx)
}

func showText(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := execute(t.Context(), newPacketsShow, strings.NewReader(""), &out, args...)
	return out.String(), err
}

func chatBytes(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(chatCapture)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A line comes as soon as its packet has, while the pipe is still open.
func TestShowIsLive(t *testing.T) {
	b := chatBytes(t)
	in, feed := io.Pipe()
	lines, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := execute(t.Context(), newPacketsShow, in, out, "-")
		out.CloseWithError(io.EOF)
		ended <- err
	}()
	r := bufio.NewReader(lines)
	first := 24 + 16 + 42 // the file's header, and the first packet
	for i, part := range [][]byte{b[:first], b[first : first+16+42]} {
		if _, err := feed.Write(part); err != nil {
			t.Fatal(err)
		}
		line, err := r.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "   "+string(rune('1'+i))+" ") || !strings.Contains(line, "ARP") {
			t.Fatalf("line %d is %q, %v", i+1, line, err)
		}
	}
	feed.Close()
	if err := <-ended; err != nil {
		t.Errorf("at the pipe's end: %v", err)
	}
}

// A waiting read of standard input does not keep an interrupted command.
func TestShowIsInterrupted(t *testing.T) {
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := feed.Write(chatBytes(t)[:24+16+42]); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out := writer(func(b []byte) (int, error) {
		cancel() // after the first line
		return len(b), nil
	})
	if err := execute(ctx, newPacketsShow, in, out, "-"); !errors.Is(err, errInterrupted) {
		t.Errorf("interrupted: %v, want %v", err, errInterrupted)
	}
	feed.Close() // ends the read
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

// endless is a capture without end: the chat's, again and again.
type endless struct {
	whole []byte
	at    int
	read  int64
}

func (e *endless) Read(b []byte) (int, error) {
	n := copy(b, e.whole[e.at:])
	if e.at += n; e.at == len(e.whole) {
		e.at = 24 // after the file's header
	}
	e.read += int64(n)
	return n, nil
}

// Whoever reads the lines may go away: that is no error, and ends the reading.
func TestShowEndsWithItsReader(t *testing.T) {
	e := &endless{whole: chatBytes(t)}
	out := writer(func([]byte) (int, error) { return 0, &os.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE} })
	if err := execute(t.Context(), newPacketsShow, e, out, "-"); err != nil {
		t.Errorf("with a closed pipe: %v, want no error", err)
	}
	if e.read > 1<<20 {
		t.Errorf("%d bytes were read for nobody", e.read)
	}
	// --count ends it, too; and another error of writing is one.
	var b bytes.Buffer
	if err := execute(t.Context(), newPacketsShow, &endless{whole: e.whole}, &b, "-", "--count", "30"); err != nil || strings.Count(b.String(), "\n") != 30 {
		t.Errorf("--count 30: %d lines, %v", strings.Count(b.String(), "\n"), err)
	}
	full := writer(func([]byte) (int, error) { return 0, syscall.ENOSPC })
	if err := execute(t.Context(), newPacketsShow, &endless{whole: e.whole}, full, "-"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("on a full disk: %v, want %v", err, syscall.ENOSPC)
	}
}

// Of a file that ends too early all whole packets are shown, then where it ends.
func TestShowOfATruncatedFile(t *testing.T) {
	b := chatBytes(t)
	name := filepath.Join(t.TempDir(), "cut.pcap")
	if err := os.WriteFile(name, b[:len(b)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := showText(t, name)
	var cut *packets.Truncated
	if !errors.As(err, &cut) || cut.At != int64(len(b)-5) {
		t.Errorf("error %v, want one that names byte %d", err, len(b)-5)
	}
	if n := strings.Count(out, "\n"); n != 22 {
		t.Errorf("%d lines, want those of the 22 whole packets", n)
	}
}

func TestShowChoosesPackets(t *testing.T) {
	for _, tt := range []struct {
		args  []string
		lines int
		first string
	}{
		{nil, 23, "   1 0.000000"},
		{[]string{"--packet", "14"}, 1, "  14 1.932030"},
		{[]string{"--from", "1s"}, 10, "  14 1.932030"},
		{[]string{"--from", "1s", "--to", "2.86s"}, 5, "  14 1.932030"},
		{[]string{"--to", "100us", "--count", "3"}, 3, "   1 0.000000"},
	} {
		out, err := showText(t, append(tt.args, chatCapture)...)
		if err != nil || strings.Count(out, "\n") != tt.lines || !strings.HasPrefix(out, tt.first) {
			t.Errorf("show %v: %d lines, %v, begins %.20q; want %d and %q", tt.args, strings.Count(out, "\n"), err, out, tt.lines, tt.first)
		}
	}
	out, err := showText(t, chatCapture, "--packet", "14", "--layers", "--hex")
	if err != nil || !strings.HasPrefix(out, "Packet 14 ") || !strings.Contains(out, "Chat frame") || !strings.Contains(out, "0070  ") {
		t.Errorf("--layers --hex: %v\n%s", err, out)
	}
	for _, args := range [][]string{{"--packet", "24"}, {"--packet", "-1"}, {"--from", "2s", "--to", "1s"}, {"--packet", "1", "--count", "2"}} {
		if _, err := showText(t, append(args, chatCapture)...); err == nil {
			t.Errorf("show %v: no error", args)
		}
	}
}

func TestShowAndLayersAsJSON(t *testing.T) {
	out, err := showText(t, chatCapture, "--json", "--layers", "--hex", "--count", "2")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(out) {
		n++
		var p struct {
			Number int
			Layers []struct{ Abbrev string }
			Data   string
		}
		if err := json.Unmarshal([]byte(line), &p); err != nil || p.Number != n || p.Layers[1].Abbrev != "arp" || len(p.Data) != 84 {
			t.Errorf("line %d: %+v, %v", n, p, err)
		}
	}
	var b bytes.Buffer
	for _, args := range [][]string{{"--json"}, {"--json", chatCapture}} {
		b.Reset()
		var card struct {
			Layers  []any
			Message struct {
				Payload int `json:"payload_bytes"`
				Packet  struct{ Info string }
			}
		}
		err := execute(t.Context(), newPacketsLayers, nil, &b, args...)
		if err == nil {
			err = json.Unmarshal(b.Bytes(), &card)
		}
		if err != nil || len(card.Layers) != 7 || card.Message.Payload != 9 || !strings.HasPrefix(card.Message.Packet.Info, "event lobby: hello") {
			t.Errorf("layers %v: %+v, %v", args, card, err)
		}
	}
}

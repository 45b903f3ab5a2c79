package framing_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"wirelab/internal/wire"
	"wirelab/packets"
	"wirelab/packets/framing"
)

// The kernel's own TCP over loopback, captured by tcpdump: the frames are those
// that were written, whatever the kernel made of the writes, and the stream is
// tshark's.
func TestKernel(t *testing.T) {
	dump, tshark := tool(t, "tcpdump"), tool(t, "tshark")
	if os.Getuid() != 0 {
		t.Skip("capturing wants root")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, dump, "-i", "lo", "-U", "--immediate-mode", "-B", "16384", "-Z", "root", "-w", "-", "tcp port "+port)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	talk, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(talk)
	var heard string
	for !strings.Contains(heard, "listening on") {
		line, err := lines.ReadString('\n')
		if heard += line; err != nil {
			cmd.Wait()
			t.Skip("tcpdump cannot capture: ", heard)
		}
	}
	got := make(chan []byte, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			got <- nil
			return
		}
		b, _ := io.ReadAll(c)
		c.Close()
		got <- b
	}()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(4, 4))
	var stream []byte
	var want [][]byte
	for i := range 300 {
		f, err := wire.AppendFrame(nil, &wire.Envelope{
			Kind: wire.KindEvent, Seq: uint64(i), Room: []byte("lobby"), Event: []byte("msg"), Args: fmt.Appendf(nil, "[%q]", strings.Repeat("y", r.IntN(1<<r.IntN(16)))),
		})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, f)
		stream = append(stream, f...)
	}
	for rest := stream; len(rest) > 0; {
		n := min(1+r.IntN(1<<r.IntN(17)), len(rest))
		if _, err := c.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	c.Close()
	if b := <-got; !bytes.Equal(b, stream) {
		t.Fatalf("the other end read %d bytes of %d", len(b), len(stream))
	}
	// What the pipe brought is kept for tshark.
	var pcap bytes.Buffer
	reader, err := packets.NewReader(io.TeeReader(pipe, &pcap))
	if err != nil {
		t.Fatal(err)
	}
	var (
		tr  framing.Tracker
		all []framing.Message
		p   packets.Packet
		h   packets.Headers
	)
	for len(all) < len(want) {
		if err := reader.Read(&p); err != nil {
			t.Fatal(err)
		}
		h.Decode(&p)
		all = append(all, tr.Add(&p, &h)...)
	}
	cmd.Process.Signal(syscall.SIGINT)
	if _, err := io.Copy(&pcap, pipe); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(lines)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(rest), "0 packets dropped") {
		t.Skipf("tcpdump did not keep up: %s", rest)
	}
	file := filepath.Join(t.TempDir(), "lo.pcap")
	if err := os.WriteFile(file, pcap.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var ours []byte
	cut, shared := 0, 0
	for i, m := range all {
		if m.Dir != 0 || m.Err != "" || m.Framing != "chat" || i >= len(want) || !bytes.Equal(m.Bytes, want[i]) {
			t.Fatalf("frame %d of %d: %s %s, direction %d: %s", i, len(want), m.Framing, m.Kind, m.Dir, m.Err)
		}
		if m.Segments() > 1 {
			cut++
		} else if i > 0 && m.Number == all[i-1].Number {
			shared++
		}
		ours = append(ours, m.Bytes...)
	}
	if len(all) != len(want) || cut == 0 || shared == 0 {
		t.Errorf("%d frames of %d, %d cut, %d with others in a segment", len(all), len(want), cut, shared)
	}
	if b := follow(t, tshark, file, 0)[c.LocalAddr().String()]; !bytes.Equal(b, ours) {
		t.Errorf("tshark's stream has %d bytes, ours %d", len(b), len(ours))
	}
}

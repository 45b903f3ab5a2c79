package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// echoServer is a program that sends back what comes, up to its end.
func echoServer(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	return l
}

// linkTo starts a link to a server and waits until it listens.
func linkTo(t *testing.T, prefix []string, server net.Addr, flags ...string) (c *child, addr string) {
	t.Helper()
	words := append(append(prefix, "wirelab", "link", "--plain", "--listen", "127.0.0.1:0", "--connect", server.String()), flags...)
	c = launch(t, words[0], words[1:]...)
	c.says("; down: ")
	said := regexp.MustCompile(`link tcp (\S+) → `).FindStringSubmatch(c.err.String())
	if said == nil {
		t.Fatalf("no address: %s", &c.err)
	}
	return c, said[1]
}

// echo sends n bytes over a link and wants them back.
func echo(t *testing.T, addr string, n int) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	want := bytes.Repeat([]byte("0123456789abcdef"), n/16)
	go c.Write(want)
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d of %d bytes came back, %v", n, len(want), err)
	}
	c.(*net.TCPConn).CloseWrite()
	if n, err := io.Copy(io.Discard, c); n != 0 || err != nil {
		t.Fatalf("then %d bytes, %v, want the end", n, err)
	}
}

// tshark runs the reference on a capture, and returns its lines.
func tshark(t *testing.T, file string, args ...string) []string {
	t.Helper()
	path, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("WIRELAB_TEST_TOOLS") != "" {
			t.Fatal(err)
		}
		t.Skip("no tshark")
	}
	out, err := exec.Command(path, append([]string{"-n", "-r", file}, args...)...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("tshark %v: %v: %s", args, err, exit.Stderr)
		}
		t.Fatal(err)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}

// The reference reads a recording: nothing in it is malformed, each packet that
// the link lost says why, and what the summary counts is what is in the file.
func TestLinkRecording(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "out.pcapng")
	c, addr := linkTo(t, nil, echoServer(t).Addr(), "--loss", "3%", "--fate", "drop syn 1", "--delay", "1ms", "--record", file, "--json", "--seed", "5")
	echo(t, addr, 500_000)
	c.signal(os.Interrupt)
	c.exit(exitOK)
	var sum linkSummary
	if err := json.Unmarshal([]byte(c.out.String()), &sum); err != nil {
		t.Fatalf("%v: %s", err, &c.out)
	}
	if sum.Up.Lost["random"] == 0 || sum.Down.Lost["random"] == 0 || sum.Up.Lost["script"] != 1 || sum.Up.Resent == 0 || sum.Up.Payload != 500_000 || sum.Totals["closed"]+sum.Totals["cut"] != 1 {
		t.Errorf("summary: %+v", sum)
	}
	lost := func(s *sideSummary) (n int) {
		for _, k := range s.Lost {
			n += int(k)
		}
		return n
	}
	for _, tt := range []struct {
		name, filter string
		want         int
	}{
		{"malformed", "_ws.malformed || _ws.expert.severity == error", 0},
		{"lost", `frame.interface_name == "link" && frame.comment contains "lost: "`, lost(&sum.Up) + lost(&sum.Down)},
		{"lost by chance", `frame.comment contains "lost: random"`, int(sum.Up.Lost["random"] + sum.Down.Lost["random"])},
		{"lost by script", `frame.comment contains "lost: script" && tcp.flags.syn == 1`, int(sum.Up.Lost["script"] + sum.Down.Lost["script"])},
		{"sent by the client", `frame.interface_name == "client" && frame.packet_flags_direction == 2`, int(sum.Up.PacketsSent)},
		{"received by the client", `frame.interface_name == "client" && frame.packet_flags_direction == 1`, int(sum.Down.PacketsReceived)},
		{"sent by the server", `frame.interface_name == "server" && frame.packet_flags_direction == 2`, int(sum.Down.PacketsSent)},
		{"received by the server", `frame.interface_name == "server" && frame.packet_flags_direction == 1`, int(sum.Up.PacketsReceived)},
		{"in the link", `frame.interface_name == "link"`, int(sum.Up.PacketsSent + sum.Down.PacketsSent)},
		{"in all", "ip", int(sum.Recorded)},
	} {
		if got := len(tshark(t, file, "-Y", tt.filter, "-o", "ip.check_checksum:true", "-o", "tcp.check_checksum:true")); got != tt.want {
			t.Errorf("%s: tshark finds %d packets, want %d", tt.name, got, tt.want)
		}
	}
	if bad := tshark(t, file, "-Y", "tcp.checksum.status == 0 || ip.checksum.status == 0", "-o", "ip.check_checksum:true", "-o", "tcp.check_checksum:true"); len(bad) > 0 {
		t.Errorf("%d wrong checksums, such as %s", len(bad), bad[0])
	}
}

// A full disk ends the link with an error, and leaves a file that can be read.
func TestLinkDiskFull(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no limit of the size of files")
	}
	file := filepath.Join(t.TempDir(), "out.pcapng")
	limit := []string{"sh", "-c", `ulimit -f 256 && exec "$0" "$@"`}
	c, addr := linkTo(t, limit, echoServer(t).Addr(), "--record", file)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	go io.Copy(io.Discard, conn)
	for err == nil {
		_, err = conn.Write(make([]byte, 10_000))
	}
	c.exit(exitNo)
	c.says("wirelab: record: ")
	if !strings.Contains(c.out.String(), "packets sent") {
		t.Errorf("no summary: %s", &c.out)
	}
	if info, err := os.Stat(file); err != nil || info.Size() > 256<<10 || info.Size() < 100<<10 {
		t.Errorf("the file: %v, %v", info, err)
	}
	if n := len(tshark(t, file)); n == 0 {
		t.Error("tshark finds nothing in the file")
	}
}

// A signal ends a link with a summary and 0, as it ends a server; a second one
// need not be waited for.
func TestLinkSignal(t *testing.T) {
	t.Parallel()
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			c, addr := linkTo(t, nil, echoServer(t).Addr(), "--delay", "200ms")
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprint(conn, "on its way")
			c.signal(sig)
			c.exit(exitOK)
			conn.SetDeadline(time.Now().Add(patience))
			if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil || errors.Is(err, io.EOF) {
				t.Errorf("the client got %d bytes, %v, want a reset", n, err)
			}
			if !strings.Contains(c.out.String(), "segments sent again") {
				t.Errorf("no summary: %s", &c.out)
			}
		})
	}
}

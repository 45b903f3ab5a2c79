package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"wirelab/packets"
)

// What passes is listed and filed, and nothing else.
func TestCapture(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("capturing needs Linux and root")
	}
	to, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	from, err := net.Dial("udp4", to.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	port := to.LocalAddr().(*net.UDPAddr).Port
	file := filepath.Join(t.TempDir(), "lo.pcapng")
	var out, talk bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- run([]string{"packets", "capture", "--interface", "lo", "--filter", fmt.Sprint("udp dst port ", port),
			"--count", "20", "--duration", "20s", "--out", file, "--width", "100"}, strings.NewReader(""), &out, &talk)
	}()
	sent, code := 0, -1
	for tick := time.NewTicker(5 * time.Millisecond); code < 0; { // when it listens is not told but by what it captures
		select {
		case code = <-done:
			tick.Stop()
		case <-tick.C:
			sent++
			fmt.Fprintf(from, "datagram %d", sent)
		}
	}
	if code != 0 || !strings.Contains(talk.String(), "20 captured, 0 dropped") || strings.Count(out.String(), "\n") != 20 {
		t.Fatalf("code %d, said %s, listed\n%s", code, talk.String(), out.String())
	}
	r, err := packets.Open(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var p packets.Packet
	var h packets.Headers
	for first := 0; ; {
		if err := r.Read(&p); err != nil {
			if p.Number != 20 {
				t.Errorf("%d packets are in the file, want 20: %v", p.Number, err)
			}
			return
		}
		h.Decode(&p)
		var n int
		if _, err := fmt.Sscanf(string(h.Payload), "datagram %d", &n); err != nil || int(h.DstPort) != port {
			t.Fatalf("packet %d: %q to port %d", p.Number, h.Payload, h.DstPort)
		}
		if first == 0 {
			first = n
		}
		if n != first+p.Number-1 { // lo shows each packet twice: once is right
			t.Errorf("packet %d is datagram %d, want %d", p.Number, n, first+p.Number-1)
		}
	}
}

package pcapng

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// datagram returns an IPv4 packet with a UDP datagram of n zero bytes.
func datagram(n int) []byte {
	b := make([]byte, 28+n)
	b[0], b[8], b[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	copy(b[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	binary.BigEndian.PutUint16(b[10:], ^uint16(sum+sum>>16))
	binary.BigEndian.PutUint16(b[20:], 40000)
	binary.BigEndian.PutUint16(b[22:], 9)
	binary.BigEndian.PutUint16(b[24:], uint16(8+n))
	return b
}

// A program that we did not write reads the same.
func TestTsharkReadsTheSame(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("WIRELAB_TEST_TOOLS") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	var b bytes.Buffer
	w, err := NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	interfaces := []Interface{
		{Name: "alice", Description: "where alice sends"},
		{Name: "link", Description: "between them"},
		{Name: "bob", Description: "where bob receives"},
	}
	for _, i := range interfaces {
		if _, err := w.Describe(i); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 1, time.UTC)
	packets := []Packet{
		{Interface: 0, Time: start, Direction: Out, Data: datagram(1)},
		{Interface: 1, Time: start.Add(time.Nanosecond), Comment: "lost: random, “burst”", Data: datagram(2)},
		{Interface: 2, Time: start.Add(time.Hour), Direction: In, Drops: 1, Comment: "1 lost before it", Data: datagram(3)},
		{Interface: 2, Time: start.Add(2 * time.Hour), Direction: In, Data: datagram(300)[:40], Length: 328},
	}
	var want strings.Builder
	for _, p := range packets {
		if err := w.Write(&p); err != nil {
			t.Fatal(err)
		}
		length := max(p.Length, len(p.Data))
		i := interfaces[p.Interface]
		direction := map[Direction]string{In: "0x00000001", Out: "0x00000002"}[p.Direction]
		fmt.Fprintf(&want, "%d.%09d|%s|%s|%s|%s|%d|%d|10.0.0.2|%d\n", p.Time.Unix(), p.Time.Nanosecond(), i.Name, i.Description, p.Comment, direction, len(p.Data), length, length-20)
	}
	name := filepath.Join(t.TempDir(), "test.pcapng")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-n", "-r", name, "-T", "fields", "-E", "separator=|"}
	for _, f := range []string{"frame.time_epoch", "frame.interface_name", "frame.interface_description", "frame.comment", "frame.packet_flags", "frame.cap_len", "frame.len", "ip.dst", "udp.length"} {
		args = append(args, "-e", f)
	}
	got, err := exec.Command(tshark, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want.String() {
		t.Errorf("tshark reads\n%s, want\n%s", got, want.String())
	}
	// Only the datagram that was cut short is.
	bad, err := exec.Command(tshark, "-n", "-r", name, "-Y", "_ws.malformed || _ws.short", "-T", "fields", "-e", "frame.number").Output()
	if err != nil || strings.TrimSpace(string(bad)) != "" && strings.TrimSpace(string(bad)) != "4" {
		t.Errorf("tshark finds frames %q malformed, %v", bad, err)
	}
}

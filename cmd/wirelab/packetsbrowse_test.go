package main

import (
	"bytes"
	"strings"
	"testing"

	"wirelab/packets"
)

// Without a terminal there is nothing to browse in: that is a mistake in the
// command line, and the hint tells the command that needs none.
func TestPacketsBrowseNeedsATerminal(t *testing.T) {
	for _, file := range []string{"testdata/captures/tcp.pcapng", "no such file", "-"} {
		var out, errw bytes.Buffer
		code := run([]string{"packets", "browse", file}, strings.NewReader(""), &out, &errw)
		if code != exitUsage || out.Len() > 0 || !strings.HasPrefix(errw.String(), "wirelab: packets browse needs a terminal") ||
			!strings.Contains(errw.String(), "\nhint: ") || !strings.Contains(errw.String(), "wirelab packets show "+file) {
			t.Errorf("browse %s: code %d, stdout %q, stderr %q", file, code, &out, &errw)
		}
	}
}

// An expression is compiled for each link type that comes along.
func TestBrowseFilter(t *testing.T) {
	ip := []byte{0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0x13, 0x88, 0x23, 0x28, 0, 8, 0, 0}
	ether := append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}, ip...)
	for _, tt := range []struct {
		expression string
		link       packets.LinkType
		data       []byte
		want       bool
	}{
		{"udp port 9000", packets.LinkRaw, ip, true},
		{"udp port 9000", packets.LinkEthernet, ether, true},
		{"udp port 9000", 147, ether, false},
		{"tcp", packets.LinkRaw, ip, false},
		{"not tcp", packets.LinkRaw, ip, true},
	} {
		match, err := compileFilter(tt.expression)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // compiled, and as it was compiled before
			got, err := match(&packets.Packet{Link: tt.link, Data: tt.data, Length: len(tt.data)})
			if got != tt.want || err != nil {
				t.Errorf("%q of a packet of %v: %v, %v, want %v", tt.expression, tt.link, got, err, tt.want)
			}
		}
	}
	if _, err := compileFilter("nonsense ("); err == nil {
		t.Error("nonsense is an expression")
	}
}

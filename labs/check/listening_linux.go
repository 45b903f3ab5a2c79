package check

import (
	"bytes"
	"fmt"
	"os"
)

// listening reports whether a socket listens on the port, without asking it.
func listening(network string, port int) bool {
	// sl local_address rem_address st …: addresses in hexadecimal; 0A is LISTEN,
	// 07 a datagram socket without a peer.
	state := map[string]string{"tcp": "0A", "udp": "07"}[network]
	want := []byte(fmt.Sprintf(":%04X", port))
	for _, v := range []string{network, network + "6"} {
		b, err := os.ReadFile("/proc/net/" + v)
		if err != nil {
			continue
		}
		for line := range bytes.Lines(b) {
			f := bytes.Fields(line)
			if len(f) > 3 && bytes.HasSuffix(f[1], want) && string(f[3]) == state {
				return true
			}
		}
	}
	return false
}

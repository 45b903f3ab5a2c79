package layer_test

import (
	"encoding/hex"
	"fmt"

	"wirelab/packets"
	"wirelab/packets/layer"
)

func ExampleTree() {
	b, _ := hex.DecodeString("4500001d00010000" + "4011f6c8" + "c0000201c0000202" + "1388000900090000" + "21")
	p := packets.Packet{Number: 1, Link: packets.LinkRaw, Data: b, Length: len(b)}
	for _, l := range layer.Tree(&p, nil, nil) {
		fmt.Printf("OSI %d, %s: %s, %d+%d bytes: %s\n", l.OSI, l.TCPIP, l.Name, l.HeaderLen, l.Len-l.HeaderLen, l.Summary)
	}
	// Output:
	// OSI 3, internet: IPv4, 20+9 bytes: 192.0.2.1 → 192.0.2.2
	// OSI 4, transport: UDP, 8+1 bytes: 5000 → 9
	// OSI 7, application: Data, 0+1 bytes: 1 byte
}

package dissector_test

import (
	"bytes"
	"fmt"

	"wirelab/packets/dissector"
)

func ExampleWrite() {
	var b bytes.Buffer
	err := dissector.Write(&b, dissector.Config{TCPPorts: []uint16{7000}, UDPPorts: []uint16{}})
	fmt.Println(bytes.Contains(b.Bytes(), []byte("tcp_port:add(7000, wirelab)")), err)
	// Output: true <nil>
}

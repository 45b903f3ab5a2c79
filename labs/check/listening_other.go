//go:build !linux

package check

import (
	"net"
	"strconv"
)

// listening reports whether a socket has the port, without asking it: nobody
// else can have it then.
func listening(network string, port int) bool {
	for _, host := range []string{"127.0.0.1", "0.0.0.0"} {
		addr := net.JoinHostPort(host, strconv.Itoa(port))
		if network == "tcp" {
			// Go's listeners may take a port beside others: only a connection tells.
			c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			if err != nil {
				return false
			}
			self := selfConnected(c.(*net.TCPConn))
			c.Close()
			return !self
		}
		c, err := net.ListenPacket("udp", addr)
		if err != nil {
			return true
		}
		c.Close()
	}
	return false
}

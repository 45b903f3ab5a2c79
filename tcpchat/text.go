package tcpchat

import "wirelab/internal/text"

// A TextServer is the plain line port, for people who have nothing but nc or
// telnet: Serve over TCP, ServePacket over UDP.
type TextServer = text.Server

package relay

import (
	"errors"
	"syscall"
)

// refused reports whether err says that a datagram came to a port that is
// closed. Windows' sockets call that a reset.
func refused(err error) bool {
	return errors.Is(err, syscall.WSAECONNRESET) || errors.Is(err, syscall.ECONNREFUSED)
}

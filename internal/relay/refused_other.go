//go:build !windows

package relay

import (
	"errors"
	"syscall"
)

// refused reports whether err says that a datagram came to a port that is
// closed.
func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

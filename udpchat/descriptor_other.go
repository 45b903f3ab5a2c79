//go:build !linux

package udpchat

import (
	"errors"
	"net"
)

// A descriptor is used on Linux only.
type descriptor struct {
	net.PacketConn
	batch
}

const waitForOne = 0

func takeOver(*net.UDPConn) (*descriptor, error) { return nil, errors.ErrUnsupported }

func (d *descriptor) release() {}

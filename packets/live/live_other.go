//go:build !linux

package live

import (
	"context"
	"runtime"
	"time"
)

// A Handle captures; only Linux has any.
type Handle struct{}

// Open returns an *Error: capturing needs Linux.
func Open(Config) (*Handle, error) { return nil, unsupported() }

func unsupported() error {
	return &Error{Why: "capturing needs Linux, and this is " + runtime.GOOS, Hint: without}
}

// Next returns an *Error.
func (h *Handle) Next(context.Context) (data []byte, t time.Time, length int, out bool, err error) {
	return nil, time.Time{}, 0, false, unsupported()
}

// Link returns 0.
func (h *Handle) Link() uint16 { return 0 }

// Stats returns an *Error.
func (h *Handle) Stats() (packets, drops uint64, err error) { return 0, 0, unsupported() }

// Close does nothing.
func (h *Handle) Close() error { return nil }

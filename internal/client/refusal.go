package client

import (
	"errors"
	"time"
)

// What an emit or a wait fails with, besides a [*Refusal] from the server. The
// errors returned wrap one of these.
var (
	ErrClosed       = errors.New("client closed")
	ErrOffline      = errors.New("not connected")
	ErrDisconnected = errors.New("connection lost before the answer") // the server may have taken the emit
	ErrTimeout      = errors.New("no answer in time")                 // the same
	ErrFull         = errors.New("too much waits already")
)

// A Refusal is the server's no: to a connection, or to one emit.
type Refusal struct {
	Code       string        // for programs: "name_taken", "bad_key", "rate_limited"…
	Message    string        // for people
	Hint       string        // what to do about it; may be empty
	RetryAfter time.Duration // 0: trying again is of no use
}

// Error returns the message, or the code if there is none.
func (r *Refusal) Error() string {
	if r.Message == "" {
		return r.Code
	}
	return r.Message
}

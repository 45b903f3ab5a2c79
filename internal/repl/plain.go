package repl

import (
	"context"
	"errors"
	"io"
	"time"
)

// Options say how a conversation without a full screen runs.
type Options struct {
	Room       string        // where lines go; also joined, if the client is not in it
	JSON       bool          // one JSON object per line out
	Unreliable bool          // lines are emitted once, without an acknowledgement: UDP modes unreliable and sequenced
	Echo       bool          // show own messages, too, when they come back; JSON always does
	Linger     time.Duration // keep receiving so long after the end of in; negative: until ctx ends
}

// Plain chats without a terminal: a line of in is a message or a /command,
// what arrives is a line of out; what this program has to say itself goes to
// errw. At the end of in it waits until everything emitted is acknowledged,
// then opts.Linger, and leaves. It returns nil then and after /quit, else why
// the client ended.
func Plain(ctx context.Context, in io.Reader, out, errw io.Writer, connect Connect, opts Options) error {
	return errors.New("repl: not there yet")
}

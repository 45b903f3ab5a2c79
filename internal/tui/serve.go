package tui

import (
	"context"
	"errors"
	"io"

	"wirelab/internal/chat"
)

// ServeConfig says what the live view shows. Snapshot is required.
type ServeConfig struct {
	Snapshot  func() chat.Snapshot // called four times a second
	Addresses []string             // as people type them: "tcp 127.0.0.1:7070"
	Title     string               // if empty, "wirelab"
	Notes     []string             // short, shown in the title bar: "join key required", "data: ./chat"
	In        io.Reader            // if nil, os.Stdin
	Out       io.Writer            // if nil, os.Stdout
}

// Serve shows the state of a server until the user quits, with nil, or ctx
// ends, with its cause.
func Serve(ctx context.Context, cfg ServeConfig) error {
	return errors.New("tui: not there yet")
}

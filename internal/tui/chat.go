// Package tui draws full-screen views in a terminal: [Chat] is the client,
// [Serve] the server's live view.
package tui

import (
	"context"
	"errors"
	"io"

	"wirelab/internal/repl"
)

// ChatConfig says who chats where. Connect is required.
type ChatConfig struct {
	Connect    repl.Connect
	Room       string    // where lines go at first
	Title      string    // for the title bar: the address, or what the user should know
	Unreliable bool      // messages are emitted once, without an acknowledgement: UDP modes unreliable and sequenced
	XRay       bool      // begin with the x-ray pane open
	In         io.Reader // if nil, os.Stdin
	Out        io.Writer // if nil, os.Stdout
}

// Chat runs a chat on the whole screen until the user quits, ctx ends or the
// client ends by itself. It returns why that was, nil after /quit.
func Chat(ctx context.Context, cfg ChatConfig) error {
	return errors.New("tui: not there yet")
}

// Package tui draws full-screen views in a terminal: [Chat] is the client,
// [Serve] the server's live view.
//
// What comes from the network reaches the screen only through
// cells.Visible, measured and cut, so that no text can move the cursor, colour
// the screen or begin a line.
package tui

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"wirelab/internal/client"
	"wirelab/internal/repl"
	"wirelab/internal/style"
)

// ChatConfig says who chats where. Connect is required.
type ChatConfig struct {
	Connect    repl.Connect
	Room       string    // where lines go at first; if empty, the first of the client's rooms
	Title      string    // for the title bar: the address, or what the user should know
	Unreliable bool      // messages are emitted once, without an acknowledgement: UDP modes unreliable and sequenced
	XRay       bool      // begin with the x-ray pane open
	In         io.Reader // if nil, os.Stdin
	Out        io.Writer // if nil, os.Stdout
}

// settle is how long Chat waits for the first connection before it takes the
// screen: what fails at once is told without it.
const settle = 300 * time.Millisecond

// Chat runs a chat on the whole screen until the user quits, ctx ends or the
// client ends by itself. It returns why that was, nil after /quit.
func Chat(ctx context.Context, cfg ChatConfig) error {
	in, out := cmp.Or[io.Reader](cfg.In, os.Stdin), cmp.Or[io.Writer](cfg.Out, os.Stdout)
	ctx, stop := context.WithCancel(ctx)
	defer stop()

	f := newFeed()
	connected := make(chan struct{})
	once := sync.OnceFunc(func() { close(connected) })
	c := cfg.Connect(repl.Handlers{
		Event: f.event,
		Status: func(st client.Status) {
			if st.Kind == client.StatusConnected {
				once()
			}
			f.status(st)
		},
		Tap: f.tap,
	})
	var running sync.WaitGroup
	ended := make(chan struct{})
	var end error
	running.Go(func() {
		end = c.Run(ctx)
		close(ended)
	})
	defer func() {
		f.close()
		c.Close()
		running.Wait()
	}()
	timer := time.NewTimer(settle)
	defer timer.Stop()
	select {
	case <-ended:
		return end
	case <-connected:
	case <-timer.C:
	}

	at := repl.Place{Namespace: c.Namespace(), Room: cfg.Room}
	if rooms := c.Rooms(); at.Room == "" && len(rooms) > 0 {
		at.Room = rooms[0]
	}
	m := newChatModel(ctx, repl.NewSession(c, cfg.Unreliable), c.Stats, at, cfg.Title, style.NewPalette(out, false), time.Now())
	m.xray = cfg.XRay
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithAltScreen(), tea.WithoutSignalHandler())
	done := make(chan struct{})
	running.Go(func() { f.run(done, p.Send) })
	running.Go(func() {
		select {
		case <-ended:
			p.Send(endedMsg{end})
		case <-done:
		}
	})
	_, err := p.Run()
	close(done)
	switch {
	case m.err != nil:
		return m.err
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case errors.Is(err, tea.ErrProgramKilled):
		return nil
	}
	return err
}

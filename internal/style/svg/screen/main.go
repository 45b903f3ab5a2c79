// Command screen turns a terminal screen on stdin, with its colours, into an
// SVG on stdout. It is for the pictures of this repository:
//
//	tmux capture-pane -e -p | go run ./internal/style/svg/screen -cols 120 -rows 32 -title wirelab
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"wirelab/internal/style/svg"
)

func main() {
	title := flag.String("title", "wirelab", "of the window")
	cols := flag.Int("cols", 80, "of the screen")
	rows := flag.Int("rows", 24, "of the screen")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *title, *cols, *rows); err != nil {
		fmt.Fprintln(os.Stderr, "screen:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, title string, cols, rows int) error {
	if cols < 1 || cols > 1000 || rows < 1 || rows > 1000 {
		return fmt.Errorf("%d columns and %d rows: want 1 to 1000 of each", cols, rows)
	}
	screen, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	_, err = out.Write(svg.Screen(string(screen), title, cols, rows))
	return err
}

// Package svg draws a terminal screen as a picture.
package svg

// Screen returns an SVG of screen, text with ANSI colours as a terminal
// program writes it or tmux capture-pane -e -p prints it, in a window of cols
// by rows cells with that title.
func Screen(screen, title string, cols, rows int) []byte {
	return nil
}

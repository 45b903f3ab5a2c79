// Package svg draws a terminal screen as a picture.
package svg

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
)

// Sizes in the picture's units. A monospace letter is about 0.6 of its height
// wide; textLength makes sure of it. Rows are as close as lets the usual fonts'
// vertical lines meet.
const (
	cellWidth  = 8.4
	cellHeight = 16.4
	fontSize   = 14
	baseline   = 12.8
	margin     = 14.0
	titleBar   = 30.0
	round      = 8
)

// fonts is a stack: what a reader's system has first is taken.
const fonts = `ui-monospace, "SFMono-Regular", "Cascadia Mono", Menlo, "DejaVu Sans Mono", Consolas, "Liberation Mono", monospace`

// The colours of the window.
const (
	background = "#16181d"
	foreground = "#e6e6e6"
	frame      = "#2a2d34"
	titleInk   = "#a8adb8"
)

// Screen returns an SVG of screen, text with ANSI colours as a terminal
// program writes it or tmux capture-pane -e -p prints it, in a window of cols
// by rows cells with that title. Of the control sequences it follows those
// that set colours (SGR) and skips the others. What does not fit is left out.
func Screen(screen, title string, cols, rows int) []byte {
	grid := parse(screen, cols, rows)
	w, h := 2*margin+float64(cols)*cellWidth, titleBar+2*margin+float64(rows)*cellHeight
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img">`+"\n", w, h, w, h)
	fmt.Fprintf(&b, "<title>%s</title>\n", escape(title))
	fmt.Fprintf(&b, `<rect width="%.0f" height="%.0f" rx="%d" fill="%s"/>`+"\n", w, h, round, background)
	fmt.Fprintf(&b, `<path d="M0 %.0fV%dA%d %d 0 0 1 %d 0H%.0fA%d %d 0 0 1 %.0f %dV%.0fZ" fill="%s"/>`+"\n",
		titleBar, round, round, round, round, w-round, round, round, w, round, titleBar, frame)
	for i, c := range []string{"#ff5f57", "#febc2e", "#28c840"} {
		fmt.Fprintf(&b, `<circle cx="%d" cy="%.0f" r="5.5" fill="%s"/>`+"\n", 18+18*i, titleBar/2, c)
	}
	fmt.Fprintf(&b, `<text x="%.0f" y="%.1f" text-anchor="middle" font-family='%s' font-size="12.5" fill="%s">%s</text>`+"\n",
		w/2, titleBar/2+4.5, fonts, titleInk, escape(title))
	fmt.Fprintf(&b, `<g font-family='%s' font-size="%d" fill="%s" xml:space="preserve">`+"\n", fonts, fontSize, foreground)
	for y, row := range grid {
		writeRow(&b, row, margin, titleBar+margin+float64(y)*cellHeight)
	}
	b.WriteString("</g>\n</svg>\n")
	return b.Bytes()
}

// writeRow draws the runs of cells that look the same. Each has its own place
// and length, so that a font of another width does not shift the columns.
func writeRow(b *bytes.Buffer, row []cell, left, top float64) {
	for x := 0; x < len(row); {
		end, ink := x+1, row[x].ink
		for end < len(row) && row[end].ink == ink {
			end++
		}
		if bg := ink.back(); bg != "" {
			fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n",
				left+float64(x)*cellWidth, top, float64(end-x)*cellWidth, cellHeight, bg)
		}
		writeText(b, row[x:end], left+float64(x)*cellWidth, top+baseline, ink)
		x = end
	}
}

func writeText(b *bytes.Buffer, run []cell, x, y float64, ink ink) {
	for len(run) > 0 && run[0].blank() {
		run, x = run[1:], x+cellWidth
	}
	for len(run) > 0 && run[len(run)-1].blank() {
		run = run[:len(run)-1]
	}
	if len(run) == 0 {
		return
	}
	var text strings.Builder
	for _, c := range run {
		text.WriteString(c.text) // a wide character's second cell is empty
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" textLength="%.1f"`, x, y, float64(len(run))*cellWidth)
	if c := ink.front(); c != foreground {
		fmt.Fprintf(b, ` fill="%s"`, c)
	}
	if ink.bold {
		b.WriteString(` font-weight="bold"`)
	}
	if ink.italic {
		b.WriteString(` font-style="italic"`)
	}
	if ink.underline {
		b.WriteString(` text-decoration="underline"`)
	}
	if ink.faint {
		b.WriteString(` opacity="0.65"`)
	}
	fmt.Fprintf(b, ">%s</text>\n", escape(text.String()))
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

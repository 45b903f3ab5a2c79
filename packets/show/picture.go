package show

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"wirelab/internal/cells"
	"wirelab/internal/style"
	"wirelab/packets"
	"wirelab/packets/layer"
)

// A Picture draws the nesting of one packet's layers.
type Picture struct {
	Width   int // cells; if zero, 80; at least 78 and at most 160 are used
	Palette *style.Palette
}

// leftWidth is the space of the layers' names at the left: OSI's and TCP/IP's.
const (
	osiWidth  = 15
	tcpWidth  = 14
	leftWidth = osiWidth + tcpWidth
)

func (v Picture) width() int {
	if v.Width <= 0 {
		return 80
	}
	return min(max(v.Width, 78), 160)
}

// Head returns the lines that say which packet it is.
func (v Picture) Head(e *Entry) []string {
	s := fmt.Sprintf("Packet %d", e.Number)
	rest := []string{Seconds(e.Since, 200) + " s"}
	if e.Interface != "" {
		at := "at " + e.Interface
		if e.Direction != packets.NoDirection {
			at += " (" + e.Direction.String() + ")"
		}
		rest = append(rest, at)
	}
	size := fmt.Sprintf("%d bytes", e.Length)
	if e.Kept < e.Length {
		size += fmt.Sprintf(", %d of them captured", e.Kept)
	}
	rest = append(rest, e.Source+" → "+e.Destination, size)
	lines := []string{v.Palette.Name.Render(s) + v.cut("  "+strings.Join(rest, " · "), v.width()-cells.Width(s))}
	lines = append(lines, v.cut(e.Protocol+": "+e.Info, v.width()))
	if e.Segment != nil && e.Segment.Flags != 0 {
		lines = append(lines, v.Palette.Grade(2).Render(cells.Cut("TCP analysis: "+strings.Join(e.Segment.Flags.Names(), ", "), v.width())))
	}
	if e.Comment != "" {
		lines = append(lines, v.Palette.Grade(3).Render(cells.Cut(cells.Visible("the capture says: "+e.Comment), v.width())))
	}
	if e.Problem != "" {
		lines = append(lines, v.Palette.Error.Render(cells.Cut(cells.Visible(e.Problem), v.width())))
	}
	return lines
}

func (v Picture) cut(s string, width int) string { return cells.Cut(cells.Visible(s), width) }

// osiNames are the layers of OSI, from 1.
var osiNames = [...]string{"", "physical", "data link", "network", "transport", "session", "presentation", "application"}

// Tree returns the whole picture as lines: the stairs, the overhead, and the
// boxes with every field.
func (v Picture) Tree(layers []layer.Layer, data []byte) []string {
	if len(layers) == 0 {
		return []string{v.Palette.Dim.Render("no bytes")}
	}
	lines := v.Stairs(layers)
	lines = append(lines, "")
	lines = append(lines, v.Overhead(layers, len(data))...)
	lines = append(lines, "")
	return append(lines, v.Boxes(layers, data)...)
}

// A part is what a layer is in the picture.
type part struct {
	layer.Layer
	colour int
	letter string
}

// parts gives each layer its colour and letter.
func parts(layers []layer.Layer) []part {
	all := make([]part, len(layers))
	used := map[string]bool{}
	for i, l := range layers {
		all[i] = part{Layer: l, colour: i}
		if l.Abbrev == "data" || l.Abbrev == "trailer" {
			all[i].letter = map[string]string{"data": "·", "trailer": "="}[l.Abbrev]
			continue
		}
		// Messages beside each other have a letter and their number.
		if i > 0 && l.Abbrev == layers[i-1].Abbrev && l.OSI == 7 || i+1 < len(layers) && l.Abbrev == layers[i+1].Abbrev && l.OSI == 7 {
			n := 1
			for k := i - 1; k >= 0 && layers[k].Abbrev == l.Abbrev; k-- {
				n++
			}
			all[i].letter = strings.ToUpper(l.Abbrev[:1])
			used[all[i].letter] = true
			all[i].letter += itoa(n % 10)
			continue
		}
		for _, c := range strings.ToUpper(l.Abbrev+l.Name) + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" {
			if s := string(c); c >= 'A' && c <= 'Z' && !used[s] {
				all[i].letter = s
				used[s] = true
				break
			}
		}
		if all[i].letter == "" {
			all[i].letter = "?"
		}
	}
	return all
}

// payload is how many bytes of l are what it carries.
func payload(l *layer.Layer) int { return l.Len - l.HeaderLen }

// shortName is a layer's name where there is little room.
func shortName(l *layer.Layer) string {
	switch l.Abbrev {
	case "chat":
		return "chat"
	case "eth":
		return "Eth"
	case "sll", "sll2":
		return "SLL"
	case "ip6-ext":
		return "ext"
	case "vlan":
		return "VLAN"
	}
	return l.Name
}

// Overhead returns a table: what each layer adds, in bytes and as a share of
// the packet.
func (v Picture) Overhead(layers []layer.Layer, total int) []string {
	lines := []string{v.Palette.Dim.Render(fmt.Sprintf("%-24s %9s %9s", "what adds what", "bytes", "share"))}
	bar := min(40, v.width()-48)
	row := func(name string, n int, st lipgloss.Style) {
		if n == 0 {
			return
		}
		s := strings.Repeat("█", max(0, (n*bar+total/2)/max(total, 1)))
		if s == "" {
			s = "▏"
		}
		lines = append(lines, fmt.Sprintf("%s %9d %7.1f %%  %s", cells.Pad(cells.Visible(name), 24), n, 100*float64(n)/float64(max(total, 1)), st.Render(s)))
	}
	message := 0
	for i, p := range parts(layers) {
		own := p.HeaderLen
		if p.Abbrev == "trailer" {
			row("trailer", own, v.Palette.Field(i))
			continue
		}
		row(p.Name+" header", own, v.Palette.Field(i))
		message += unclaimed(&layers[i])
	}
	row("payload: the message", message, v.Palette.Name)
	if total > 0 {
		lines = append(lines, fmt.Sprintf("%s %9d %7.1f %%  to carry %s", cells.Pad("all headers", 24), total-message, 100*float64(total-message)/float64(total), bytesOf(message)))
	}
	return lines
}

// unclaimed is how many bytes of what l carries no layer after it takes: a
// message, for people or for a program.
func unclaimed(l *layer.Layer) (n int) {
	if l.Abbrev == "trailer" {
		return 0
	}
	for _, f := range l.Fields {
		if f.Off >= l.Off+l.HeaderLen {
			n += f.Len
		}
	}
	return n
}

func bytesOf(n int) string {
	if n == 1 {
		return "1 byte"
	}
	return itoa(n) + " bytes"
}

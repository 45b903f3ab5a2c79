package framing

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"wirelab/internal/cells"
	"wirelab/packets"
)

// Sizes of the SVG in its own units. A column is as wide as a letter of the
// monospaced font is at most.
const (
	svgColumn  = 7
	svgLine    = 18
	svgBox     = 22
	svgColumns = 150
	svgMargin  = 80
	svgEdge    = 16
)

const svgStyle = `
text { white-space: pre; font: 11px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #222 }
.title { font-weight: bold; font-size: 13px }
.dim { fill: #666 }
.tick { font-size: 9px; fill: #666 }
.wrong { fill: #a40000 }
.box { stroke: #444; stroke-width: 1 }
.plain { fill: #e8eef7 } .late { fill: #ffd9a0 } .lost { fill: #fbd5d5; stroke-dasharray: 3 2 }
.again { fill: #eee; stroke-dasharray: 3 2 } .frame0 { fill: #d5ecd4 } .frame1 { fill: #bfe0d9 }
.bad { fill: #f3b4b4 } .wait { fill: #ffe9c7; stroke: none } .blocked { fill: #ffd0d8; stroke: none }
.cut { stroke: #c00; stroke-width: 1.5; stroke-dasharray: 2 2 }
.guide { stroke: #bbb; stroke-width: .6 }
`

// SVG writes the report as a picture. It holds no link and no script, and all
// text in it is escaped.
func (r *Report) SVG(w io.Writer) error {
	s := &svg{begin: r.Begin, y: svgEdge}
	for _, d := range r.Directions {
		s.direction(d)
	}
	if len(r.Directions) == 0 {
		s.text(svgEdge, "dim", "no messages")
	}
	if r.Left > 0 {
		s.text(svgEdge, "wrong", count(r.Left, "flow")+" ended early to make room for others")
	}
	width, height := svgMargin+svgColumns*svgColumn+2*svgEdge, s.y+svgEdge
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">`+"\n", width, height, width, height)
	fmt.Fprintf(out, "<style>%s</style>\n<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", svgStyle, width, height)
	io.WriteString(out, s.b.String())
	io.WriteString(out, "</svg>\n")
	return out.Flush()
}

type svg struct {
	b     strings.Builder
	y     int
	begin time.Time
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a Builder does not fail
	return b.String()
}

func (s *svg) at(x, y int, class, text string) {
	fmt.Fprintf(&s.b, `<text x="%d" y="%d" class="%s">%s</text>`+"\n", x, y, class, escape(text))
}

// text writes a line, wrapped.
func (s *svg) text(x int, class, text string) {
	room := svgColumns + (svgMargin-x)/svgColumn
	for _, l := range cells.Wrap(text, room, room) {
		s.y += svgLine
		s.at(x, s.y-5, class, l)
	}
}

func (s *svg) direction(d *Direction) {
	s.text(svgEdge, "title", d.title())
	s.text(svgEdge, "dim", d.totals())
	if len(d.Kept) > 0 && d.Flow.Protocol == packets.ProtocolTCP {
		p := newPicture(d, svgColumns)
		for _, b := range p.bands(svgColumns) {
			s.band(&b)
		}
	}
	s.y += 6
	for i := range d.Kept {
		m := &d.Kept[i]
		class := "list"
		if m.Err != "" {
			class = "wrong"
		}
		where := fmt.Sprintf("%d–%d", m.Start, m.End)
		if d.Flow.Protocol == packets.ProtocolUDP {
			where = count(m.End, "byte")
		}
		s.text(svgEdge, class, cells.Cut(fmt.Sprintf("%4d  %s  %.6f s  %s  %s", i+1, cells.PadLeft(where, 15), m.Complete.Sub(s.begin).Seconds(), cells.Pad(carriers(&m.Frame), 18), m.Summary), svgColumns))
		for _, l := range story(m) {
			s.text(svgEdge+6*svgColumn, "dim", l)
		}
		if m.Err != "" {
			s.text(svgEdge+6*svgColumn, "wrong", m.Err)
		}
	}
	if n := d.Frames - len(d.Kept); n > 0 {
		s.text(svgEdge, "dim", fmt.Sprintf("… and %d more", n))
	}
	s.y += svgLine
}

var svgClasses = [...]string{plainBox: "plain", lateBox: "late", lostBox: "lost", againBox: "again", badBox: "bad", waitBox: "wait", blockedBox: "blocked"}

func (s *svg) band(b *band) {
	s.y += svgLine
	last := 0
	for i, t := range b.ticks {
		text := strconv.FormatUint(t.at, 10)
		x := svgMargin + t.x*svgColumn
		if i == 0 || x >= last {
			s.at(x, s.y-4, "tick", text)
			last = x + len(text)*6 + 4
		}
		fmt.Fprintf(&s.b, `<line x1="%d" y1="%d" x2="%d" y2="%d" class="guide"/>`+"\n", x, s.y, x, s.y+len(b.rows)*svgBox)
	}
	for _, r := range b.rows {
		s.at(svgEdge, s.y+15, "dim", r.name)
		for i := range r.boxes {
			c := &r.boxes[i]
			class := fmt.Sprintf("frame%d", c.index%2)
			if c.kind != frameBox {
				class = svgClasses[c.kind]
			}
			x, w := svgMargin+c.x0*svgColumn, (c.x1-c.x0)*svgColumn
			fmt.Fprintf(&s.b, `<rect x="%d" y="%d" width="%d" height="%d" class="box %s"><title>%s</title></rect>`+"\n", x, s.y+2, w, svgBox-4, class, escape(c.long))
			at, width := c.room()
			s.at(svgMargin+at*svgColumn-2, s.y+15, "label", cells.Cut(c.label, width))
			for _, cut := range c.cuts {
				x := svgMargin + cut*svgColumn
				fmt.Fprintf(&s.b, `<line x1="%d" y1="%d" x2="%d" y2="%d" class="cut"/>`+"\n", x, s.y, x, s.y+svgBox)
			}
		}
		s.y += svgBox
	}
}

package show

import (
	"fmt"
	"strings"

	"wirelab/internal/cells"
	"wirelab/packets/layer"
)

// Hex returns a packet's bytes, 16 in a line, each layer's own in its colour.
// Without colours a row of letters below each line says the same: a letter
// begins a layer's bytes, a line goes on with them. The last lines name the
// letters.
func (v Picture) Hex(layers []layer.Layer, data []byte) []string {
	all := parts(layers)
	owner := make([]int, len(data))
	for i := range all {
		for _, f := range all[i].Fields {
			for at := f.Off; at < f.Off+f.Len; at++ {
				owner[at] = i
			}
		}
	}
	each := 16
	if v.width() >= 144 {
		each = 32
	}
	plain := v.Palette.Field(0).Render("x") == "x"
	var lines []string
	for at := 0; at < len(data); at += each {
		row := data[at:min(at+each, len(data))]
		var hex, chars, marks strings.Builder
		for i, c := range row {
			own := owner[at+i]
			st := v.Palette.Field(all[own].colour)
			gap, filler := "", ""
			if i > 0 {
				gap, filler = " ", " "
				if i%8 == 0 {
					gap, filler = "  ", "  "
				}
				if owner[at+i-1] == own {
					filler = strings.Repeat("─", len(gap))
				}
			}
			hex.WriteString(gap + st.Render(fmt.Sprintf("%02x", c)))
			mark := "──"
			if i == 0 || owner[at+i-1] != own {
				end := "─"
				if i+1 == len(row) || owner[at+i+1] != own {
					end = " "
				}
				mark = all[own].letter
				if cells.Width(mark) < 2 {
					mark += end
				}
			}
			marks.WriteString(filler + mark)
			shown := "."
			if c >= 0x20 && c < 0x7f {
				shown = string(rune(c))
			}
			chars.WriteString(st.Render(shown))
		}
		pad := strings.Repeat(" ", hexWidth(each)-hexWidth(len(row)))
		lines = append(lines, v.Palette.Dim.Render(fmt.Sprintf("%04x", at))+"  "+hex.String()+pad+"  "+chars.String())
		if plain {
			lines = append(lines, strings.TrimRight("      "+marks.String(), " "))
		}
	}
	return append(lines, v.legend(all, plain)...)
}

// hexWidth is how many cells n bytes take.
func hexWidth(n int) int {
	if n == 0 {
		return 0
	}
	return 3*n - 1 + (n-1)/8
}

// legend names the layers in their colours, or with their letters.
func (v Picture) legend(all []part, plain bool) []string {
	lines := []string{""}
	used := 0
	for _, p := range all {
		own := 0
		for _, f := range p.Fields {
			own += f.Len
		}
		s := fmt.Sprintf("%s %s (%d)", p.letter, p.Name, own)
		if !plain {
			s = fmt.Sprintf("%s (%d)", p.Name, own)
		}
		s = cells.Cut(cells.Visible(s), v.width())
		if used > 0 && used+3+cells.Width(s) > v.width() {
			lines = append(lines, "")
			used = 0
		}
		if used > 0 {
			lines[len(lines)-1] += "   "
			used += 3
		}
		lines[len(lines)-1] += v.Palette.Field(p.colour).Render(s)
		used += cells.Width(s)
	}
	return lines
}

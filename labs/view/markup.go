package view

import (
	"bytes"
	"html"
	"io"
	"regexp"

	"wirelab/internal/cells"
	"wirelab/internal/style"
)

// CSS has the looks of the HTML that pictures and tables write, on light and on
// dark pages. A page puts it into its style element once.
const CSS = `
figure.view{margin:1.2em 0;overflow-x:auto}
figure.view svg{max-width:100%;height:auto}
figure.view figcaption{color:#5a5a5a;max-width:60em}
table.view{border-collapse:collapse;font-variant-numeric:tabular-nums}
table.view th,table.view td{text-align:left;padding:.2em .9em .2em 0;border-bottom:1px solid #d0d4da;vertical-align:top}
table.view th.n,table.view td.n{text-align:right}
table.view .good{color:#2f6b00}
table.view .bad{color:#b3001b}
table.view .dim{color:#5a5a5a}
table.view caption{text-align:left;caption-side:bottom;color:#5a5a5a}
pre.view{font-family:ui-monospace,'SFMono-Regular','Cascadia Mono',Menlo,'DejaVu Sans Mono',Consolas,'Liberation Mono',monospace;font-size:12px;line-height:1.25;overflow-x:auto}
@media (prefers-color-scheme:dark){
figure.view figcaption,table.view .dim,table.view caption{color:#a3a3a3}
table.view th,table.view td{border-color:#3c4048}
table.view .good{color:#a5d66f}
table.view .bad{color:#ff8080}
}
`

// escaped makes text safe for the eye and for HTML and XML.
func escaped(s string) string { return html.EscapeString(cells.Visible(s)) }

// Scoped returns an SVG of this program's so that several can stand in one
// page: its rules are nested below its id, and the names of its parts are its
// own. Anything else comes back as it is.
func Scoped(svg []byte, id string) []byte {
	const begin, end = "<style>", "</style>"
	if !bytes.HasPrefix(svg, []byte("<svg ")) {
		return svg
	}
	out := append([]byte(`<svg id="`+escaped(id)+`" `), svg[len("<svg "):]...)
	// Text is escaped, so the first tags of that name are the picture's own.
	if i := bytes.Index(out, []byte(begin)); i >= 0 {
		if n := bytes.Index(out[i:], []byte(end)); n >= 0 {
			head, rules, rest := out[:i+len(begin)], out[i+len(begin):i+n], out[i+n:]
			rules = regexp.MustCompile(`:root\{([^{}]*)\}`).ReplaceAll(rules, []byte("$1")) // its own variables
			out = bytes.Join([][]byte{head, []byte("#" + escaped(id) + "{"), rules, []byte("}"), rest}, nil)
		}
	}
	for _, part := range []struct{ from, to string }{
		{`<clipPath id="`, `<clipPath id="` + escaped(id) + `-`},
		{`clip-path="url(#`, `clip-path="url(#` + escaped(id) + `-`},
	} {
		out = bytes.ReplaceAll(out, []byte(part.from), []byte(part.to))
	}
	return out
}

// colourless draws what a page shows as text.
func colourless() *style.Palette { return style.NewPalette(io.Discard, true) }

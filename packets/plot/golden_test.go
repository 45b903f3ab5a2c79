package plot_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"wirelab/internal/cells"
	"wirelab/packets/plot"
)

// The pictures are looked at when they change.
func TestPictures(t *testing.T) {
	c := lab(t)
	for _, kind := range plot.Kinds() {
		_, p := c.plot(plot.Choice{Kind: kind})
		for _, size := range [][2]int{{80, 24}, {200, 50}} {
			text := p.Text(size[0], size[1], plain())
			lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
			if len(lines) != size[1] {
				t.Errorf("%s: %d lines, want %d", kind, len(lines), size[1])
			}
			for i, l := range lines {
				if w := cells.Width(l); w > size[0] {
					t.Errorf("%s: line %d is %d cells wide, want at most %d: %s", kind, i+1, w, size[0], l)
				}
			}
			golden(t, fmt.Sprintf("%s.%dx%d.txt", kind, size[0], size[1]), []byte(text))
		}
		var b bytes.Buffer
		if err := p.SVG(&b); err != nil {
			t.Fatal(err)
		}
		wellFormed(t, b.Bytes())
		golden(t, string(kind)+".svg", b.Bytes())
	}
	target, p := c.plot(plot.Choice{Kind: plot.Window, Direction: "b"})
	var b bytes.Buffer
	if err := target.JSON(&b, p); err != nil {
		t.Fatal(err)
	}
	golden(t, "window.b.json", b.Bytes())
}

// wellFormed fails if b is no XML or asks for anything outside itself.
func wellFormed(t *testing.T, b []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if n := e.Name.Local; n == "script" || n == "image" || n == "use" || n == "foreignObject" {
			t.Errorf("<%s> in the picture", n)
		}
		for _, a := range e.Attr {
			if a.Name.Local == "d" && !strings.HasPrefix(a.Value, "M") {
				t.Errorf("a path of %.20q… begins nowhere", a.Value)
			}
			if a.Name.Local == "href" || strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Value, "url(") && !strings.Contains(a.Value, "url(#") {
				t.Errorf("%s=%q in the picture", a.Name.Local, a.Value)
			}
		}
	}
}

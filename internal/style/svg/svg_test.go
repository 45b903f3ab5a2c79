package svg

import (
	"encoding/xml"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

const screen = "\x1b[1mbold\x1b[0m \x1b[2mfaint\x1b[22m \x1b[3mitalic\x1b[23m \x1b[4munder\x1b[24m\r\n" +
	"\x1b[31mred\x1b[39m \x1b[94mblue\x1b[0m \x1b[38;5;208mcube\x1b[0m \x1b[38;5;244mgrey\x1b[0m \x1b[38;2;1;2;3mrgb\x1b[0m\n" +
	"\x1b[7mreversed\x1b[27m \x1b[41;97mon red\x1b[0m \x1b[48;2;9;9;9m  \x1b[0m\n" +
	"你好 e\u0301 <&> ── ✓\n" +
	"this line is longer than the screen\n" +
	"\x1b[2J\x1b[Hskipped\x1b]0;title\x07\n" +
	"below the screen"

func TestScreen(t *testing.T) {
	const file = "testdata/screen.svg"
	got := Screen(screen, `a "title" <&>`, 24, 6)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("Screen (-want +got; -update accepts it):\n%s", diff)
	}
}

func TestParse(t *testing.T) {
	grid := parse(screen, 24, 6)
	var rows []string
	for _, row := range grid {
		var b strings.Builder
		for _, c := range row {
			b.WriteString(c.text)
		}
		rows = append(rows, strings.TrimRight(b.String(), " "))
	}
	want := []string{"bold faint italic under", "red blue cube grey rgb", "reversed on red", "你好 e\u0301 <&> ── ✓", "this line is longer than", "skipped"}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	for _, tt := range []struct {
		y, x        int
		front, back string
	}{
		{0, 0, foreground, ""},
		{1, 0, basic[1], ""},
		{1, 4, basic[12], ""},
		{1, 9, "#ff8700", ""},
		{1, 14, "#808080", ""},
		{1, 19, "#010203", ""},
		{2, 0, background, foreground},
		{2, 9, basic[15], basic[1]},
		{2, 16, foreground, "#090909"},
	} {
		if c := grid[tt.y][tt.x].ink; c.front() != tt.front || c.back() != tt.back {
			t.Errorf("row %d, column %d is %s on %q, want %s on %q", tt.y, tt.x, c.front(), c.back(), tt.front, tt.back)
		}
	}
}

// Whatever is on the screen, the picture is XML that ends.
func FuzzAnyScreenIsWellFormed(f *testing.F) {
	f.Add(screen, 80, 24)
	f.Add("\x1b[38;5m\x1b[38;2;1mx\x1b[999999999999m", 3, 3)
	f.Add("\x00\x1b[\xff", 1, 1)
	f.Fuzz(func(t *testing.T, screen string, cols, rows int) {
		if cols < 1 || cols > 200 || rows < 1 || rows > 60 {
			t.Skip()
		}
		d := xml.NewDecoder(strings.NewReader(string(Screen(screen, screen, cols, rows))))
		for {
			if _, err := d.Token(); err == io.EOF {
				return
			} else if err != nil {
				t.Fatal(err)
			}
		}
	})
}

package view

import (
	"io"
	"strings"
	"testing"

	"wirelab/internal/cells"
	"wirelab/internal/style"
)

func plainText(t *Table, width int) string {
	return strings.Join(t.Text(width, colourless()), "\n")
}

func rowOf(texts ...string) (row []Cell) {
	for _, s := range texts {
		row = append(row, Cell{Text: s})
	}
	return row
}

func TestTableAlignsNumbersRightAndTextLeft(t *testing.T) {
	table := &Table{Heads: []string{"t", "what"}, Right: []bool{true, false}, Rows: [][]Cell{rowOf("5 ms", "SYN"), rowOf("105 ms", "ACK")}}
	want := "     t  what\n  5 ms  SYN\n105 ms  ACK"
	if got := plainText(table, 60); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// However narrow: no line is wider than asked for, and numbers are whole as long
// as text can give way.
func TestTableFitsEveryWidth(t *testing.T) {
	table := &Table{
		Heads: []string{"step", "a very long head of a column", "n", "名前"}, Right: []bool{false, false, true, false},
		Rows: [][]Cell{rowOf("first", "some words that go on and on and on and on", "1,234,567 B", "日本語のテキストはここにあります"), rowOf("x", "y", "2 B", "z")},
		Note: "a note that is longer than the table is wide, perhaps",
	}
	for _, wrap := range []bool{false, true} {
		table.Wrap = wrap
		for width := 12; width < 130; width++ {
			text := plainText(table, width)
			for line := range strings.SplitSeq(text, "\n") {
				if w := cells.Width(line); w > width {
					t.Fatalf("wrap %v, width %d: a line of %d cells: %q", wrap, width, w, line)
				}
			}
			if width >= 40 && !strings.Contains(text, "1,234,567 B") {
				t.Errorf("wrap %v, width %d: the number was cut:\n%s", wrap, width, text)
			}
		}
	}
}

func TestTableTellsWhatIsLeftOut(t *testing.T) {
	table := &Table{Heads: []string{"a"}, Rows: [][]Cell{rowOf("1")}, More: 12}
	if got := plainText(table, 60); !strings.Contains(got, "… and 12 rows more") {
		t.Errorf("got %q", got)
	}
	var heads []string
	for range 30 {
		heads = append(heads, "column")
	}
	if got := plainText(&Table{Heads: heads}, 60); !strings.Contains(got, "20 columns more") {
		t.Errorf("30 columns in 60 cells: got %q, want it said that 20 are left out", got)
	}
	var b strings.Builder
	if err := table.HTML(&b); err != nil || !strings.Contains(b.String(), "and 12 rows more") {
		t.Errorf("HTML = %q, %v", b.String(), err)
	}
}

const hostile = "\x1b[31m<script>alert(1)</script>\u202e\"'&\n\x00"

func TestTableMakesHostileTextHarmless(t *testing.T) {
	table := &Table{Heads: []string{hostile}, Rows: [][]Cell{rowOf(hostile), {{hostile, Bad}}}, Empty: hostile, Note: hostile, Wrap: true}
	for line := range strings.SplitSeq(plainText(table, 60), "\n") {
		if style.Visible(line) != line {
			t.Errorf("a line that a terminal obeys: %q", line)
		}
	}
	var b strings.Builder
	if err := table.HTML(&b); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); strings.Contains(s, "<script") || strings.ContainsAny(s, "\x1b\x00\u202e") {
		t.Errorf("HTML passes it on: %q", s)
	}
}

// Without colour a table says the same.
func TestTableNeedsNoColour(t *testing.T) {
	table := &Table{Heads: []string{"a"}, Rows: [][]Cell{{{"✓ right", Good}}, {{"✗ wrong", Bad}}}}
	if got := plainText(table, 60); strings.Contains(got, "\x1b") || !strings.Contains(got, "✗ wrong") {
		t.Errorf("got %q", got)
	}
}

func TestProseFillsParagraphsAndKeepsIndentedLines(t *testing.T) {
	text := "One line\nand another.\n\n    kept   as it is\n\n    and this\nThen text."
	want := []string{"One line and another.", "", "    kept   as it is", "", "    and this", "", "Then text."}
	if got := Prose(text, 40); strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Prose(text, 12); strings.Join(got[:2], "|") != "One line and|another." {
		t.Errorf("in 12 cells: %q", got)
	}
	html := ProseHTML("a <b>\n\n    x < y\n")
	if html != "<p>a &lt;b&gt;</p>\n<pre class=\"view\">x &lt; y\n</pre>\n" {
		t.Errorf("HTML = %q", html)
	}
}

func FuzzProseIsSafeAndFits(f *testing.F) {
	f.Add("a\n\n    b\tc\r\n d", 20)
	f.Add(hostile, 1)
	f.Add("\n    \n    x\n\n\n", 10)
	f.Fuzz(func(t *testing.T, text string, width int) {
		width = 8 + abs(width%120)
		for _, l := range Prose(text, width) {
			if style.Visible(l) != l || cells.Width(l) > width {
				t.Errorf("Prose(%q, %d) has the line %q", text, width, l)
			}
		}
		if s := ProseHTML(text); strings.Contains(s, "\x1b") {
			t.Errorf("ProseHTML(%q) = %q", text, s)
		}
	})
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

func TestBarsHaveOneScaleForADimension(t *testing.T) {
	c := &chart{bars: []bar{{"theory", 40, "time", "40 ms"}, {"run", 20, "time", "20 ms"}, {"loss", 0.5, "share", "50 %"}, {"none", 0, "time", "0 ms"}, {"below", -3, "time", "−3 ms"}}}
	lines := c.text(60, 12, colourless())
	count := func(i int) int { return strings.Count(lines[i], "█") }
	if full := count(0); full < 30 || count(1) != full/2 || count(2) != full || count(3) != 0 || count(4) != 0 {
		t.Errorf("got\n%s", strings.Join(lines, "\n"))
	}
	for _, l := range lines {
		if cells.Width(l) > 60 {
			t.Errorf("%d cells: %q", cells.Width(l), l)
		}
	}
	if err := c.markup(io.Discard); err != nil {
		t.Error(err)
	}
}

package check

import (
	"strings"
	"testing"
	"time"

	"wirelab/internal/cells"
	"wirelab/internal/style"
)

func TestHexdump(t *testing.T) {
	b := []byte("0123456789abcdefGHIJ\x00\xff")
	for _, tt := range []struct {
		at   int
		want string
	}{
		{-1, "0000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  0123456789abcdef\n" +
			"0010  47 48 49 4a 00 ff                                 GHIJ.."},
		{0, "0000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  0123456789abcdef\n" +
			"      ^^\n" +
			"0010  47 48 49 4a 00 ff                                 GHIJ.."},
		{9, "0000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  0123456789abcdef\n" +
			"                                  ^^\n" +
			"0010  47 48 49 4a 00 ff                                 GHIJ.."},
		{22, "0000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  0123456789abcdef\n" +
			"0010  47 48 49 4a 00 ff                                 GHIJ..\n" +
			"                        ^^"},
	} {
		if got := strings.Join(hexdump(b, tt.at), "\n"); got != tt.want {
			t.Errorf("hexdump(%d) =\n%s\nwant\n%s", tt.at, got, tt.want)
		}
	}
	// Around a place far inside, only its neighbourhood.
	if got := hexdump(make([]byte, 1000), 500); len(got) > 6 || !strings.HasPrefix(got[0], "01e0") {
		t.Errorf("hexdump(500) = %q", got)
	}
	if got := hexdump(nil, 0); len(got) != 2 {
		t.Errorf("hexdump of nothing = %q", got)
	}
}

// A report says what was sent, what was expected, what came and where it
// differs; what a program wrote cannot move the cursor, and no line is too wide.
func TestWrite(t *testing.T) {
	f := &Failure{
		Kind: WrongBytes, What: "a: byte 3 is wrong", Line: 12, Text: `a < "hello\n"`, Name: "a",
		Want: []byte("hello\n"), Got: []byte("heLLo\x1b[2J\n"), At: 2, compared: true, Waited: 1234567 * time.Nanosecond,
		Before: []Exchange{{At: 12 * time.Millisecond, Name: "a", Up: true, Data: []byte("hello\n"), Size: 6}, {Name: "a", Do: "connect", Up: true}},
		Output: []byte("one\n\x1b]0;title\x07two\n" + strings.Repeat("w", 300)),
		Hints:  []string{"look at the third"},
	}
	var b strings.Builder
	if err := f.Write(&b, 60, style.NewPalette(&b, true)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"wrong bytes: a: byte 3 is wrong", `a < "hello\n"   (line 12 of the lab)`, `expected    "hello\n"`, `came        "heLLo\x1b[2J\n"`,
		"byte 3: want 6c, came 4c", "0000  68 65 4c 4c 6f 1b", "            ^^", "waited      1.2ms", `12ms  a > "hello\n"`, "| one", "| ␛]0;title", "hint        look at the third",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in:\n%s", want, b.String())
		}
	}
	if strings.ContainsAny(b.String(), "\x1b\x07") {
		t.Errorf("the report has control characters: %q", b.String())
	}
	for line := range strings.Lines(b.String()) {
		if w := cells.Width(strings.TrimRight(line, "\n")); w > 60 {
			t.Errorf("%d cells: %s", w, line)
		}
	}
}

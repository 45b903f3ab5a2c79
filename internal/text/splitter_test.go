package text

import (
	"fmt"
	"strings"
	"testing"
)

// cut feeds the pieces and returns the lines, "(too long)" for one that was.
func cut(pieces ...string) []string {
	var s splitter
	var lines []string
	take := func(line []byte, over bool) {
		if over {
			lines = append(lines, "(too long)")
			return
		}
		lines = append(lines, string(line))
	}
	for _, p := range pieces {
		s.feed([]byte(p), take)
	}
	if len(s.line) > 0 || s.over {
		s.end(take)
	}
	return lines
}

func TestSplitter(t *testing.T) {
	long := strings.Repeat("x", MaxLine)
	for _, tt := range []struct {
		name, in string
		want     []string
	}{
		{"lines", "a\nb\n", []string{"a", "b"}},
		{"CR LF", "a\r\nb\r\n", []string{"a", "b"}},
		{"CR inside", "a\rb\n", []string{"a\rb"}},
		{"no end", "a\nb", []string{"a", "b"}},
		{"empty lines", "\n\r\n", []string{"", ""}},
		{"NUL", "a\x00b\r\x00\n", []string{"ab"}},
		{"as long as may be", long + "\n", []string{long}},
		{"too long", long + "x\nb\n", []string{"(too long)", "b"}},
		{"will and do", "\xff\xfb\x01a\xff\xfd\x03b\n", []string{"ab"}},
		{"subnegotiation", "a\xff\xfa\x1f\x00\x50\xff\xff\x00\x18\xff\xf0b\n", []string{"ab"}},
		{"interrupt", "a\xff\xf4b\n", []string{"ab"}},
		{"option that looks like LF", "\xff\xfd\na\n", []string{"a"}},
		{"UTF-8", "é\n", []string{"é"}},
	} {
		if got := cut(tt.in); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", tt.want) {
			t.Errorf("%s: lines of %.40q = %.80q, want %.80q", tt.name, tt.in, got, tt.want)
		}
	}
}

func FuzzCuttingTheStreamAnywhereChangesNothing(f *testing.F) {
	f.Add("a\r\nb\xff\xfa\x1f\xff\xf0c\n", uint(3))
	f.Fuzz(func(t *testing.T, in string, at uint) {
		whole := fmt.Sprintf("%q", cut(in))
		at %= uint(len(in)) + 1
		if got := fmt.Sprintf("%q", cut(in[:at], in[at:])); got != whole {
			t.Errorf("cut at %d: %s, want %s", at, got, whole)
		}
		if got := fmt.Sprintf("%q", cut(strings.Split(in, "")...)); !strings.Contains(in, "\xff") && got != whole {
			t.Errorf("byte by byte: %s, want %s", got, whole)
		}
	})
}

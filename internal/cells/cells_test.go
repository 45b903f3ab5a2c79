package cells

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
)

func TestWidth(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     int
	}{
		{"empty", "", 0},
		{"ASCII", "hello", 5},
		{"accents", "déjà", 4},
		{"combining", "e\u0301a", 2},
		{"wide", "你好", 4},
		{"emoji", "😀!", 3},
		{"skin: two pictures where it is not known", "👍🏽", 4},
		{"family: four pictures where joining is not known", "👨‍👩‍👧‍👦", 8},
		{"flag", "🇪🇺", 2},
		{"marks of ours", "␛‹U+202E›", 9},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Width(tt.in); got != tt.want {
				t.Errorf("Width(%q) = %d, want %d", tt.in, got, tt.want)
			}
		})
	}
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		in    string
		width int
		want  string
		left  string
	}{
		{"hello", 5, "hello", "hello"},
		{"hello", 4, "hel…", "…llo"},
		{"hello", 1, "…", "…"},
		{"hello", 0, "", ""},
		{"你好吗", 5, "你好…", "…好吗"},
		{"你好吗", 4, "你…", "…吗"},
		{"e\u0301e\u0301e\u0301", 2, "e\u0301…", "…e\u0301"},
	} {
		if got := Cut(tt.in, tt.width); got != tt.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", tt.in, tt.width, got, tt.want)
		}
		if got := CutLeft(tt.in, tt.width); got != tt.left {
			t.Errorf("CutLeft(%q, %d) = %q, want %q", tt.in, tt.width, got, tt.left)
		}
	}
	if got, want := PadLeft("你", 4)+Pad("你", 3)+"|", "  你你 |"; got != want {
		t.Errorf("padded = %q, want %q", got, want)
	}
}

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		name, in     string
		first, width int
		want         []string
	}{
		{"empty", "", 5, 5, []string{""}},
		{"fits", "a b", 5, 5, []string{"a b"}},
		{"at a space", "hello there you", 8, 8, []string{"hello", "there", "you"}},
		{"space at the edge", "hello there", 5, 6, []string{"hello", "there"}},
		{"a long word", "abcdefgh", 3, 4, []string{"abc", "defg", "h"}},
		{"no room on the first line", "ab", 0, 4, []string{"", "ab"}},
		{"wide", "你好吗", 5, 5, []string{"你好", "吗"}},
		{"too wide for any line", "你a", 1, 1, []string{"?", "a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Wrap(tt.in, tt.first, tt.width)); diff != "" {
				t.Errorf("Wrap(%q, %d, %d) (-want +got):\n%s", tt.in, tt.first, tt.width, diff)
			}
		})
	}
}

func TestVisible(t *testing.T) {
	if got, want := Visible("👩‍🚀 ❤️ \x1b[2J"), "👩🚀 ❤ ␛[2J"; got != want {
		t.Errorf("Visible = %q, want %q", got, want)
	}
}

// No line is wider than asked, by any measure, and nothing but spaces is lost.
func FuzzWrapKeepsTheTextAndTheWidth(f *testing.F) {
	f.Add("hello there", 4, 7)
	f.Add("👨‍👩‍👧‍👦 你好 e\u0301\u0301 🇪🇺", 2, 3)
	f.Fuzz(func(t *testing.T, s string, first, width int) {
		if len(s) > 1<<10 || first < 0 || width < 2 || width > 200 || first > width {
			t.Skip()
		}
		s = Visible(s)
		lines := Wrap(s, first, width)
		for i, line := range lines {
			room := width
			if i == 0 {
				room = first
			}
			if Width(line) > room || ansi.StringWidth(line) > room || ansi.StringWidthWc(line) > room {
				t.Errorf("line %d %q is wider than %d", i, line, room)
			}
		}
		if width >= 8 {
			keep := strings.NewReplacer(" ", "")
			if got, want := keep.Replace(strings.Join(lines, "")), keep.Replace(s); got != want {
				t.Errorf("Wrap(%q) kept %q", s, got)
			}
		}
		if cut := Cut(s, width); Width(cut) > width {
			t.Errorf("Cut(%q, %d) is %d wide", s, width, Width(cut))
		}
		if cut := CutLeft(s, width); Width(cut) > width {
			t.Errorf("CutLeft(%q, %d) is %d wide", s, width, Width(cut))
		}
	})
}

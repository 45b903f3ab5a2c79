package style

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestVisible(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"ASCII", "hello, world! [~]", "hello, world! [~]"},
		{"accents", "déjà vu", "déjà vu"},
		{"combining", "e\u0301te\u0301", "e\u0301te\u0301"},
		{"scripts", "שָׁלוֹם สวัสดีครับ नमस्ते 안녕 你好 العربية", "שָׁלוֹם สวัสดีครับ नमस्ते 안녕 你好 العربية"},
		{"emoji", "😀 👍🏽 👩‍🚀 🏳️‍🌈 ❤️ 1️⃣ 🇪🇺 👩🏻‍❤️‍💋‍👩🏿 ©️ ⚕︎", "😀 👍🏽 👩‍🚀 🏳️‍🌈 ❤️ 1️⃣ 🇪🇺 👩🏻‍❤️‍💋‍👩🏿 ©️ ⚕︎"},
		{"emoji to come", "\U0001faff", "\U0001faff"},
		{"wide spaces", "a\u00a0b\u3000c", "a\u00a0b\u3000c"},

		// Attacks on the terminal.
		{"write the clipboard (OSC 52)", "\x1b]52;c;cm0gLXJm\x07", "␛]52;c;cm0gLXJm␇"},
		{"hidden link (OSC 8)", "\x1b]8;;http://evil\x1b\\bank\x1b]8;;\x1b\\", "␛]8;;http://evil␛\\bank␛]8;;␛\\"},
		{"set the title", "\x1b]0;root\x07", "␛]0;root␇"},
		{"clear the screen", "\x1b[2J\x1b[H", "␛[2J␛[H"},
		{"report that types a command", "\x1b[6n\x05", "␛[6n␅"},
		{"CSI in one byte", "\x9b2J", "‹0x9B›2J"},
		{"CSI as U+009B", "\u009b2J", "‹U+009B›2J"},
		{"next line U+0085", "a\u0085[system] b", "a‹U+0085›[system] b"},
		{"overwrite the line", "hi\r[system] you are banned", "hi␍[system] you are banned"},
		{"a line of its own", "hi\n[system] you are banned", "hi␊[system] you are banned"},
		{"erase backwards", "ok\b\b\x7f", "ok␈␈␡"},
		{"tab", "a\tb", "a␉b"},
		{"NUL", "a\x00b", "a␀b"},

		// Attacks on the reader.
		{"right-to-left override", "invoice\u202egnp.exe", "invoice‹U+202E›gnp.exe"},
		{"isolates", "\u2066a\u2069\u200f\u061c", "‹U+2066›a‹U+2069›‹U+200F›‹U+061C›"},
		{"zero width", "ad\u200bmin\u200c\u2060\ufeff", "ad‹U+200B›min‹U+200C›‹U+2060›‹U+FEFF›"},
		{"joiner between letters", "a\u200db", "a‹U+200D›b"},
		{"joiner at the end", "👩\u200d", "👩‹U+200D›"},
		{"joiner chain", "👩‍👩‍👩‍👩‍👩", "👩‍👩‍👩‍👩‹U+200D›👩"},
		{"chain after a chain", "👩‍👩‍👩‍👩👩‍👩", "👩‍👩‍👩‍👩👩‍👩"},
		{"soft hyphen", "pass\u00adword", "pass‹U+00AD›word"},
		{"grapheme joiner", "a\u034fb", "a‹U+034F›b"},
		{"Hangul filler", "\u3164\u115f\uffa0", "‹U+3164›‹U+115F›‹U+FFA0›"},
		{"selector on a letter", "a\ufe0f", "a‹U+FE0F›"},
		{"two selectors", "❤\ufe0f\ufe0f", "❤\ufe0f‹U+FE0F›"},
		{"bytes hidden in selectors", "😀\U000e0148\U000e0155", "😀‹U+E0148›‹U+E0155›"},
		{"text hidden in tags", "🏴\U000e0067\U000e007f", "🏴‹U+E0067›‹U+E007F›"},
		{"line separators", "a\u2028b\u2029c", "a‹U+2028›b‹U+2029›c"},
		{"private", "\ue0b0\U0010fffd", "‹U+E0B0›‹U+10FFFD›"},
		{"unassigned", "\u0378\ufdd0\uffff", "‹U+0378›‹U+FDD0›‹U+FFFF›"},
		{"interlinear", "\ufff9\ufffc", "‹U+FFF9›\ufffc"},
		{"zalgo", "h" + strings.Repeat("\u0336\u0489", 50), "h\u0336\u0489\u0336\u0489‹+96 marks›"},
		{"one too many", "a\u0301\u0301\u0301\u0301\u0301b", "a\u0301\u0301\u0301\u0301‹U+0301›b"},
		{"mark on nothing", "\u0301x", "‹U+0301›x"},
		{"mark on a mark of ours", "\x1b\u0301x", "␛‹U+0301›x"},
		{"stacked Hangul", "가" + strings.Repeat("\u11a8", 6), "가\u11a8\u11a8\u11a8\u11a8‹+2 marks›"},

		// Not UTF-8.
		{"stray bytes", "a\xff\xc0b", "a‹0xFF›‹0xC0›b"},
		{"surrogate", "\xed\xa0\x80", "‹0xED›‹0xA0›‹0x80›"},
		{"cut short", "é"[:1], "‹0xC3›"},
		{"replacement character", "\ufffd", "\ufffd"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Visible(tt.in)
			if got != tt.want {
				t.Errorf("Visible(%q) = %q, want %q", tt.in, got, tt.want)
			}
			if again := Visible(got); again != got {
				t.Errorf("Visible(%q) = %q, want it as it is", got, again)
			}
		})
	}
}

func TestVisibleAllocatesOnlyForMarks(t *testing.T) {
	for _, s := range []string{"plain text of the usual kind", "déjà vu 👩‍🚀"} {
		if n := testing.AllocsPerRun(100, func() { _ = Visible(s) }); n != 0 {
			t.Errorf("Visible(%q) allocates %v times, want 0", s, n)
		}
	}
}

func TestLines(t *testing.T) {
	for _, tt := range []struct{ name, in, indent, want string }{
		{"one line", "hi", "| ", "hi"},
		{"poses as the system", "hi\n[system] banned", "    ", "hi\n    [system] banned"},
		{"CR LF", "a\r\nb", "  ", "a\n  b"},
		{"CR alone", "a\r[system] b\nc", "  ", "a␍[system] b\n  c"},
		{"CR at the end", "a\nb\r", "  ", "a\n  b␍"},
		{"other breaks", "a\vb\fc\u0085d\u2028e", "  ", "a␋b␌c‹U+0085›d‹U+2028›e"},
		{"tabs", "\tif x\n\t\ty", "  ", "    if x\n          y"},
		{"no indent", "a\nb", "", "a\n  b"},
		{"empty lines", "\n\n", "> ", "\n> \n> "},
		{"mark after a break", "a\n\u0301b", "  ", "a\n  ‹U+0301›b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Lines(tt.in, tt.indent); got != tt.want {
				t.Errorf("Lines(%q, %q) = %q, want %q", tt.in, tt.indent, got, tt.want)
			}
		})
	}
}

func ExampleVisible() {
	fmt.Println(Visible("\x1b[2Jhi\r[system] \u202egnp.exe"))
	// Output: ␛[2Jhi␍[system] ‹U+202E›gnp.exe
}

func ExampleLines() {
	fmt.Println("ana: " + Lines("first\nbob: I never said that", "     "))
	// Output:
	// ana: first
	//      bob: I never said that
}

// checkVisible fails if s has anything that a terminal obeys or hides. It is
// written apart from the code it checks: by category, not by table.
func checkVisible(t *testing.T, in, s string) {
	t.Helper()
	if !utf8.ValidString(s) {
		t.Fatalf("Visible(%q) = %q: not UTF-8", in, s)
	}
	var last rune
	marks := 0
	for i, r := range s {
		switch {
		case r == joiner:
			if !unicode.In(last, unicode.So, unicode.Sk, unicode.Sm, unicode.Po, unicode.Cn, unicode.Variation_Selector) {
				t.Fatalf("Visible(%q) = %q: a joiner after %U", in, s, last)
			}
		case r == textStyle || r == pictorially:
			if unicode.Is(unicode.Variation_Selector, last) || unicode.IsLetter(last) && last != 'ℹ' {
				t.Fatalf("Visible(%q) = %q: a selector after %U", in, s, last)
			}
		case r >= 0x1f000 && r <= 0x1faff: // emoji, also those to come
		case !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r):
			t.Fatalf("Visible(%q) = %q: %U at %d", in, s, r, i)
		case unicode.In(r, unicode.Bidi_Control, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
			t.Fatalf("Visible(%q) = %q: %U at %d", in, s, r, i)
		}
		if unicode.Is(unicode.Mn, r) && !unicode.Is(unicode.Variation_Selector, r) {
			if marks++; marks > maxMarks || i == 0 {
				t.Fatalf("Visible(%q) = %q: too many marks at %d", in, s, i)
			}
		} else if !unicode.Is(unicode.M, r) {
			marks = 0
		}
		last = r
	}
}

func FuzzVisibleNeverControls(f *testing.F) {
	for _, s := range []string{"hi", "\x1b[2J\r\n\x9b\u009b", "a\u202e\u200b", "👩🏻‍❤️‍💋‍👩🏿\u200d\u200d", "h" + strings.Repeat("\u0336", 9), "1\ufe0f\u20e3", "\u034f\u0301\ufe0f", "\U000e0041", "가\u11a8"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Visible(s)
		checkVisible(t, s, got)
		if again := Visible(got); again != got {
			t.Errorf("Visible(%q) = %q, and of that %q: want the same", s, got, again)
		}
		for i, line := range strings.Split(Lines(s, "> "), "\n") {
			if i > 0 {
				rest, ok := strings.CutPrefix(line, "> ")
				if !ok {
					t.Errorf("Lines(%q): line %d is %q without its indent", s, i, line)
				}
				line = rest
			}
			checkVisible(t, s, line)
		}
	})
}

func BenchmarkVisible(b *testing.B) {
	for _, bb := range []struct{ name, in string }{
		{"ASCII", strings.Repeat("plain text ", 10)},
		{"Accents", strings.Repeat("déjà vu été ", 10)},
		{"Hostile", strings.Repeat("\x1b[2J\u202e\xff", 10)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(bb.in)))
			b.ReportAllocs()
			for b.Loop() {
				_ = Visible(bb.in)
			}
		})
	}
}

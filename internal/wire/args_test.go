package wire

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCheckArgs(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, tt := range []struct{ name, in, want string }{
		{"nothing", ``, ""},
		{"empty array", `[]`, ""},
		{"spaces", " [ \t\r\n] ", ""},
		{"all kinds", `["a",1,-0,0.5,-1.5e+10,2E-3,true,false,null,{},{"k":[{"l":{}}]},[]]`, ""},
		{"escapes", `["\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00\uABCDE"]`, ""},
		{"long string", `["` + strings.Repeat("0123456789é", 100) + `"]`, ""},
		{"DEL", "[\"\x7f\"]", ""},
		{"as deep as may be", deep(MaxNesting), ""},
		{"too deep", deep(MaxNesting + 1), "nesting deeper than 32 at byte 32"},
		{"too deep in objects", "[" + strings.Repeat(`{"":`, 32), "nesting deeper than 32 at byte 125"},
		{"object", `{}`, "'{' instead of '[', for arguments are an array at byte 0"},
		{"only spaces", ` `, "end instead of '[', for arguments are an array at byte 1"},
		{"two values", `[] []`, "'[' instead of the end at byte 3"},
		{"open", `[`, "end instead of a value at byte 1"},
		{"open after value", `[1`, "end instead of ',' or ']' at byte 2"},
		{"comma at the end", `[1,]`, "']' instead of a value at byte 3"},
		{"wrong bracket", `[1}`, "'}' instead of ',' or ']' at byte 2"},
		{"wrong brace", `[{"a":1]`, "']' instead of ',' or '}' at byte 7"},
		{"no key", `[{1:1}]`, "'1' instead of a key in quotes at byte 2"},
		{"no key after comma", `[{"a":1,}]`, "'}' instead of a key in quotes at byte 8"},
		{"no colon", `[{"a" 1}]`, "'1' instead of ':' at byte 6"},
		{"no value", `[{"a":}]`, "'}' instead of a value at byte 6"},
		{"leading zero", `[01]`, "'1' instead of ',' or ']' at byte 2"},
		{"plus", `[+1]`, "'+' instead of a value at byte 1"},
		{"minus alone", `[-]`, "']' instead of a digit at byte 2"},
		{"point alone", `[1.]`, "']' instead of a digit at byte 3"},
		{"exponent alone", `[1e+`, "end instead of a digit at byte 4"},
		{"half a word", `[tru]`, "']' instead of true at byte 4"},
		{"wrong word", `[nil]`, "'i' instead of null at byte 2"},
		{"cut word", `[fals`, "end instead of false at byte 5"},
		{"control character", "[\"0123456789abc\x1b\"]", "control character in a string at byte 15"},
		{"newline", "[\"\n\"]", "control character in a string at byte 2"},
		{"open string", `["abcdefghijklm`, "string that does not end at byte 1"},
		{"open escape", `["\`, "string that does not end at byte 1"},
		{"open unicode escape", `["\u00`, "string that does not end at byte 1"},
		{"unknown escape", `["\x"]`, "unknown escape in a string at byte 2"},
		{"bad hex", `["\u00g0"]`, "not a hexadecimal digit at byte 6"},
		{"bad hex below the digits", `["\u00` + "\x10" + `0"]`, "not a hexadecimal digit at byte 6"},
		{"bad UTF-8", "[\"a\xff\"]", "invalid UTF-8 at byte 3"},
		{"overlong UTF-8", "[\"\xc0\xaf\"]", "invalid UTF-8 at byte 2"},
		{"encoded surrogate", "[\"\xed\xa0\x80\"]", "invalid UTF-8 at byte 2"},
		{"letter outside a string", `[é]`, "'é' instead of a value at byte 1"},
		{"byte order mark", "\ufeff[]", `'\ufeff' instead of '[', for arguments are an array at byte 0`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := CheckArgs([]byte(tt.in))
			if err == nil {
				if tt.want != "" {
					t.Fatalf("CheckArgs(%q) = nil, want %q", tt.in, tt.want)
				}
				return
			}
			if got := strings.TrimPrefix(err.Error(), "wire: invalid arguments: "); got != tt.want || !errors.Is(err, ErrArgs) {
				t.Errorf("CheckArgs(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestCheckArgsAllocatesNothing(t *testing.T) {
	b := []byte(`["hello, world é",{"a":[1,2.5,true,null]}]`)
	if n := testing.AllocsPerRun(100, func() { _ = CheckArgs(b) }); n != 0 {
		t.Errorf("CheckArgs allocates %v times, want 0", n)
	}
}

// validArgs is the oracle: what encoding/json takes, and the two stricter rules.
func validArgs(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if !json.Valid(b) || !utf8.Valid(b) || strings.TrimLeft(string(b), " \t\r\n")[0] != '[' {
		return false
	}
	depth, deepest, inString := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case !inString && (c == '[' || c == '{'):
			depth++
			deepest = max(deepest, depth)
		case !inString && (c == ']' || c == '}'):
			depth--
		}
	}
	return deepest <= MaxNesting
}

func FuzzArgsAgreesWithEncodingJSON(f *testing.F) {
	for _, s := range []string{
		``, `[]`, `[1,"a",{"b":[null,true,false]}]`, `["\u00e9\n"]`, `[-0.5e+3]`, `[01]`, `["abcdefgh\"ijklmnop"]`,
		"[\"\xff\"]", "[\"abcdefg\x1f\"]", strings.Repeat("[", 33) + strings.Repeat("]", 33), `[{"a":{}},[[],{}]]`, ` {"a":1}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if err, want := CheckArgs(b), validArgs(b); (err == nil) != want {
			t.Errorf("CheckArgs(%q) = %v, encoding/json and the stricter rules say valid = %t", b, err, want)
		}
	})
}

func BenchmarkCheckArgs(b *testing.B) {
	for _, bb := range []struct{ name, args string }{
		{"Chat100", `["` + strings.Repeat("the quick brown fox ", 5)[:96] + `"]`},
		{"Short", `["hi"]`},
		{"Numbers", `[` + strings.Repeat("12345678,", 10) + `1.5e3]`},
		{"Objects", `[` + strings.Repeat(`{"user":"ana","n":17,"ok":true},`, 10) + `null]`},
		{"Accents", `["` + strings.Repeat("déjà vu à l'école ", 10) + `"]`},
		{"Japanese", `["` + strings.Repeat("こんにちは世界", 10) + `"]`},
		{"64KiB", `["` + strings.Repeat("x", 65530) + `"]`},
	} {
		b.Run(bb.name, func(b *testing.B) {
			args := []byte(bb.args)
			b.SetBytes(int64(len(args)))
			for b.Loop() {
				if err := CheckArgs(args); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

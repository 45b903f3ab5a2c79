package catalogue

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"wirelab/labs/sheet"
)

// Every lab that comes with Wirelab parses, and prerequisites are there.
func TestAll(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Error(err)
	}
	place := make(map[string]int)
	for i, s := range all {
		place[s.Name] = i
	}
	for i, s := range all {
		for _, a := range s.After {
			if j, ok := place[a]; ok && j >= i {
				t.Errorf("%s stands before %s, which comes first", s.Name, a)
			}
		}
		if i > 0 && indexOf(all[i-1].Theme) > indexOf(s.Theme) {
			t.Errorf("%s of %s stands behind %s of %s", s.Name, s.Theme, all[i-1].Name, all[i-1].Theme)
		}
	}
	if len(all) != len(Names()) {
		t.Errorf("%d of %d labs parse", len(all), len(Names()))
	}
}

func indexOf(theme sheet.Theme) int {
	for i, t := range sheet.Themes() {
		if t == theme {
			return i
		}
	}
	return -1
}

func lab(name string, theme sheet.Theme, after ...string) *sheet.Sheet {
	return &sheet.Sheet{Name: name, Theme: theme, After: after}
}

func TestOrder(t *testing.T) {
	tests := []struct {
		name string
		in   []*sheet.Sheet
		want string // names, or after ! words of the error
	}{
		{"themes", []*sheet.Sheet{lab("a", "TCP"), lab("b", "Basics"), lab("c", "UDP")}, "b c a"},
		{"prerequisites", []*sheet.Sheet{lab("a", "TCP", "b"), lab("b", "TCP", "c"), lab("c", "TCP"), lab("d", "TCP")}, "c d b a"},
		{"of an earlier theme", []*sheet.Sheet{lab("a", "TCP", "z"), lab("b", "TCP"), lab("z", "Basics")}, "z b a"},
		{"unknown", []*sheet.Sheet{lab("handshake", "TCP"), lab("b", "TCP", "handshaek")}, `!b.txtar: after: no lab is named "handshaek": did you mean handshake?`},
		{"later theme", []*sheet.Sheet{lab("a", "Basics", "b"), lab("b", "TCP")}, "!a.txtar: after: b is of a later theme, TCP"},
		{"circle", []*sheet.Sheet{lab("a", "TCP", "b"), lab("b", "TCP", "c"), lab("c", "TCP", "b")}, "!the labs wait for each other: b after c after b"},
		{"itself", []*sheet.Sheet{lab("a", "TCP", "a")}, "!a after a"},
	}
	for _, tt := range tests {
		got, err := Order(tt.in)
		if len(got) != len(tt.in) {
			t.Errorf("%s: %d of %d sheets", tt.name, len(got), len(tt.in))
		}
		if words, ok := strings.CutPrefix(tt.want, "!"); ok {
			if err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%s: Order = %v, want an error with %q", tt.name, err, words)
			}
			continue
		}
		var names []string
		for _, s := range got {
			names = append(names, s.Name)
		}
		if err != nil || strings.Join(names, " ") != tt.want {
			t.Errorf("%s: Order = %v, %v, want %s", tt.name, names, err, tt.want)
		}
	}
}

func TestFind(t *testing.T) {
	some := fstest.MapFS{}
	for _, n := range []string{"handshake", "slow-start", "stop-and-wait", "stop-and-wait-udp", "udp-loss", "rto"} {
		some[n+".txtar"] = &fstest.MapFile{Data: []byte("title: x\n")}
	}
	for in, want := range map[string]string{
		"handshaek": "handshake", "handshake.txtar": "handshake", "Handshake": "handshake", "hand": "handshake", "start": "slow-start", "slowstart": "slow-start",
		"stop-and-wait-up": "stop-and-wait-udp", "loss": "udp-loss", "rot": "rto", "quantum": "", "": "",
	} {
		_, err := find(some, in)
		var unknown *Unknown
		if !errors.As(err, &unknown) {
			t.Errorf("find(%q) = %v, want an *Unknown", in, err)
			continue
		}
		if want == "" && len(unknown.Near) > 0 || want != "" && (len(unknown.Near) == 0 || unknown.Near[0] != want) {
			t.Errorf("find(%q): near %q, want %q first", in, unknown.Near, want)
		}
	}
	// What is there and wrong says what is wrong with it.
	if _, err := find(some, "rto"); len(sheet.Mistakes(err)) == 0 {
		t.Errorf("find of a bad sheet = %v, want its mistakes", err)
	}
	if _, err := read(some); len(sheet.Mistakes(err)) == 0 {
		t.Errorf("read of bad sheets = %v, want their mistakes", err)
	}
	if s, err := Find("handshake"); err != nil || s.Title != "The handshake" {
		t.Errorf("Find(handshake) = %v, %v", s, err)
	}
}

// BenchmarkAll is what `lab list` has to wait for.
func BenchmarkAll(b *testing.B) {
	for b.Loop() {
		All()
	}
}

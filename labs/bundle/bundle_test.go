package bundle

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func sha(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// observed is a bundle's manifest and files with something in every field.
func observed() (*Manifest, []Files) {
	return &Manifest{
		Lab: "udp-loss", Kind: Observe, Sheet: sha("sheet"), Learner: "Åsa Ødegård", Class: ClassSum("net1"),
		Variant: VariantID(7, map[string]float64{"p": 0.05}), Seed: 1<<64 - 1, Wirelab: "dev", Guest: sha("guest"),
		Steps: []Step{
			{Name: "arrive", Kind: "predict", Answers: []Answer{{Text: "380 datagrams"}}, Points: 1, Of: 1},
			{Name: "trace", Kind: "fill", Answers: []Answer{{Part: 1, Text: "7"}, {Text: "a\tb"}}, Hints: 2, GivenUp: true, Of: 0.1},
		},
		Knob: []string{"50%"}, Verdict: "1 of 2 steps", Points: 1, Of: 1.1,
		Runs: []Run{{Scenario: "host ana\n"}, {Name: "loss", Scenario: "host bo\n"}},
	}, []Files{{[]byte("{}\n"), []byte("\x0a\x0d\x0d\x0a")}, {nil, bytes.Repeat([]byte("packet"), 1000)}}
}

func write(t testing.TB, m *Manifest, files []Files) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, m, files); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readBytes(b []byte) (*Bundle, error) { return Read(bytes.NewReader(b), int64(len(b))) }

func TestWhatIsWrittenIsRead(t *testing.T) {
	m, files := observed()
	built := &Manifest{
		Lab: "echo-tcp", Kind: Build, Sheet: sha("sheet"), Learner: "bo", Verdict: "stage 3 failed", Points: 2, Of: 5,
		Check: &Check{Command: []string{"python3", "main.py"}, Seed: 3, Stages: 5, Passed: 2, Verdict: "want 3 bytes, got 2"},
	}
	for _, tt := range []struct {
		m     *Manifest
		files []Files
	}{{m, files}, {built, nil}} {
		raw := write(t, tt.m, tt.files)
		got, err := readBytes(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got.File != sha(string(raw)) {
			t.Errorf("%s: File = %s, want the file's SHA-256", tt.m.Lab, got.File)
		}
		if len(got.Altered) > 0 {
			t.Errorf("%s: Altered = %q of a bundle as it was written", tt.m.Lab, got.Altered)
		}
		want := *tt.m
		want.Format, want.Sum = Format, got.Sum
		want.Runs = nil
		for i, r := range tt.m.Runs {
			r.Events, r.Capture = sha(string(tt.files[i].Events)), sha(string(tt.files[i].Capture))
			want.Runs = append(want.Runs, r)
		}
		if d := cmp.Diff(want, got.Manifest); d != "" {
			t.Errorf("%s came back as another:\n%s", tt.m.Lab, d)
		}
		if again := write(t, tt.m, tt.files); !bytes.Equal(again, raw) {
			t.Errorf("%s: written twice, it differs", tt.m.Lab)
		}
		name := filepath.Join(t.TempDir(), Name(tt.m.Learner, tt.m.Lab))
		if err := os.WriteFile(name, raw, 0o666); err != nil {
			t.Fatal(err)
		}
		if b, err := Open(name); err != nil || b.Sum != got.Sum {
			t.Errorf("Open(%s) = %v, %v", name, b, err)
		}
		if _, err := Open(filepath.Dir(name)); err == nil || !strings.Contains(err.Error(), "something else than a file") {
			t.Errorf("Open of a folder: %v", err)
		}
	}
}

// A zip tool that is not ours finds the files, whole and where the doc says.
func TestZipHasTheFiles(t *testing.T) {
	m, files := observed()
	raw := write(t, m, files)
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
		if !f.Modified.Equal(stamp) {
			t.Errorf("%s is from %v, want %v", f.Name, f.Modified, stamp)
		}
	}
	want := []string{"manifest.json", "events.jsonl", "capture.pcapng", "loss/events.jsonl", "loss/capture.pcapng"}
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
}

func TestWriteRefusesWhatReadWould(t *testing.T) {
	for name, spoil := range map[string]func(*Manifest){
		"lab":     func(m *Manifest) { m.Lab = "../udp" },
		"kind":    func(m *Manifest) { m.Kind = "read" },
		"sheet":   func(m *Manifest) { m.Sheet = "" },
		"learner": func(m *Manifest) { m.Learner = strings.Repeat("a", 201) },
		"utf-8":   func(m *Manifest) { m.Learner = "a\xff" },
		"run":     func(m *Manifest) { m.Runs[1].Name = "../x" },
		"twice":   func(m *Manifest) { m.Runs[1].Name = "" },
		"points":  func(m *Manifest) { m.Steps[0].Points = -1 },
		"check":   func(m *Manifest) { m.Check = &Check{Stages: 1} },
	} {
		m, files := observed()
		spoil(m)
		if err := Write(new(bytes.Buffer), m, files); err == nil {
			t.Errorf("Write took a manifest with a wrong %s", name)
		}
	}
	m, files := observed()
	if err := Write(new(bytes.Buffer), m, files[:1]); err == nil {
		t.Error("Write took files of one run for two")
	}
}

func TestNameIsSafe(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"Ana", "ana-rto.zip"},
		{"  Ana  María Núñez ", "ana-maría-núñez-rto.zip"},
		{"A\u030asa", "åsa-rto.zip"}, // composed, as NFC has it
		{"../../etc/passwd", "etc-passwd-rto.zip"},
		{`C:\x`, "c-x-rto.zip"},
		{"\x1b[2Jbo\u202e", "2jbo-rto.zip"},
		{"王小明", "王小明-rto.zip"},
		{"नमस्ते", "नमस्ते-rto.zip"},
		{"", "nobody-rto.zip"},
		{"…", "nobody-rto.zip"},
		{"\xff\xfe", "nobody-rto.zip"},
		{strings.Repeat("ab ", 200), strings.Repeat("ab-", 26) + "ab-rto.zip"},
	} {
		got := Name(tt.in, "rto")
		if got != tt.want {
			t.Errorf("Name(%q) = %q, want %q", tt.in, got, tt.want)
		}
		if !utf8.ValidString(got) || len(got) > maxName+len("-rto.zip") {
			t.Errorf("Name(%q) = %q: too long, or no UTF-8", tt.in, got)
		}
	}
}

func TestSumsStandForWhatTheyAreOf(t *testing.T) {
	if ClassSum("") != "" {
		t.Error("no class key has a sum")
	}
	if ClassSum("a") == ClassSum("b") || strings.Contains(ClassSum("net1"), "net1") {
		t.Error("ClassSum: two keys have two sums, and none is the key")
	}
	one := VariantID(1, map[string]float64{"a": 1, "b": 2})
	for _, other := range []string{
		VariantID(2, map[string]float64{"a": 1, "b": 2}), VariantID(1, map[string]float64{"a": 1, "b": 3}),
		VariantID(1, map[string]float64{"a": 1}), VariantID(1, map[string]float64{"a": 2, "b": 1}),
	} {
		if other == one {
			t.Errorf("two variants have one ID %s", one)
		}
	}
}

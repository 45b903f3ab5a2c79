package bundle

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
)

// contents unpacks a zip file.
func contents(t testing.TB, raw []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all[f.Name] = string(b)
	}
	return all
}

// pack makes a zip file; the names are sorted, extra ones come last.
func pack(t testing.TB, all map[string]string, extra ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		extra = append([][2]string{{name, all[name]}}, extra...)
	}
	for _, e := range extra {
		f, err := z.Create(e[0])
		if err == nil {
			_, err = io.WriteString(f, e[1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestHostileBundlesAreRefused(t *testing.T) {
	m, files := observed()
	good := write(t, m, files)
	with := func(change func(map[string]string), extra ...[2]string) []byte {
		all := contents(t, good)
		change(all)
		return pack(t, all, extra...)
	}
	none := func(map[string]string) {}
	manifest := func(old, new string) []byte {
		return with(func(all map[string]string) {
			if !strings.Contains(all[manifestName], old) {
				t.Fatalf("the manifest has no %q", old)
			}
			all[manifestName] = strings.Replace(all[manifestName], old, new, 1)
		})
	}
	many := make([][2]string, maxEntries+1)
	for i := range many {
		many[i] = [2]string{strings.Repeat("x", i+1), ""}
	}
	encrypted := bytes.Clone(good)
	for _, mark := range []struct {
		sign string
		flag int
	}{{"PK\x03\x04", 6}, {"PK\x01\x02", 8}} {
		i := bytes.Index(encrypted, []byte(mark.sign))
		binary.LittleEndian.PutUint16(encrypted[i+mark.flag:], 1|binary.LittleEndian.Uint16(encrypted[i+mark.flag:]))
	}
	broken := bytes.Clone(good)
	broken[bytes.Index(broken, []byte("PK\x03\x04"))+80] ^= 0x55 // in the manifest's deflated bytes
	for _, tt := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"empty", nil, "no whole zip file"},
		{"no zip", []byte("hello"), "no whole zip file"},
		{"truncated", good[:len(good)/2], "no whole zip file"},
		{"damaged", broken, manifestName},
		{"encrypted", encrypted, "encrypted"},
		{"no manifest", with(func(all map[string]string) { delete(all, manifestName) }), "no manifest.json"},
		{"two manifests", with(none, [2]string{"x/manifest.json", "{}"}), "two files manifest.json"},
		{"no JSON", with(func(all map[string]string) { all[manifestName] = "{" }), "unexpected end of JSON"},
		{"JSON and more", with(func(all map[string]string) { all[manifestName] += "x" }), "invalid character 'x'"},
		{"deep JSON", with(func(all map[string]string) { all[manifestName] = strings.Repeat("[", 1e5) }), "exceeded max depth"},
		{"newer format", manifest(`"format": 1`, `"format": 2`), "format 2, this version of wirelab reads 1"},
		{"no format", manifest(`"format": 1,`, ``), "format 0"},
		{"unknown field", manifest(`"lab"`, `"grade": 100, "lab"`), `unknown field "grade"`},
		{"wrong type", manifest(`"seed": 18446744073709551615`, `"seed": -1`), "seed"},
		{"lab that is a path", manifest("udp-loss", "../../x"), `lab "../../x"`},
		{"run that is a path", manifest(`"name": "loss"`, `"name": "../x"`), `run "../x"`},
		{"sum that is none", manifest(`"events_sha256": "`, `"events_sha256": "z`), "want 64 hexadecimal digits"},
		{"points below none", manifest(`"points": 1`, `"points": -1`), "-1 of"},
		{"a part that is missing", with(func(all map[string]string) { delete(all, "loss/capture.pcapng") }), `"loss/capture.pcapng" is missing`},
		{"a part that is too much", with(none, [2]string{"program.exe", "x"}), `"program.exe": nothing in the manifest is about this file`},
		{"a path up", with(none, [2]string{"../../etc/passwd", "x"}), "no name that a file in a bundle has"},
		{"an absolute path", with(none, [2]string{"/etc/passwd", "x"}), "no name that a file in a bundle has"},
		{"a path of Windows", with(none, [2]string{`..\x`, "x"}), "no name that a file in a bundle has"},
		{"a drive of Windows", with(none, [2]string{`C:x`, "x"}), "no name that a file in a bundle has"},
		{"a file twice", with(none, [2]string{eventsName, "x"}), "two files"},
		{"many files", with(none, many...), "more than 256 files"},
		{"a large manifest", with(func(all map[string]string) { all[manifestName] += strings.Repeat(" ", MaxManifest) }), "more than 1048576 bytes"},
		{"beside the folder", with(func(all map[string]string) {
			for name, text := range maps.Clone(all) {
				delete(all, name)
				all["ana/"+name] = text
			}
		}, [2]string{"x", ""}), "beside the bundle's folder"},
	} {
		b, err := readBytes(tt.raw)
		if err == nil {
			t.Errorf("%s: Read took it: %+v", tt.name, b)
			continue
		}
		if !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "bundle: ") {
			t.Errorf("%s: Read says %q, want words about %q", tt.name, err, tt.want)
		}
	}
	if _, err := Read(bytes.NewReader(nil), MaxFile+1); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("Read of a huge file: %v", err)
	}
}

// A bomb is a zip file that unpacks to more than its bounds. What it says of its
// sizes may be a lie.
func TestBombsAreRefused(t *testing.T) {
	const size = 3 << 20
	raw := pack(t, map[string]string{"bomb": strings.Repeat("\x00", size)})
	if len(raw) > size/100 {
		t.Fatalf("a bomb of %d bytes", len(raw))
	}
	liar := bytes.Clone(raw)
	binary.LittleEndian.PutUint32(liar[bytes.Index(raw, []byte("PK\x01\x02"))+24:], 10) // the size that the central directory says
	for _, tt := range []struct {
		name          string
		raw           []byte
		limit, budget int64
		want          string
	}{
		{"beyond the limit of a file", raw, size / 3, 10 * size, `"bomb" has more than`},
		{"beyond what is left for all", raw, 10 * size, size / 3, "in all its files"},
		{"a lie", liar, size - 1, 10 * size, `"bomb"`}, // package zip may find the lie first
		{"within both", raw, size, size, ""},
	} {
		z, err := zip.NewReader(bytes.NewReader(tt.raw), int64(len(tt.raw)))
		if err != nil {
			t.Fatal(err)
		}
		var got counter
		budget := tt.budget
		err = unpack(&got, z.File[0], tt.limit, &budget)
		if tt.want == "" {
			if err != nil || got != size || budget != tt.budget-size {
				t.Errorf("%s: %d bytes, %d left, %v", tt.name, got, budget, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want words about %q", tt.name, err, tt.want)
		}
		if int64(got) > min(tt.limit, tt.budget)+1 {
			t.Errorf("%s: %d bytes came out", tt.name, got)
		}
	}
}

// A counter counts what is written.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// What was changed is found, and can be marked all the same.
func TestAlteredIsSaid(t *testing.T) {
	m, files := observed()
	good := write(t, m, files)
	for _, tt := range []struct {
		name, file, old, new string
		want                 string
	}{
		{"points", manifestName, `"points": 0,`, `"points": 0.1,`, "manifest"},
		{"answer", manifestName, "380 datagrams", "381 datagrams", "manifest"},
		{"learner", manifestName, "Åsa Ødegård", "Bo", "manifest"},
		{"events", "events.jsonl", "{}", "{ }", "its events.jsonl"},
		{"capture", "loss/capture.pcapng", "packet", "Packet", "its loss/capture.pcapng"},
	} {
		all := contents(t, good)
		if !strings.Contains(all[tt.file], tt.old) {
			t.Fatalf("%s: %s has no %q", tt.name, tt.file, tt.old)
		}
		all[tt.file] = strings.Replace(all[tt.file], tt.old, tt.new, 1)
		b, err := readBytes(pack(t, all))
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if len(b.Altered) != 1 || !strings.Contains(b.Altered[0], tt.want) {
			t.Errorf("%s: Altered = %q, want one about %q", tt.name, b.Altered, tt.want)
		}
	}
}

// A browser unpacks what it loads, and the file manager of macOS packs a folder,
// with files of its own.
func TestPackedAgainByMacOS(t *testing.T) {
	m, files := observed()
	all := make(map[string]string)
	for name, text := range contents(t, write(t, m, files)) {
		all["åsa-udp-loss/"+name] = text
	}
	raw := pack(t, all, [2]string{"åsa-udp-loss/", ""}, [2]string{"åsa-udp-loss/loss/", ""},
		[2]string{"__MACOSX/åsa-udp-loss/._manifest.json", "x"}, [2]string{"åsa-udp-loss/.DS_Store", "x"})
	b, err := readBytes(raw)
	if err != nil || len(b.Altered) > 0 || b.Learner != m.Learner {
		t.Errorf("Read = %+v, %v", b, err)
	}
}

// Marks that lie across the blocks of scan are counted as the others are.
func TestScanCountsAcrossBlocks(t *testing.T) {
	for shift := range 8 {
		raw := bytes.Repeat([]byte("x"), 300<<10)
		for i := range maxEntries {
			copy(raw[i*1100+shift:], "PK\x01\x02")
		}
		if _, err := scan(bytes.NewReader(raw), int64(len(raw))); err != nil {
			t.Fatalf("shift %d: %d marks: %v", shift, maxEntries, err)
		}
		copy(raw[64<<10-3+shift:], "PK\x01\x02")
		if _, err := scan(bytes.NewReader(raw), int64(len(raw))); err == nil {
			t.Errorf("shift %d: %d marks pass", shift, maxEntries+1)
		}
	}
}

// FuzzReadIsBounded: whatever the bytes are, Read ends without a panic, and what
// it takes is a manifest that Write takes.
func FuzzReadIsBounded(f *testing.F) {
	m, files := observed()
	good := write(f, m, files)
	f.Add(good)
	f.Add(good[:len(good)-30])
	f.Add(pack(f, contents(f, good)))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := readBytes(raw)
		if err != nil {
			return
		}
		if err := b.check(); err != nil {
			t.Fatalf("Read took what check refuses: %v", err)
		}
	})
}

// FuzzManifest: what decode takes is written and read as the same.
func FuzzManifestComesBack(f *testing.F) {
	m, files := observed()
	all := contents(f, write(f, m, files))
	f.Add([]byte(all[manifestName]))
	f.Add([]byte(strings.ReplaceAll(all[manifestName], "1", "1e2")))
	f.Fuzz(func(t *testing.T, text []byte) {
		var b Bundle
		if len(text) > MaxManifest || b.decode(text) != nil {
			return
		}
		again, err := json.Marshal(&b.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		var c Bundle
		if err := c.decode(again); err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if b.sum() != c.sum() {
			t.Fatalf("two sums of one manifest:\n%s\n%s", text, again)
		}
	})
}

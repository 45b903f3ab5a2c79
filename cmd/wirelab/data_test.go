package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// refuses runs a server that cannot start and checks how it says so: exit code
// 2, one line that says why, one hint, nothing on stdout.
func refuses(t *testing.T, c *child, why string) {
	t.Helper()
	c.exit(exitUsage)
	lines := strings.Split(strings.TrimSuffix(c.err.String(), "\n"), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "wirelab: cannot use data folder ") || !strings.Contains(lines[0], why) ||
		!strings.HasPrefix(lines[1], "hint: ") || c.out.String() != "" {
		t.Errorf("want %q and a hint, got:\n%s%s", why, &c.err, &c.out)
	}
}

// A data folder that cannot be written: the server does not start.
func TestReadOnlyFolder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		full bool // there is a store already
	}{{"empty", false}, {"with a store", true}} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			want := []byte(nil)
			if tt.full {
				fill(t, dir, 10)
				want = dataFile(t, dir)
			}
			words := []string{"wirelab", "serve", "--plain", "--listen", "127.0.0.1:0", "--data", dir}
			if os.Geteuid() == 0 {
				// Permissions do not stop root; a read-only mount does.
				namespace(t, "echo ready >&2")
				mount := fmt.Sprintf(`mount --bind '%s' '%[1]s' && mount -o remount,ro,bind '%[1]s' && exec "$0" "$@"`, dir)
				words = append([]string{"unshare", "-m", "sh", "-c", mount}, words...)
				refuses(t, launch(t, words[0], words[1:]...), "read-only file system")
			} else {
				for _, path := range []string{filepath.Join(dir, "wirelab.db"), dir} {
					if err := os.Chmod(path, 0o500); err != nil && !os.IsNotExist(err) {
						t.Fatal(err)
					}
				}
				refuses(t, launch(t, words[0], words[1:]...), "permission denied")
				os.Chmod(dir, 0o700)
			}
			if got, _ := os.ReadFile(filepath.Join(dir, "wirelab.db")); !bytes.Equal(got, want) {
				t.Errorf("the data file has changed from %d bytes to %d", len(want), len(got))
			}
		})
	}
}

// fill lets a server store n messages in a data folder, and returns them.
func fill(t *testing.T, dir string, n int) (texts []string) {
	t.Helper()
	server, addr := serve(t, "--data", dir, "--rate", "-1")
	ana := joinTCP(t, addr, "ana")
	for i := range n {
		text := fmt.Sprintf("message %d %s", i+1, strings.Repeat("x", i%300))
		ana.says(text)
		texts = append(texts, text)
	}
	ana.Close()
	server.signal(syscall.SIGTERM)
	server.exit(exitOK)
	return texts
}

func dataFile(t *testing.T, dir string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "wirelab.db"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A damaged data file: the server starts with what is intact, and says what is
// not, or it does not start and leaves the file as it is. It never serves what
// nobody said.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	r := seeded(t)
	good := t.TempDir()
	texts := fill(t, good, 200)
	file := dataFile(t, good)
	page := os.Getpagesize()
	damages := []struct {
		name string
		make func(b []byte) []byte
		must string // "starts", "refuses" or either
	}{
		{"none", func(b []byte) []byte { return b }, "starts"},
		{"more at the end", func(b []byte) []byte { return append(b, make([]byte, 3*page)...) }, "starts"},
		{"first page zeroed", func(b []byte) []byte { clear(b[:page]); return b }, "starts"},
		{"second page zeroed", func(b []byte) []byte { clear(b[page : 2*page]); return b }, "starts"},
		{"both zeroed", func(b []byte) []byte { clear(b[:2*page]); return b }, "refuses"},
		{"all but those zeroed", func(b []byte) []byte { clear(b[2*page:]); return b }, "refuses"},
		{"half of it", func(b []byte) []byte { return b[:len(b)/2] }, ""},
		{"one page", func(b []byte) []byte { return b[:page] }, "refuses"},
		{"half a page", func(b []byte) []byte { return b[:page/2] }, "refuses"},
		{"one byte", func(b []byte) []byte { return b[:1] }, "refuses"},
		{"another kind of file", func(b []byte) []byte { return bytes.Repeat([]byte("hello\n"), len(b)/6) }, "refuses"},
	}
	flips := 40
	if raceDetector {
		flips = 10
	}
	for range flips {
		at, n, x := r.IntN(len(file)), 1+r.IntN(64), byte(1+r.IntN(255))
		damages = append(damages, struct {
			name string
			make func(b []byte) []byte
			must string
		}{fmt.Sprintf("%d bytes from %d on xor %#x", n, at, x), func(b []byte) []byte {
			for i := range b[at:min(at+n, len(b))] {
				b[at+i] ^= x
			}
			return b
		}, ""})
	}
	started, refused := 0, 0
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			dir := t.TempDir()
			b := d.make(bytes.Clone(file))
			if err := os.WriteFile(filepath.Join(dir, "wirelab.db"), b, 0o600); err != nil {
				t.Fatal(err)
			}
			addr := freeAddress(t)
			c := launch(t, "wirelab", "serve", "--plain", "--listen", addr, "--data", dir)
			if c.heard("udp "+addr) != nil {
				refused++
				if d.must == "starts" {
					t.Errorf("the server does not start:\n%s", &c.err)
				}
				refuses(t, c, "")
				if !bytes.Equal(dataFile(t, dir), b) {
					t.Error("the file was changed")
				}
				return
			}
			started++
			if d.must == "refuses" {
				t.Error("the server starts")
			}
			ana := joinTCP(t, addr, "newcomer")
			ana.says("after the damage")
			ana.Close()
			c.signal(syscall.SIGTERM)
			c.exit(exitOK)
			got, _ := stored(t, dir, "lobby")
			if last := len(got) - 1; last < 0 || got[last] != "after the damage" {
				t.Fatalf("what was said after the damage is not there: %q", got)
			}
			got = got[:len(got)-1]
			next := 0
			for _, text := range got {
				i := slices.Index(texts[next:], text)
				if i < 0 {
					t.Fatalf("%q was not said then", text)
				}
				next += i + 1
			}
			if lost := len(texts) - len(got); lost > 0 && !strings.Contains(c.err.String(), "level=ERROR") {
				t.Errorf("%d of %d messages are gone, and the server does not say so:\n%s", lost, len(texts), &c.err)
			}
			if d.must == "starts" && len(got) < len(texts)-1 {
				t.Errorf("%d of %d messages are left", len(got), len(texts))
			}
		})
	}
	t.Logf("%d damages: %d started, %d refused", len(damages), started, refused)
}

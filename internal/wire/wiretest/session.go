// Package wiretest reads the sessions that the transports' SPEC.md files tell
// byte by byte, so that a test can play them against a server.
package wiretest

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"wirelab/internal/wire"
)

// A Step is one quoted frame or datagram of a session.
type Step struct {
	By    string // "C" or "S"; empty for an example beside the session
	Name  string // of the vector
	Bytes []byte
}

var (
	heading = regexp.MustCompile(`^## ([CS]): `)
	block   = regexp.MustCompile("^```hex (\\S+)$")
)

// Session returns the steps in the SPEC.md file. Each must be, letter for
// letter, the vector of its name in the txtar file.
func Session(t testing.TB, spec, vectors string) []Step {
	t.Helper()
	archive, err := txtar.ParseFile(vectors)
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]string)
	for _, f := range archive.Files {
		known[f.Name] = string(f.Data)
	}
	text, err := os.ReadFile(spec)
	if err != nil {
		t.Fatal(err)
	}
	var steps []Step
	by, name, quoted := "", "", ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if name != "" {
			if line != "```" {
				quoted += line + "\n"
				continue
			}
			if diff := cmp.Diff(known[name+".hex"], quoted); diff != "" {
				t.Errorf("%s: %s differs (-vectors +%[1]s):\n%s", spec, name, diff)
			}
			steps = append(steps, Step{By: by, Name: name, Bytes: Bytes(t, quoted)})
			by, name, quoted = "", "", ""
		} else if m := heading.FindStringSubmatch(line); m != nil {
			by = m[1]
		} else if m := block.FindStringSubmatch(line); m != nil {
			name = m[1]
		}
	}
	if len(steps) == 0 {
		t.Fatalf("%s quotes no vector", spec)
	}
	return steps
}

// Bytes reads the hex of a vector: comments start with #, and 00*N is N zeros.
func Bytes(t testing.TB, text string) []byte {
	t.Helper()
	var b []byte
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		for _, word := range strings.Fields(line) {
			word, times, _ := strings.Cut(word, "*")
			n := 1
			if times != "" {
				var err error
				if n, err = strconv.Atoi(times); err != nil {
					t.Fatal(err)
				}
			}
			part, err := hex.DecodeString(strings.Repeat(word, n))
			if err != nil {
				t.Fatal(err)
			}
			b = append(b, part...)
		}
	}
	return b
}

// Same fails unless got is the envelope want, where nonces, ids, secrets and
// times may be others of their kind.
func Same(t testing.TB, name string, want, got []byte) {
	t.Helper()
	if diff := cmp.Diff(shape(t, want), shape(t, got)); diff != "" {
		t.Fatalf("%s (-SPEC.md +server):\n%s", name, diff)
	}
}

// shape is an envelope with a word in the place of each thing that differs
// from run to run.
func shape(t testing.TB, b []byte) map[string]any {
	t.Helper()
	e, err := wire.Decode(b)
	if err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	s := map[string]any{
		"kind": e.Kind.String(), "flags": e.Flags.String(), "seq": e.Seq, "prev": e.Prev, "id": e.ID, "timed": e.Time != 0,
		"namespace": string(e.Namespace), "room": string(e.Room), "sender": string(e.Sender), "event": string(e.Event),
	}
	if len(e.Args) > 0 {
		var args any
		if err := json.Unmarshal(e.Args, &args); err != nil {
			t.Fatalf("%q: %v", e.Args, err)
		}
		s["args"] = mask(args)
	}
	return s
}

func mask(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = mask(v[i])
		}
	case map[string]any:
		for key := range v {
			switch key {
			case "nonce", "socket", "session", "secret", "epoch":
				v[key] = strconv.Itoa(len(v[key].(string))) + " characters"
			case "since":
				v[key] = "a time"
			default:
				v[key] = mask(v[key])
			}
		}
	}
	return v
}

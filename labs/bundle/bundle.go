// Package bundle writes and reads what a learner hands in: one zip file for one
// lab. It has
//
//	manifest.json           what was answered, with which numbers: a [Manifest]
//	events.jsonl            what the main run told (see labs/EVENTS.md)
//	capture.pcapng          its packets
//	NAME/events.jsonl       the same of the sheet's run NAME
//	NAME/capture.pcapng
//
// The same work gives the same bytes: no clock and no machine is in it.
//
// The hashes in a bundle show that it was damaged, or changed by somebody who did
// not know of them. Who knows can compute them anew: what a bundle claims is worth
// something only after its runs were played again and its answers marked again,
// which package grade does. A bundle is read as something that a stranger made:
// every size and count in it has a bound, and nothing is written to a disk.
package bundle

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Format is the version of the form that this package writes, and the only one
// that it reads.
const Format = 1

// A Kind is what sort of lab a bundle is of.
type Kind string

// The kinds.
const (
	Observe Kind = "observe"
	Build   Kind = "build"
)

// A Manifest is a learner's work on one lab. It is data alone: package attempt
// makes one, package grade judges it.
type Manifest struct {
	Format  int    `json:"format"` // set by Write
	Lab     string `json:"lab"`
	Kind    Kind   `json:"kind"`
	Sheet   string `json:"sheet_sha256"`           // of the lab's text file
	Learner string `json:"learner"`                // as typed; empty: nobody in particular
	Class   string `json:"class_sha256,omitempty"` // see ClassSum; empty: no key
	Variant string `json:"variant,omitempty"`      // see VariantID
	Seed    uint64 `json:"seed"`
	Wirelab string `json:"wirelab"`      // the program's version
	Guest   string `json:"guest_sha256"` // of the WebAssembly that played the runs

	Steps   []Step   `json:"steps,omitempty"` // of a lab to observe, as far as they were begun
	Knob    []string `json:"knob,omitempty"`  // values that were tried, as typed
	Verdict string   `json:"verdict"`         // what the learner was told at the end
	Points  float64  `json:"points"`
	Of      float64  `json:"of"`

	Runs  []Run  `json:"runs,omitempty"`
	Check *Check `json:"check,omitempty"` // of a lab to build

	// Sum is the SHA-256 of this manifest without it; the runs' own sums are in
	// there, so it stands for the whole bundle. Set by Write.
	Sum string `json:"sha256"`
}

// A Step is what was done at one step of the sheet.
type Step struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"`
	Answers []Answer `json:"answers,omitempty"` // in the order in which they were given
	Hints   int      `json:"hints,omitempty"`   // that were looked at
	GivenUp bool     `json:"given_up,omitempty"`
	Skipped bool     `json:"skipped,omitempty"`
	Points  float64  `json:"points"`
	Of      float64  `json:"of"`
}

// An Answer is one that made sense as an answer, right or wrong.
type Answer struct {
	Part int    `json:"part,omitempty"` // which blank of a fill, from 0
	Text string `json:"text"`           // as typed
}

// A Run is one scenario that was played.
type Run struct {
	Name     string `json:"name,omitempty"` // of the sheet's scenario; empty: the main one
	Scenario string `json:"scenario"`       // its text, with the learner's numbers
	Events   string `json:"events_sha256"`  // set by Write
	Capture  string `json:"capture_sha256"` // set by Write
	// Omitted says that the run's files are not in the bundle, since one is too
	// large (MaxEntry). Set by Write.
	Omitted bool `json:"omitted,omitempty"`
}

// A Check is what the checker said of a program. Its verdict cannot be had again
// from a bundle: who wants to be sure runs `lab check` on the program.
type Check struct {
	Command []string `json:"command"` // how the program was started
	Seed    uint64   `json:"seed"`
	Stages  int      `json:"stages"` // of the lab
	Passed  int      `json:"passed"` // in a row, from the first
	Verdict string   `json:"verdict"`
}

// Files are what one run left.
type Files struct{ Events, Capture []byte }

// Names of the files of a run.
const (
	manifestName = "manifest.json"
	eventsName   = "events.jsonl"
	captureName  = "capture.pcapng"
)

// stamp is when every file of a bundle is from.
var stamp = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// Write writes a bundle. files are those of m.Runs, in the same order. It sets in
// a copy of m what follows from the files. The same values give the same bytes.
func Write(w io.Writer, m *Manifest, files []Files) error {
	if len(files) != len(m.Runs) {
		return fmt.Errorf("bundle: files of %d runs, want of %d", len(files), len(m.Runs))
	}
	out := *m
	out.Format = Format
	out.Runs = slices.Clone(m.Runs)
	for i, f := range files {
		r := &out.Runs[i]
		r.Events, r.Capture = hash(f.Events), hash(f.Capture)
		r.Omitted = max(len(f.Events), len(f.Capture)) > MaxEntry
	}
	out.Sum = out.sum()
	if err := out.check(); err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	text, err := json.MarshalIndent(&out, "", "  ")
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.DefaultCompression) })
	put := func(name string, content []byte) error {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: stamp})
		if err == nil {
			_, err = f.Write(content)
		}
		return err
	}
	if err := put(manifestName, append(text, '\n')); err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	for i := range out.Runs {
		if out.Runs[i].Omitted {
			continue
		}
		events, capture := out.Runs[i].paths()
		if err := put(events, files[i].Events); err != nil {
			return fmt.Errorf("bundle: %w", err)
		}
		if err := put(capture, files[i].Capture); err != nil {
			return fmt.Errorf("bundle: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	return nil
}

// paths returns where in the bundle the run's files lie.
func (r *Run) paths() (events, capture string) {
	if r.Name == "" {
		return eventsName, captureName
	}
	return r.Name + "/" + eventsName, r.Name + "/" + captureName
}

// Title names the run for people.
func (r *Run) Title() string {
	if r.Name == "" {
		return "the main run"
	}
	return "run " + r.Name
}

// sum is what Sum should be.
func (m *Manifest) sum() string {
	bare := *m
	bare.Sum = ""
	text, err := json.Marshal(&bare)
	if err != nil {
		return "" // a number that is none: check says so
	}
	return hash(text)
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// ClassSum is what a bundle says of a class key instead of the key. An empty key
// gives the empty sum. It is no secret: a class shares its key.
func ClassSum(key string) string {
	if key == "" {
		return ""
	}
	return hash([]byte("wirelab class key\x00" + key))
}

// VariantID is a short name of the numbers of a variant: its seed and the values
// of its variables, in base units.
func VariantID(seed uint64, values map[string]float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\n", seed)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&b, "%s %x\n", name, values[name])
	}
	return hash([]byte(b.String()))[:12]
}

// maxName is how many bytes of the learner's name a file's name has at most.
const maxName = 80

// Name returns the name of a bundle's file, NAME-LAB.zip. It is safe on every
// system: of the learner's name letters and digits are kept, in whatever script,
// and all else becomes a hyphen.
func Name(learner, lab string) string {
	var b bytes.Buffer
	gap := false
	for _, r := range norm.NFC.String(learner) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.Is(unicode.Mn, r), unicode.Is(unicode.Mc, r):
			text := string(unicode.ToLower(r))
			if gap && b.Len() > 0 {
				text = "-" + text
			}
			if b.Len()+len(text) > maxName {
				return b.String() + "-" + lab + ".zip"
			}
			b.WriteString(text)
			gap = false
		default:
			gap = true
		}
	}
	if b.Len() == 0 {
		return "nobody-" + lab + ".zip"
	}
	return b.String() + "-" + lab + ".zip"
}

// Package arch holds tests that guard the shape of the module: who may import
// what, and that each package says what it is.
package arch

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// never lists imports, direct or not, that a package must not have.
var never = []struct{ pkg, dep, why string }{
	{"wirelab/internal/wire", "net", "the codec also runs inside wasm"},
	{"wirelab/internal/wire", "wirelab/internal/chat", "the codec lies at the bottom"},
	{"wirelab/internal/missed", "wirelab/internal/chat", "a log knows no members"},
	{"wirelab/internal/missed", "net", "a log knows no network"},
	{"wirelab/internal/missed", "go.etcd.io/bbolt", "it does not build for wasm; it stands behind missed.Store"},
	{"wirelab/internal/chat", "net", "the hub knows no socket; transports attach"},
	{"wirelab/internal/chat", "wirelab/internal/client", "a server is no client"},
	{"wirelab/internal/client", "net", "transports give the client its links"},
	{"wirelab/internal/client", "wirelab/internal/chat", "a client talks to a server over the wire alone"},
	{"wirelab/tcpchat", "wirelab/udpchat", "each transport stands by itself"},
	{"wirelab/udpchat", "wirelab/tcpchat", "each transport stands by itself"},
	{"wirelab/internal/repl", "github.com/charmbracelet/bubbletea", "the plain client needs no terminal"},
	{"wirelab/tcpchat", "go.etcd.io/bbolt", "a transport stores nothing"},
	{"wirelab/udpchat", "go.etcd.io/bbolt", "a transport stores nothing"},
}

// only lists heavy dependencies and the one package that imports each, or with
// "/..." the one tree of packages.
var only = []struct{ dep, pkg string }{
	{"github.com/charmbracelet/bubbletea", "wirelab/internal/tui"},
	{"github.com/charmbracelet/bubbles", "wirelab/internal/tui"},
	{"go.etcd.io/bbolt", "wirelab/internal/missed/bolt"},
	{"github.com/spf13/cobra", "wirelab/cmd/wirelab"},
	{"github.com/mtibben/confusables", "wirelab/internal/chat"},
	{"github.com/tetratelabs/wazero", "wirelab/internal/sim"},
	{"gvisor.dev/gvisor", "wirelab/internal/vnet"},
	{"github.com/google/gopacket", "wirelab/packets/..."},
}

// guestNever lists what the program that runs inside wasm must not import,
// directly or not: each is bytes to compile and to start, for every run.
var guestNever = []struct{ dep, why string }{
	{"github.com/google/gopacket", "the guest streams raw packets; the host decodes"},
	{"github.com/charmbracelet", "the guest has no terminal, and termenv does not build for wasip1"},
	{"github.com/muesli/termenv", "it does not build for wasip1"},
	{"github.com/tetratelabs/wazero", "the host runs the guest, not the other way round"},
	{"github.com/spf13", "the guest has no command line"},
	{"go.etcd.io/bbolt", "it does not build for wasip1; the guest's disk is simulated"},
	{"wirelab/internal/sim", "the guest does not know that its time is virtual"},
	{"wirelab/internal/tui", "the guest has no terminal"},
	{"wirelab/internal/repl", "the guest has no terminal"},
	{"wirelab/labs/image", "the image holds the guest, not the other way round"},
	{"net/http", "it doubles the image"},
	{"os/exec", "there is nothing to start inside"},
	{"testing", "it is for tests"},
}

type pkg struct {
	ImportPath string
	Dir        string
	Imports    []string
	Deps       []string
	GoFiles    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,Deps,GoFiles", "wirelab/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestImports(t *testing.T) {
	all := packages(t)
	for _, rule := range never {
		i := slices.IndexFunc(all, func(p pkg) bool { return p.ImportPath == rule.pkg })
		if i < 0 {
			t.Errorf("no package %s: mend the rule", rule.pkg)
			continue
		}
		if slices.Contains(all[i].Deps, rule.dep) {
			t.Errorf("%s imports %s, perhaps through another package: %s", rule.pkg, rule.dep, rule.why)
		}
	}
	for _, rule := range only {
		for _, p := range all {
			for _, imp := range p.Imports {
				tree, isTree := strings.CutSuffix(rule.pkg, "...")
				if (imp == rule.dep || strings.HasPrefix(imp, rule.dep+"/")) && p.ImportPath != rule.pkg &&
					!(isTree && strings.HasPrefix(p.ImportPath, tree)) {
					t.Errorf("%s imports %s: only %s does", p.ImportPath, imp, rule.pkg)
				}
			}
		}
	}
}

func TestGuestStaysLean(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "wirelab/labs/guest")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for dep := range strings.Lines(string(out)) {
		dep = strings.TrimSpace(dep)
		for _, rule := range guestNever {
			if dep == rule.dep || strings.HasPrefix(dep, rule.dep+"/") {
				t.Errorf("wirelab/labs/guest imports %s, perhaps through another package: %s", dep, rule.why)
			}
		}
	}
}

func TestEachPackageHasOneDoc(t *testing.T) {
	for _, p := range packages(t) {
		docs := 0
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if f.Doc != nil {
				docs++
			}
		}
		if len(p.GoFiles) > 0 && docs != 1 {
			t.Errorf("%s has %d package comments, want 1", p.ImportPath, docs)
		}
	}
}

// A file beyond 500 lines holds two nouns.
func TestFilesAreShort(t *testing.T) {
	const limit = 500
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			b, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(b), "\n"); n > limit {
				t.Errorf("%s/%s has %d lines, at most %d", p.ImportPath, name, n, limit)
			}
		}
	}
}

func TestNamesSayWhatIsInside(t *testing.T) {
	vague := regexp.MustCompile(`^(util|utils|common|helpers?|misc|types|base)(\.go)?$`)
	for _, p := range packages(t) {
		for _, name := range append(slices.Clone(p.GoFiles), filepath.Base(p.Dir)) {
			if vague.MatchString(name) {
				t.Errorf("%s: %s names nothing", p.ImportPath, name)
			}
		}
	}
}

package wire

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func readSpec(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var hexBlock = regexp.MustCompile("(?ms)^```hex (\\S+)\n(.*?)^```$")

// What SPEC.md shows is what the vectors hold and the codec does.
func TestSpecQuotesTheVectors(t *testing.T) {
	_, all := readVectors(t)
	blocks := hexBlock.FindAllStringSubmatch(readSpec(t), -1)
	if len(blocks) == 0 {
		t.Error("SPEC.md quotes no vector")
	}
	for _, block := range blocks {
		i := slices.IndexFunc(all, func(v vector) bool { return v.name == block[1] })
		if i < 0 {
			t.Errorf("SPEC.md quotes %s, which is not in %s", block[1], vectorFile)
		} else if diff := cmp.Diff(all[i].hex, block[2]); diff != "" {
			t.Errorf("%s differs (-vectors +SPEC.md):\n%s", block[1], diff)
		}
	}
}

// A client's author finds every error code in SPEC.md.
func TestSpecNamesEveryErrorCode(t *testing.T) {
	code := regexp.MustCompile(`(?:\b[Cc]ode: |\bbroken\(|ending\{c, )"([a-z_]+)"`)
	spec := readSpec(t)
	found := 0
	for _, pattern := range []string{"../chat/*.go", "../../tcpchat/*.go", "../../udpchat/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range code.FindAllStringSubmatch(string(b), -1) {
				found++
				if m[1] != "bad_" && !regexp.MustCompile(`\b`+m[1]+`\b`).MatchString(spec) {
					t.Errorf("SPEC.md does not have the code %s of %s", m[1], name)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no code found: mend the pattern")
	}
}

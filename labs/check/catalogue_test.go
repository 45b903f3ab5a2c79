package check_test

import (
	"os"
	"testing"
	"time"

	"wirelab/labs/catalogue"
	"wirelab/labs/check"
	"wirelab/labs/image/imagetest"
	"wirelab/labs/sheet"
)

// Every program of every lab to build comes to what it has to: references pass,
// wrong ones fail where and why they say, starters at the first stage. Where the
// tools have to be there, one that is missing fails.
func TestCatalogue(t *testing.T) {
	if imagetest.Raced {
		t.Skip("the checker itself is raced by the other tests")
	}
	if testing.Short() {
		t.Skip("each wrong program costs a second or two")
	}
	for _, name := range catalogue.Names() {
		s, err := catalogue.Find(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s.Kind != sheet.Build {
			continue
		}
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			_, err := check.Verify(t.Context(), check.LabOf(s), check.VerifyOptions{Seed: 1, Tools: os.Getenv("WIRELAB_TEST_TOOLS") != "", Done: func(p check.Proof) {
				switch {
				case p.Skipped != "":
					t.Logf("%v: skipped: %s", p.Program, p.Skipped)
				case p.Wrong != "":
					t.Errorf("%s.txtar:%d: %v: %s", name, p.Program.Line, p.Program, p.Wrong)
				case p.Once != "":
					t.Logf("%v: once in three checks: %s", p.Program, p.Once)
				case p.Result != nil:
					_, f := p.Result.Failure()
					t.Logf("%v: %v, %v", p.Program, p.Result.Took.Round(time.Millisecond), f)
				}
			}})
			if err != nil {
				t.Error(err)
			}
			t.Logf("%v in all", time.Since(began).Round(10*time.Millisecond))
		})
	}
}

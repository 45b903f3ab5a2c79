package check

import (
	"os"
	"testing"

	"wirelab/internal/leak"
)

// The test binary is also the programs that it checks: called with "program
// NAME" it is one of them.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "program" {
		pupil(os.Args[2], os.Args[3:])
		os.Exit(0)
	}
	leak.Main(m)
}

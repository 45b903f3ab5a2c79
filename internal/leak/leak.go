// Package leak makes a package's tests fail that leave goroutines behind.
package leak

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Main runs the tests and ends the process, with 1 if a goroutine of this
// module still runs. Call it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if left := goroutines(2 * time.Second); left != "" {
			fmt.Fprintf(os.Stderr, "goroutines left behind:\n\n%s\n", left)
			code = 1
		}
	}
	os.Exit(code)
}

// goroutines returns the stacks of goroutines that run code of this module,
// beside the caller's own and the one that runs the tests. Some need a moment
// to end: they get wait.
func goroutines(wait time.Duration) string {
	for end := time.Now().Add(wait); ; runtime.Gosched() {
		buf := make([]byte, 1<<20)
		var left []string
		for i, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if i > 0 && strings.Contains(g, "wirelab/") && !strings.Contains(g, "testing.(*M).Run") {
				left = append(left, g)
			}
		}
		if left == nil || time.Now().After(end) {
			return strings.Join(left, "\n\n")
		}
	}
}

package leak

import (
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

func TestAGoroutineIsSeen(t *testing.T) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		<-end
		close(ended)
	}()
	if left := goroutines(0); !strings.Contains(left, "TestAGoroutineIsSeen") {
		t.Errorf("goroutines() = %q, want the one that this test started", left)
	}
	close(end)
	<-ended
	if left := goroutines(2 * time.Second); left != "" {
		t.Errorf("goroutines() = %q after its end", left)
	}
}

package tui

import (
	"testing"
	"time"

	"wirelab/internal/leak"
)

// TestMain fails if a test left a goroutine behind.
func TestMain(m *testing.M) {
	time.Local = time.UTC // times are shown as people read them
	leak.Main(m)
}

package sheet

import (
	"testing"

	"wirelab/internal/leak"
)

// TestMain fails if a test left a goroutine behind.
func TestMain(m *testing.M) { leak.Main(m) }

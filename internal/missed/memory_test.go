package missed_test

import (
	"testing"

	"wirelab/internal/missed"
	"wirelab/internal/missed/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(t *testing.T) func() missed.Store {
		s := missed.NewMemory()
		return func() missed.Store { return s }
	})
}

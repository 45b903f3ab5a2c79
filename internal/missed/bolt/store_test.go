package bolt

import (
	"path/filepath"
	"testing"

	"wirelab/internal/missed"
	"wirelab/internal/missed/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) func() missed.Store {
		path := filepath.Join(t.TempDir(), "data", "missed.db")
		return func() missed.Store {
			s, err := Open(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	})
}

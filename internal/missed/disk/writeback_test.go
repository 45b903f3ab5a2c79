package disk

import (
	"testing"
	"testing/synctest"
	"time"
)

// A disk that lies takes no time for a commit, and a power loss takes what was
// committed in the last WriteBack before it, whole. In good order nothing goes.
func TestWriteBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(Config{WriteBack: time.Second})
		commit := func(s *Store, i int) {
			t.Helper()
			began := time.Now()
			if err := s.Commit(put(i)); err != nil || time.Since(began) != 0 {
				t.Errorf("commit %d: %v after %v", i, err, time.Since(began))
			}
		}
		open := func() *Store {
			t.Helper()
			s, err := d.Open()
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := open()
		commit(s, 0)
		time.Sleep(time.Second + time.Millisecond)
		commit(s, 1)
		time.Sleep(time.Second - time.Millisecond)
		commit(s, 2)
		d.Crash()
		time.Sleep(time.Minute) // what was under way is under way no more
		s = open()
		if got := content(t, s); len(got) != 1 || got["k0"] == "" {
			t.Errorf("after the power loss there is %v, want the first commit alone", got)
		}
		commit(s, 4)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got := content(t, open()); got["k1"] != "value 4" {
			t.Errorf("closed in good order: %v, want the last commit, too", got)
		}
	})
}

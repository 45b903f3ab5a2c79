package disk

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"wirelab/internal/missed"
	"wirelab/internal/missed/storetest"
	"wirelab/internal/wire"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) func() missed.Store {
		d := New(Config{SyncTime: time.Nanosecond})
		return func() missed.Store {
			s, err := d.Open()
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	})
}

// put is a change that is told from others.
func put(i int) *missed.Change {
	return &missed.Change{Puts: []missed.Entry{{Table: "t", Key: fmt.Sprintf("k%d", i%3), Value: fmt.Appendf(nil, "value %d", i)}}}
}

// content returns what a store's tables hold.
func content(t *testing.T, s *Store) map[string]string {
	t.Helper()
	all := make(map[string]string)
	if err := s.Load(func(r missed.Record) error {
		if r.Entry != nil {
			all[r.Entry.Key] = string(r.Entry.Value)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// After a power loss at any instant the disk holds what some number of commits
// made, at least all that had returned without an error.
func TestPowerLossKeepsWhatWasCommitted(t *testing.T) {
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			d := New(Config{Seed: seed})
			s, err := d.Open()
			if err != nil {
				t.Fatal(err)
			}
			states := []map[string]string{content(t, s)}
			safe := 0
			when := time.Duration(r.IntN(20_000)) * time.Microsecond
			go func() {
				time.Sleep(when)
				d.Crash()
			}()
			for i := range 15 {
				before := states[len(states)-1]
				after := map[string]string{}
				for k, v := range before {
					after[k] = v
				}
				after[fmt.Sprintf("k%d", i%3)] = fmt.Sprintf("value %d", i)
				err := s.Commit(put(i))
				states = append(states, after)
				if err != nil {
					if !errors.Is(err, ErrOff) {
						t.Fatalf("seed %d: Commit = %v, want %v", seed, err, ErrOff)
					}
					break
				}
				safe = len(states) - 1
			}
			time.Sleep(time.Second)
			again, err := d.Open()
			if err != nil {
				t.Fatalf("seed %d: Open = %v", seed, err)
			}
			got := content(t, again)
			for _, want := range states[safe:] {
				if cmp.Equal(got, want) {
					return
				}
			}
			t.Errorf("seed %d: after the power loss %v, want one of %v", seed, got, states[safe:])
		})
	}
}

// A log that is cut at any byte opens with what its whole records say; one in
// which a byte is another way does not open, or only without its last record.
func TestTornAndDamaged(t *testing.T) {
	d := New(Config{SyncTime: time.Nanosecond})
	s, err := d.Open()
	if err != nil {
		t.Fatal(err)
	}
	var ends []int
	for i := range 5 {
		if err := s.Commit(put(i)); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, len(d.log))
	}
	whole := bytes.Clone(d.log)
	for cut := range len(whole) + 1 {
		torn := New(Config{})
		torn.log = bytes.Clone(whole[:cut])
		s, err := torn.Open()
		if err != nil {
			t.Fatalf("cut at %d: Open = %v", cut, err)
		}
		records := 0
		for _, e := range ends {
			if e <= cut {
				records++
			}
		}
		want := New(Config{SyncTime: time.Nanosecond})
		w, _ := want.Open()
		for i := range records {
			w.Commit(put(i))
		}
		if d := cmp.Diff(content(t, w), content(t, s)); d != "" {
			t.Errorf("cut at %d, after %d records:\n%s", cut, records, d)
		}
	}
	for at := recordHead; at < ends[3]; at++ {
		bad := New(Config{})
		bad.log = bytes.Clone(whole)
		bad.log[at] ^= 4
		_, err := bad.Open()
		inLength := false
		for _, e := range append([]int{0}, ends...) {
			inLength = inLength || at >= e && at < e+4
		}
		if !inLength && !errors.Is(err, missed.ErrDamaged) {
			t.Errorf("byte %d flipped: Open = %v, want %v", at, err, missed.ErrDamaged)
		}
	}
}

func TestFullDiskRefusesAndKeeps(t *testing.T) {
	d := New(Config{SyncTime: time.Nanosecond, Space: 100})
	s, err := d.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(put(1)); err != nil {
		t.Fatal(err)
	}
	big := &missed.Change{Puts: []missed.Entry{{Table: "t", Key: "big", Value: make([]byte, 200)}}}
	if err := s.Commit(big); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "of 100 are used") {
		t.Errorf("Commit on a full disk = %v, want %v with the figures", err, ErrFull)
	}
	if got := content(t, s); len(got) != 1 {
		t.Errorf("after a refused commit: %v", got)
	}
}

func TestOneUser(t *testing.T) {
	d := New(Config{})
	if _, err := d.Open(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(); !errors.Is(err, ErrOpen) {
		t.Errorf("second Open = %v, want %v", err, ErrOpen)
	}
	d.Crash()
	if _, err := d.Open(); err != nil {
		t.Errorf("Open after a crash = %v", err)
	}
}

// A queue on the disk acknowledges nothing that a power loss takes back.
func TestQueueLosesNothingAcknowledged(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 2))
			d := New(Config{Seed: seed})
			acked := make(map[uint64]string)
			for range 4 {
				s, err := d.Open()
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				q, err := missed.Open(missed.Config{Store: s})
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				log := q.Log(missed.Key{Room: "lobby"})
				for seq, want := range acked {
					if e, _, ok := log.Event(seq); !ok || string(e.Args) != want {
						t.Fatalf("seed %d: event %d was acknowledged with %q and is %q, %v", seed, seq, want, e.Args, ok)
					}
				}
				off, when := make(chan struct{}), time.Duration(r.IntN(10_000))*time.Microsecond
				go func() {
					time.Sleep(when)
					d.Crash()
					close(off)
				}()
				for alive := true; alive; {
					text := fmt.Sprintf("[%d]", r.Uint64())
					done := make(chan error, 1)
					seq, _, err := log.AppendThen(&wire.Envelope{Kind: wire.KindEvent, Room: []byte("lobby"), Event: []byte("msg"), Args: []byte(text)}, nil,
						func(_ uint64, err error) { done <- err })
					if err == nil {
						err = <-done
					}
					if err == nil {
						acked[seq] = text
					}
					select {
					case <-off:
						alive = false
					default:
						time.Sleep(100 * time.Microsecond)
					}
				}
				q.Close()
			}
			if len(acked) == 0 {
				t.Errorf("seed %d: nothing was acknowledged", seed)
			}
		})
	}
}

// FuzzOpen: no bytes on the medium make Open panic, and what it accepts it
// accepts again.
func FuzzOpen(f *testing.F) {
	d := New(Config{SyncTime: time.Nanosecond})
	s, _ := d.Open()
	s.Commit(put(1))
	s.Commit(&missed.Change{Rooms: []missed.Room{{Key: missed.Key{Room: "r"}, Epoch: 7, First: 1}}})
	f.Add(d.log)
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		d := New(Config{})
		d.log = bytes.Clone(b)
		s, err := d.Open()
		if err != nil {
			return
		}
		first := content(t, s)
		s.Close()
		if s, err = d.Open(); err != nil {
			t.Fatalf("the second Open = %v", err)
		}
		if d := cmp.Diff(first, content(t, s)); d != "" {
			t.Error(d)
		}
	})
}

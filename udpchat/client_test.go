package udpchat

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wirelab/internal/chat"
)

// TestComeBack: a member with the queue is cut off over and over while others
// speak, on a network that loses a tenth, and in the end has heard everything
// in order, once. Members without it have not: with the modes that send again
// they miss what was said while they were away, and nothing else.
func TestComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(11)
		n.set(.1, .05, 10*ms, 10*ms)
		serve(t, &Server{Hub: newHub(t, chat.Config{})}, n.listen(serverAt))
		const spoken = 100
		var (
			mu    sync.Mutex
			heard = make(map[string][]int)
			wg    sync.WaitGroup
		)
		start := func(name string, mode Mode) *Client {
			c := NewClient(serverAt, mode, Config{
				Name: name, Rooms: []string{"lobby"}, Queue: mode == Queue, Reconnect: true,
				Dial: (&Dialer{Address: serverAt, Mode: mode, Net: n.dial}).Dial,
				OnEvent: func(e Event) any {
					var i int
					if e.Event == "count" {
						text, _ := e.Text()
						fmt.Sscan(text, &i)
						mu.Lock()
						heard[name] = append(heard[name], i)
						mu.Unlock()
					}
					return nil
				},
			})
			wg.Go(func() { c.Run(t.Context()) })
			if err := c.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			return c
		}
		ana := start("ana", Queue)
		quit := []*Client{
			ana, start("bob", Queue), start("eve", Unreliable), start("sue", Sequenced),
			start("sam", StopAndWait), start("gus", GoBackN), start("sol", SelectiveRepeat),
		}
		for i := range spoken {
			if _, err := ana.EmitRetry(t.Context(), "lobby", "count", fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
			if i%25 == 10 {
				quit[1].Cut(2 * time.Second)
			}
			if i == 70 {
				for _, c := range quit[2:] {
					c.Cut(2 * time.Second)
				}
			}
			time.Sleep(200 * ms)
		}
		time.Sleep(2 * time.Minute)
		for _, c := range quit {
			c.Close()
		}
		wg.Wait()
		for _, name := range []string{"ana", "bob"} {
			if got := heard[name]; len(got) != spoken || !slices.IsSorted(got) {
				t.Errorf("%s heard %d of %d, in order: %v", name, len(got), spoken, slices.IsSorted(got))
			}
		}
		for _, name := range []string{"eve", "sue"} {
			got := heard[name]
			if len(got) < spoken/2 || len(got) >= spoken*9/10 {
				t.Errorf("%s heard %d of %d over a network that loses a tenth, and was away for longer", name, len(got), spoken)
			}
			sorted := slices.Clone(got)
			slices.Sort(sorted)
			if len(slices.Compact(sorted)) != len(got) {
				t.Errorf("%s heard something twice", name)
			}
			if name == "sue" && !slices.IsSorted(got) {
				t.Errorf("%s heard out of order: %v", name, got)
			}
		}
		for _, name := range []string{"sam", "gus", "sol"} {
			holes, last := 0, -1
			for _, next := range append(heard[name], spoken) {
				if next <= last {
					t.Errorf("%s heard %d after %d", name, next, last)
				}
				if next > last+1 {
					// What was under way when it was cut off is lost, too.
					if holes++; last > 71 || next < 75 {
						t.Errorf("%s did not hear %d to %d, and was there", name, last+1, next-1)
					}
				}
				last = next
			}
			if holes != 1 {
				t.Errorf("%s heard %v: want one hole, where it was away", name, heard[name])
			}
		}
	})
}

package bolt_test

import (
	"fmt"
	"os"
	"path/filepath"

	"wirelab/internal/missed"
	"wirelab/internal/missed/bolt"
	"wirelab/internal/wire"
)

// With a store in a file, what was acknowledged is there after a restart.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "missed")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	for range 2 {
		store, err := bolt.Open(filepath.Join(dir, "missed.db"), bolt.Options{})
		if err != nil {
			fmt.Println(err)
			return
		}
		q, err := missed.Open(missed.Config{Store: store})
		if err != nil {
			fmt.Println(err)
			return
		}
		stored := make(chan error)
		lobby := q.Log(missed.Key{Room: "lobby"})
		lobby.AppendThen(&wire.Envelope{Kind: wire.KindEvent, Event: []byte("say")}, nil,
			func(_ uint64, err error) { stored <- err })
		fmt.Println(<-stored, lobby.Head())
		q.Close()
	}
	// Output:
	// <nil> 1
	// <nil> 2
}

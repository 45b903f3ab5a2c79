package missed_test

import (
	"fmt"

	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// A member who was away reads on from its cursor: the same bytes that the
// others were sent, whole frames back to back.
func Example() {
	q, err := missed.Open(missed.Config{Store: missed.NewMemory()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer q.Close()
	lobby := q.Log(missed.Key{Room: "lobby"})
	for _, text := range []string{`["hello"]`, `["for ana"]`, `["bye"]`} {
		var mark *missed.Mark
		if text == `["for ana"]` {
			mark = &missed.Mark{Only: []uint64{7}}
		}
		lobby.Append(&wire.Envelope{
			Kind: wire.KindEvent, Room: []byte("lobby"), Sender: []byte("ben"), Event: []byte("say"), Args: []byte(text),
		}, mark)
	}

	const ben = 8 // a session that may not see what is for session 7
	for cursor := uint64(0); cursor < lobby.Head(); {
		b, err := lobby.Read(cursor, 0, ben, 64<<10)
		if err != nil {
			fmt.Println(err)
			return
		}
		if b.Hidden {
			fmt.Printf("up to %d: hidden\n", b.Cursor)
		}
		for rest := b.Frames; len(rest) > 0; {
			var envelope []byte
			envelope, rest, _ = wire.SplitFrame(rest)
			e, _ := wire.Decode(envelope)
			fmt.Printf("%d: %s\n", e.Seq, e.Args)
		}
		cursor = b.Cursor
	}
	// Output:
	// 1: ["hello"]
	// up to 2: hidden
	// 3: ["bye"]
}

// What limits took away is told, never left out in silence.
func ExampleLog_Read() {
	q, err := missed.Open(missed.Config{Store: missed.NewMemory(), Limits: missed.Limits{Count: 2}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer q.Close()
	lobby := q.Log(missed.Key{Room: "lobby"})
	for range 5 {
		lobby.Append(&wire.Envelope{Kind: wire.KindEvent, Event: []byte("say")}, nil)
	}
	b, err := lobby.Read(0, 0, 7, 64<<10)
	fmt.Println(b.Cursor, b.Lost, b.Reason, err)
	b, err = lobby.Read(b.Cursor, 0, 7, 64<<10)
	fmt.Println(b.First, b.Last, err)
	// Output:
	// 3 3 overflow <nil>
	// 4 5 <nil>
}

// An acknowledgement is sent when the event is stored. A retry is the same
// message.
func ExampleLog_AppendThen() {
	q, err := missed.Open(missed.Config{Store: missed.NewMemory()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer q.Close()
	lobby := q.Log(missed.Key{Room: "lobby"})
	for range 2 {
		seq, dup, err := lobby.AppendThen(&wire.Envelope{Kind: wire.KindEvent, Sender: []byte("ana"), ID: 0xa1}, nil,
			func(seq uint64, err error) { fmt.Println("acknowledged", seq, err) })
		fmt.Println(seq, dup, err)
	}
	// Output:
	// acknowledged 1 <nil>
	// 1 false <nil>
	// acknowledged 1 <nil>
	// 1 true <nil>
}

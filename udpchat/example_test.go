package udpchat_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/udpchat"
)

// Two members in a room, over UDP on this machine.
func Example() {
	queue, err := missed.Open(missed.Config{Store: missed.NewMemory()})
	if err != nil {
		log.Fatal(err)
	}
	defer queue.Close()
	hub, err := chat.New(chat.Config{Queue: queue})
	if err != nil {
		log.Fatal(err)
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- (&udpchat.Server{Hub: hub}).Serve(ctx, conn) }()
	defer func() {
		hub.Close("that was it")
		cancel()
		<-served
	}()

	heard := make(chan string)
	address := conn.LocalAddr().String()
	ana := udpchat.NewClient(address, udpchat.Queue, udpchat.Config{Name: "ana", Rooms: []string{"lobby"}})
	bob := udpchat.NewClient(address, udpchat.Queue, udpchat.Config{Name: "bob", Rooms: []string{"lobby"},
		OnEvent: func(e udpchat.Event) any {
			if e.Event == "msg" {
				text, _ := e.Text()
				heard <- e.Sender + ": " + text
			}
			return nil
		}})
	for _, c := range []*udpchat.Client{ana, bob} {
		go c.Run(ctx)
		defer c.Close()
		if err := c.Ready(ctx); err != nil {
			log.Fatal(err)
		}
	}
	if err := ana.Emit("lobby", "msg", "hello"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-heard)
	// Output: ana: hello
}

// A link of 10 Mb/s with a round trip of 40 ms, as the books have it: go-back-N
// fills it with a window of 35.
func ExampleTextbook() {
	frame := 1500 * 8 * time.Second / 10_000_000 // L/R
	arq := udpchat.Textbook(35, frame, 40*time.Millisecond)
	dialer := &udpchat.Dialer{Address: "127.0.0.1:9000", Mode: udpchat.GoBackN, ARQ: arq}
	server := &udpchat.Server{ARQ: arq}
	fmt.Println(dialer.ARQ.Window, dialer.ARQ.Fixed, server.ARQ.RTO, server.ARQ.Rate)
	// Output: 35 true 42.2ms 833
}

func ExampleParseMode() {
	mode, err := udpchat.ParseMode("sequenced")
	fmt.Println(mode, err)
	_, err = udpchat.ParseMode("pigeon")
	fmt.Println(err)
	// Output:
	// sequenced <nil>
	// udp mode "pigeon": want unreliable, sequenced, stop-and-wait, go-back-n, selective-repeat or queue
}

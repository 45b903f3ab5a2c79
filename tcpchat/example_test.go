package tcpchat_test

import (
	"context"
	"fmt"
	"net"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/tcpchat"
)

// A server, and a member who writes one message and reads it.
func Example() {
	queue, err := missed.Open(missed.Config{Store: missed.NewMemory()})
	if err != nil {
		panic(err)
	}
	defer queue.Close()
	hub, err := chat.New(chat.Config{Queue: queue})
	if err != nil {
		panic(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- (&tcpchat.Server{Hub: hub}).Serve(ctx, ln) }()

	heard := make(chan string)
	ana := tcpchat.NewClient(ln.Addr().String(), tcpchat.Config{
		Name: "ana", Rooms: []string{"lobby"}, Reconnect: true,
		OnEvent: func(e tcpchat.Event) any {
			text, _ := e.Text()
			heard <- fmt.Sprintf("[%s] %s: %s", e.Room, e.Sender, text)
			return nil
		},
	})
	go ana.Run(ctx)
	if err := ana.Ready(ctx); err != nil {
		panic(err)
	}
	if err := ana.Emit("lobby", "msg", "hello"); err != nil {
		panic(err)
	}
	fmt.Println(<-heard)

	ana.Close()
	hub.Close("the server is shutting down")
	cancel()
	fmt.Println(<-served)
	// Output:
	// [lobby] ana: hello
	// <nil>
}

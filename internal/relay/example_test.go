package relay_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"

	"wirelab/internal/impair"
	"wirelab/internal/relay"
)

// A server that sends back what it gets, and a client, with a link between them
// that loses the first segment with data in each direction.
func Example() {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	go func() {
		c, err := server.Accept()
		if err == nil {
			io.Copy(c, c)
			c.Close()
		}
	}()

	link, err := impair.Parse("delay 2ms drop data 1")
	if err != nil {
		log.Fatal(err)
	}
	near, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	r, err := relay.New(relay.Config{TCP: near, Connect: server.Addr().String(), Up: link, Down: link})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- r.Serve(ctx) }()

	c, err := net.Dial("tcp", near.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(c, "hello")
	c.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(c)
	fmt.Printf("%s %v\n", answer, err)
	stop()
	fmt.Println(<-served)
	s := r.Snapshot()
	fmt.Println("lost:", s.Up.Lost[impair.LostScript], s.Down.Lost[impair.LostScript])
	// Output:
	// hello <nil>
	// <nil>
	// lost: 1 1
}

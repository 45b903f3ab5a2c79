package vnet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"syscall"
	"time"

	"wirelab/internal/impair"
	"wirelab/internal/vnet"
)

// Two programs talk over TCP though the link loses a segment; the tap sees it.
func Example() {
	lossy, err := impair.Parse("delay 5ms drop data 1")
	if err != nil {
		fmt.Println(err)
		return
	}
	n := vnet.New(vnet.Config{Seed: 1, OnPacket: func(p *vnet.Packet) {
		if p.Vantage == vnet.Carried && len(p.Outcome.Arrivals) == 0 {
			fmt.Printf("%s %v: packet %d is lost: %v\n", p.Host, p.Direction, p.Number, p.Outcome.Cause)
		}
	}})
	defer n.Close()
	ana, err := n.AddHost(vnet.HostConfig{Name: "ana", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Up: lossy})
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := n.AddHost(vnet.HostConfig{Name: "server", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.2")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ln, err := server.Listen("tcp", ":7")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		c, err := ln.Accept()
		if err == nil {
			io.Copy(c, c)
			c.Close()
		}
	}()
	c, err := ana.DialContext(context.Background(), "tcp", "192.0.2.2:7")
	if err != nil {
		fmt.Println(err)
		return
	}
	io.WriteString(c, "all of it comes back")
	c.(*vnet.Conn).CloseWrite()
	b, err := io.ReadAll(c)
	fmt.Printf("%s, %v\n", b, err)
	// Output:
	// ana up: packet 3 is lost: script
	// all of it comes back, <nil>
}

// A host without power answers nothing, and its own program's calls fail.
func ExampleHost_Kill() {
	n := vnet.New(vnet.Config{})
	defer n.Close()
	h, err := n.AddHost(vnet.HostConfig{Name: "ana", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.1")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	h.Kill()
	_, err = h.Listen("tcp", ":80")
	fmt.Println(errors.Is(err, vnet.ErrKilled))
	fmt.Println(h.Start())
	_, err = h.Listen("tcp", ":80")
	fmt.Println(err)
	// Output:
	// true
	// <nil>
	// <nil>
}

// What is refused at one end is refused at the other.
func ExampleHost_Intercept() {
	n := vnet.New(vnet.Config{})
	defer n.Close()
	host := func(name, addr string) *vnet.Host {
		h, err := n.AddHost(vnet.HostConfig{Name: name, Addrs: []netip.Addr{netip.MustParseAddr(addr)}})
		if err != nil {
			panic(err)
		}
		return h
	}
	ana, server := host("ana", "192.0.2.1"), host("server", "192.0.2.2")
	if err := server.Intercept(func(r *vnet.Request) { r.Refuse() }); err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := ana.DialContext(ctx, "tcp", "192.0.2.2:80")
	fmt.Println(errors.Is(err, syscall.ECONNREFUSED))
	// Output:
	// true
}

// Command burst sends bytes over TCP in one write and prints what it took: it is
// run as a guest, in virtual time, where all segments of a burst leave at one
// instant.
//
//	burst UP DOWN BYTES
package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"time"

	"wirelab/internal/impair"
	"wirelab/internal/vnet"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	up, err := impair.Parse(args[0])
	if err != nil {
		return err
	}
	down, err := impair.Parse(args[1])
	if err != nil {
		return err
	}
	size, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	var link [7]int
	start := time.Now()
	n := vnet.New(vnet.Config{Seed: 1, OnPacket: func(p *vnet.Packet) {
		if p.Vantage == vnet.Carried && p.Direction == vnet.Up {
			link[p.Outcome.Cause]++
			if len(args) > 3 {
				fmt.Fprintln(os.Stderr, time.Since(start), p.Number, len(p.Data), p.Outcome.Cause, p.Data[24:28])
			}
		}
	}})
	a, err := n.AddHost(vnet.HostConfig{Name: "a", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Up: up, Down: down, SendBuffer: 8 << 20})
	if err != nil {
		return err
	}
	b, err := n.AddHost(vnet.HostConfig{Name: "b", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.2")}, Quiet: true})
	if err != nil {
		return err
	}
	ln, err := b.Listen("tcp", ":80")
	if err != nil {
		return err
	}
	c, err := a.DialContext(context.Background(), "tcp", "192.0.2.2:80")
	if err != nil {
		return err
	}
	d, err := ln.Accept()
	if err != nil {
		return err
	}
	begin := time.Now()
	go c.Write(make([]byte, size))
	if _, err := io.CopyN(io.Discard, d, int64(size)); err != nil {
		return err
	}
	s := a.Stats()
	_, err = fmt.Printf("lost %d resent %d timeouts %d took %v ports %v\n", link[impair.LostScript]+link[impair.LostRandom], s.Retransmits, s.Timeouts, time.Since(begin), c.LocalAddr())
	return err
}

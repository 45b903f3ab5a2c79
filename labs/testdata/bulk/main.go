// Bulk sends as much as TCP lets it from one emulated host to another, and prints
// the sender's inner state at each acknowledgement. It is the guest of the tests
// of congestion control.
//
//	bulk UP DOWN BYTES WINDOW
//
// UP and DOWN are the sender's link (see impair.Parse), WINDOW the receiver's
// buffer in bytes, 0 for the stack's own.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"time"

	"wirelab/internal/impair"
	"wirelab/internal/vnet"
)

// A sample is the sender's state when an acknowledgement came, or the last line:
// how long it took until all had arrived.
type sample struct {
	T        time.Duration `json:"t"`
	Cwnd     int           `json:"cwnd"`
	Ssthresh int           `json:"ssthresh"`
	Flight   int           `json:"flight"`
	SRTT     time.Duration `json:"srtt"`
	RTTVar   time.Duration `json:"rttvar"`
	RTO      time.Duration `json:"rto"`
	Recovery string        `json:"recovery"`
	Done     time.Duration `json:"done,omitempty"`
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
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
	window, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	var mu sync.Mutex
	start := time.Now()
	print := json.NewEncoder(out)
	n := vnet.New(vnet.Config{Seed: 1, OnState: func(s *vnet.State) {
		if s.Host != "a" {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		print.Encode(sample{T: time.Since(start), Cwnd: s.Cwnd, Ssthresh: s.Ssthresh, Flight: s.Outstanding,
			SRTT: s.SRTT, RTTVar: s.RTTVar, RTO: s.RTO, Recovery: s.Recovery})
	}})
	host := func(i byte, cfg vnet.HostConfig) *vnet.Host {
		cfg.Addrs = []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, i})}
		h, err2 := n.AddHost(cfg)
		if err2 != nil {
			err = err2
		}
		return h
	}
	a := host(1, vnet.HostConfig{Name: "a", Up: up, Down: down, SendBuffer: 8 << 20})
	b := host(2, vnet.HostConfig{Name: "b", ReceiveBuffer: window})
	if err != nil {
		return err
	}
	ln, err := b.Listen("tcp", ":80")
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		c, err := ln.Accept()
		if err == nil {
			_, err = io.CopyN(io.Discard, c, int64(size))
		}
		done <- err
	}()
	c, err := a.DialContext(context.Background(), "tcp", "192.0.2.2:80")
	if err != nil {
		return err
	}
	begun := time.Now()
	go c.Write(make([]byte, size))
	if err := <-done; err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	return print.Encode(sample{T: time.Since(start), Done: time.Since(begun)})
}

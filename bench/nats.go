//go:build linux

package main

import (
	"net/netip"
	"os"
	"time"

	nats "github.com/nats-io/nats-server/v2/server"
)

// serveNATS is the process of the reference server: NATS core with its
// defaults, less what would disturb a round (log, pings).
func serveNATS(addr netip.AddrPort) error {
	s, err := nats.NewServer(&nats.Options{
		Host: addr.Addr().String(), Port: int(addr.Port()),
		NoLog: true, NoSigs: true,
		PingInterval: time.Hour, DisableShortFirstPing: true,
	})
	if err != nil {
		return err
	}
	s.Start()
	s.WaitForShutdown()
	return nil
}

// startNATS starts that process.
func startNATS() (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	s, err := start(command(self, "role", "nats", addr.String()))
	if err != nil {
		return nil, err
	}
	s.Addr = addr
	return s, s.await()
}

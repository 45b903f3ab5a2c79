//go:build linux

package main

import (
	"net/netip"
	"os"
	"testing"
	"time"

	nats "github.com/nats-io/nats-server/v2/server"
)

func TestPayload(t *testing.T) {
	b := make([]byte, payloadSize)
	for _, want := range []uint64{0, 1, 255, 1 << 40, 1<<64 - 1} {
		putNumber(b, want)
		if got, err := getNumber(b); got != want || err != nil {
			t.Errorf("getNumber = %d, %v, want %d", got, err, want)
		}
	}
	if err := checkPayload(b, 7); err == nil {
		t.Error("checkPayload of another message = nil, want an error")
	}
	b[len(b)-1] = 'x'
	if _, err := getNumber(b); err == nil {
		t.Error("getNumber of a damaged payload = nil, want an error")
	}
}

func TestNATSNext(t *testing.T) {
	tests := []struct {
		name, in, payload, answer string
		size                      int
		fails                     bool
	}{
		{name: "part of a line", in: "MSG a 1"},
		{name: "part of a payload", in: "MSG a 1 5\r\nhell"},
		{name: "delivery", in: "MSG a 1 5\r\nhello\r\nMSG", payload: "hello", size: 18},
		{name: "ping", in: "PING\r\n", answer: "PONG\r\n", size: 6},
		{name: "info", in: "INFO {}\r\n", size: 9},
		{name: "error", in: "-ERR 'Slow Consumer'\r\n", fails: true},
	}
	for _, tt := range tests {
		size, payload, answer, err := natsProtocol{}.next([]byte(tt.in))
		if size != tt.size || string(payload) != tt.payload || string(answer) != tt.answer || (err != nil) != tt.fails {
			t.Errorf("%s: next = %d, %q, %q, %v", tt.name, size, payload, answer, err)
		}
	}
}

// TestFanout runs rounds against a NATS server in this process, counting bytes
// and parsing all of them.
func TestFanout(t *testing.T) {
	s, err := nats.NewServer(&nats.Options{Host: "127.0.0.1", Port: nats.RANDOM_PORT, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	if !s.ReadyForConnections(stalled) {
		t.Fatal("the server does not listen")
	}
	for _, check := range []bool{false, true} {
		r, err := fanout{
			Server: "nats", Addr: netip.MustParseAddrPort(s.Addr().String()), Source: netip.MustParseAddr("127.0.0.1"),
			PID: os.Getpid(), Room: "test", Members: 5, Window: 256, Batch: 64, Measure: 50 * time.Millisecond, Check: check,
		}.run()
		if err != nil {
			t.Fatalf("check %v: %v", check, err)
		}
		if r.Delivered == 0 || r.Published == 0 || r.Size != len("MSG test 1 100\r\n")+payloadSize+2 {
			t.Errorf("check %v: %+v", check, r)
		}
	}
}

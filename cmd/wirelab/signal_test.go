package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"wirelab/internal/client"
	"wirelab/internal/wire"
)

// disconnected waits until a guest has lost its connection, and returns why.
func (g *guest) disconnected() string {
	g.t.Helper()
	why := ""
	if !g.await(nil, func() bool {
		for _, st := range g.status {
			if st.Kind == client.StatusDisconnected {
				why = fmt.Sprint(st.Err)
				return true
			}
		}
		return false
	}) {
		g.t.Fatalf("%s is not disconnected", g.Name())
	}
	return why
}

// A server that is told to end says why to everybody, whatever they came over,
// ends with 0, and leaves addresses and data folder to the next one at once.
func TestSignal(t *testing.T) {
	t.Parallel()
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			dir, lines := t.TempDir(), freeAddress(t)
			server, addr := serve(t, "--data", dir, "--text", lines)
			server.says("text " + lines)
			ana, udo := joinTCP(t, addr, "ana"), joinUDP(t, addr, "udo")
			text, err := net.Dial("tcp", lines)
			if err != nil {
				t.Fatal(err)
			}
			defer text.Close()
			text.SetDeadline(time.Now().Add(patience))
			fmt.Fprint(text, "/name tex\nI am in\n")
			ana.gets("I am in")
			udo.gets(saysTo(ana, "hello"))
			heard := bufio.NewScanner(text)
			for heard.Scan() && !strings.Contains(heard.Text(), "hello") {
			}
			began := time.Now()
			server.signal(sig)
			server.exit(exitOK)
			t.Logf("ended after %v", time.Since(began).Round(time.Millisecond))
			const why = "the server is shutting down"
			for _, g := range []*guest{ana, udo} {
				if got := g.disconnected(); !strings.Contains(got, why) {
					t.Errorf("%s: %s, want %q", g.Name(), got, why)
				}
			}
			told := false
			for heard.Scan() {
				told = told || strings.Contains(heard.Text(), why)
			}
			if !told {
				t.Errorf("the text port did not say %q", why)
			}
			serveAt(t, addr, "--data", dir, "--text", lines)
			for _, g := range []*guest{ana, udo} {
				g.Online()
				if err := g.Ready(soon(t)); err != nil {
					t.Fatal(err)
				}
			}
			udo.gets(saysTo(ana, "again"))
			if len(ana.lost)+len(udo.lost) > 0 {
				t.Errorf("lost: %v %v", ana.lost, udo.lost)
			}
		})
	}
}

func saysTo(g *guest, text string) string {
	g.t.Helper()
	g.says(text)
	return text
}

// While a server waits for a member that does not read, a second signal ends it
// at once. What was acknowledged is on disk by then.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, addr := serve(t, "--data", dir, "--rate", "-1")
	stopped := dialRaw(t, addr, "")
	stopped.enter("stopped", wire.SessionNone)
	ana := joinTCP(t, addr, "ana")
	var want []string
	for i := range 300 {
		want = append(want, saysTo(ana, fmt.Sprintf("%d %s", i, strings.Repeat("x", 40_000))))
	}
	server.signal(os.Interrupt)
	if got := ana.disconnected(); !strings.Contains(got, "shutting down") {
		t.Errorf("disconnected with %s", got)
	}
	if server.ended() {
		t.Fatal("the server did not wait for the member that does not read")
	}
	server.signal(os.Interrupt)
	server.exit(exitInterrupted)
	ana.Close()
	if got, gone := stored(t, dir, "lobby"); len(got) != len(want) || gone > 0 || got[len(got)-1] != want[len(want)-1] {
		t.Errorf("%d messages on disk, %d unreadable, %d were acknowledged", len(got), gone, len(want))
	}
}

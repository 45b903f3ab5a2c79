package labs

import (
	"encoding/binary"
	"testing"
	"time"

	"wirelab/internal/pcapng"
	"wirelab/labs/scenario"
)

// Flags of TCP (RFC 9293, section 3.1).
const (
	fin = 1
	rst = 4
)

// states returns the states that a host's connection went through.
func (o *told) states(host string) (all []string, at []time.Duration) {
	for _, e := range o.did(host, "state") {
		all, at = append(all, e.Text), append(at, e.T)
	}
	return all, at
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// The states of RFC 9293, figure 5: who closes first goes through TIME-WAIT, and a
// connection half closed still carries data the other way.
func goodbye(t *testing.T, e *Engine) {
	o := perform(t, e, 1, `
host ana
  link delay 20ms
host bo
run bo
  listen 7000 as door
  accept door as c
  receive c
  wait 100ms
  send c "still here"
  close c
run ana
  connect bo:7000 as c
  shutdown c
  receive c
  close c
  until 70s
`)
	got, at := o.states("ana")
	if want := []string{"SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSED"}; !equal(got, want) {
		t.Errorf("ana went through %v, want %v\n%s", got, want, o.story())
	} else if wait := at[5] - at[4]; wait < 60*time.Second || wait > 61*time.Second {
		t.Errorf("TIME-WAIT for %v, want this stack's 60s", wait)
	}
	got, _ = o.states("bo")
	if want := []string{"ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"}; !equal(got, want) {
		t.Errorf("bo went through %v, want %v", got, want)
	}
	if m := o.one("ana", "message"); m.Text != "still here" {
		t.Errorf("after its FIN ana read %q", m.Text)
	}

	o = perform(t, e, 1, `
host ana
  link delay 20ms
host bo
run bo
  listen 7000 as door
  accept door as c
  receive c
run ana
  connect bo:7000 as c
  wait 100ms
  abort c
`)
	if got := o.one("bo", "reset"); got.T != 160*time.Millisecond {
		t.Errorf("bo is told of the RST at %v, want 160ms", got.T)
	}
}

// Who waits for a peer that has lost its power learns nothing, unless it sends:
// then after the timer, or with keepalive.
func vanished(t *testing.T, e *Engine) {
	text := func(keepalive string) string {
		return `
quiet 60s
host ana
  link delay 20ms
host bo
at 1s kill bo
run bo
  listen 7000 as door
  accept door as c
  receive c
run ana
  connect bo:7000 as c
  ` + keepalive + `
  receive c
`
	}
	o := perform(t, e, 1, text("note silent"))
	if got, _ := o.states("ana"); !equal(got, []string{"SYN-SENT", "ESTABLISHED"}) {
		t.Errorf("without keepalive ana went through %v, want ESTABLISHED for good", got)
	}
	o = perform(t, e, 1, text("keepalive c 5s count 3"))
	// Idle since 40 ms; a probe is answered never, so the third is at 5, 10, 15 s and
	// the end one interval later.
	got := o.one("ana", "timeout")
	t.Logf("with keepalive 5s count 3 ana is told at %v", got.T)
	if got.T < 15*time.Second || got.T > 25*time.Second {
		t.Errorf("with keepalive ana is told at %v, want some 20s", got.T)
	}
	// The peer is back with an empty memory: it answers RST.
	o = perform(t, e, 1, `
host ana
  link delay 20ms
host bo
at 1s kill bo
at 2s start bo
run bo
  listen 7000 as door
  accept door as c
  receive c
run ana
  connect bo:7000 as c
  until 3s
  send c 100
  receive c
`)
	if got := o.one("ana", "reset"); got.T != 3040*time.Millisecond {
		t.Errorf("ana is told at %v, want one round trip after it sent", got.T)
	}
}

// A reader that stops: the window closes, and probes ask again and again, each
// after twice the time (RFC 9293, section 3.8.6.1).
func probes(t *testing.T, e *Engine) {
	o := perform(t, e, 1, `
host ana
  link delay 20ms
host bo
  receive-buffer 32KiB
run bo
  listen 7000 as door
  accept door as c
  until 20s
  receive c
run ana
  connect bo:7000 as c
  send c 200000
  close c
`)
	closed := 0
	for _, p := range o.at("ana", pcapng.In) {
		if binary.BigEndian.Uint16(p.Data[34:]) == 0 && p.Data[33]&rst == 0 {
			closed++
		}
	}
	var at []time.Duration
	for _, p := range o.at("ana", pcapng.Out) {
		if w := o.when(p); w > time.Second && w < 19*time.Second {
			at = append(at, w)
		}
	}
	t.Logf("%d packets say zero window; probes at %v", closed, at)
	if closed == 0 || len(at) < 3 {
		t.Fatalf("%d zero windows, probes at %v", closed, at)
	}
	for i := 2; i < len(at); i++ {
		near(t, "gap of probes", (at[i] - at[i-1]).Seconds(), 2*(at[i-1]-at[i-2]).Seconds(), 0.15)
	}
	read := o.did("bo", "received")
	if len(read) == 0 || read[len(read)-1].Total != 200_000 {
		t.Error("after the reader went on not all came")
	}
}

// again returns the packets with data that ana sent twice.
func (o *told) again() (first, second []time.Duration) {
	seen := make(map[uint32]time.Duration)
	for _, p := range o.at("ana", pcapng.Out) {
		if len(p.Data) < 100 {
			continue
		}
		seq := binary.BigEndian.Uint32(p.Data[24:])
		if was, ok := seen[seq]; ok {
			first, second = append(first, was), append(second, o.when(p))
			continue
		}
		seen[seq] = o.when(p)
	}
	return first, second
}

func bulkText(link, host string) string {
	return `
host ana
  up ` + link + `
  down delay 20ms
` + host + `
host bo
run bo
  listen 7000 as door
  serve door sink
run ana
  connect bo:7000 as c
  send c 28960
  close c
`
}

// A hole in the middle is repaired in about one round trip after it was sent: by
// three duplicate ACKs (RFC 5681, section 3.2), or RACK.
func hole(t *testing.T, e *Engine) {
	for _, host := range []string{"", "  no-rack\n"} {
		o := perform(t, e, 1, bulkText("delay 20ms rate 10mbit drop data 3", host))
		first, second := o.again()
		if len(first) != 1 {
			t.Fatalf("%q: %d segments were sent again, want 1", host, len(first))
		}
		took := second[0] - first[0]
		t.Logf("%q: again after %v", host, took)
		if took < 40*time.Millisecond || took > 60*time.Millisecond {
			t.Errorf("%q: again after %v, want about one round trip of 40ms", host, took)
		}
	}
}

// A lost tail has nobody behind it: it waits for the timer (RFC 6298), or for
// RACK's probe after two round trips (RFC 8985, section 7).
func lostTail(t *testing.T, e *Engine) {
	for _, host := range []string{"", "  no-rack\n"} {
		o := perform(t, e, 1, bulkText("delay 20ms rate 10mbit drop data 20", host))
		first, second := o.again()
		if len(first) == 0 {
			t.Fatalf("%q: nothing was sent again\n%s", host, o.story())
		}
		t.Logf("%q: %v again after %v", host, first, second[0]-first[0])
	}
}

// TCP's acknowledgement is not the program's: what a reader had not read when it
// lost its power is lost, and that is no more than the buffers and the wire hold.
func notDelivery(t *testing.T, e *Engine) {
	o := perform(t, e, 1, `
host ana
  link delay 20ms rate 10mbit
  send-buffer 32KiB
host bo
  receive-buffer 64KiB
at 2s kill bo
run bo
  listen 7000 as door
  accept door as c
  receive c 1000 at a time every 50ms
run ana
  connect bo:7000 as c
  send c 1000 x 1000 until 5s
`)
	sent, read := o.did("ana", "sent"), o.did("bo", "received")
	written, taken := sent[len(sent)-1].Total, read[len(read)-1].Total
	t.Logf("written %d, read %d, lost %d", written, taken, written-taken)
	if lost := written - taken; lost <= 0 || lost > 32<<10+64<<10+50_000 {
		t.Errorf("%d bytes lost, want 1 to the sum of the buffers and of what is under way", lost)
	}
}

// RFC 6298: the first sample R gives SRTT = R, RTTVAR = R/2, RTO = max(SRTT +
// 4·RTTVAR, minimum).
func rawTimer(t *testing.T, e *Engine) {
	o := perform(t, e, 1, `
host ana
  link delay 50ms
host bo
run bo
  listen 7000 as door
  serve door echo
run ana
  connect bo:7000 as c
  request c 100 x 5
  close c
`)
	n := 0
	for _, ev := range o.events {
		if ev.Kind == scenario.EventTCP && ev.Host == "ana" {
			if n++; n < 8 {
				t.Logf("%v: srtt %v rttvar %v rto %v", ev.T, ev.TCP.SRTT, ev.TCP.RTTVar, ev.TCP.RTO)
			}
		}
	}
}

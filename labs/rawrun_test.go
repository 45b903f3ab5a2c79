package labs

import (
	"bytes"
	"testing"

	"wirelab/internal/pcapng"
	"wirelab/labs/image/imagetest"
	"wirelab/labs/scenario"
)

// everything has raw hosts beside the chat, TCP, UDP and ARQ, and faults.
const everything = `
seed 4
end 20s
server
member eve over tcp+queue
  link delay 5ms loss 2%
  says 10 rate 10/s size 200
host ana
  link delay 20ms rate 10mbit loss 3% duplicate 2%
host bo
  down delay 1ms limit 50
at 2s kill bo
at 3s start bo
run bo
  listen 7000 as door
  serve door echo
run bo
  udp 7001 as s
  arq receive s selective-repeat
run ana
  connect bo:7000 as c
  request c 3000 x 20 every 10ms
  until 4s
  send c 100
  receive c
run ana
  udp 7001 as u
  arq send u bo:7001 selective-repeat window 20 timeout 60ms frames 60 size 1500
`

// One seed is one run, with files and without.
func TestRawIsRepeatable(t *testing.T) {
	if imagetest.Raced {
		t.Skip("the race detector does not see into the guest")
	}
	e := engine(t)
	parse := func() *scenario.Scenario {
		s, err := scenario.ParseText(everything)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	want := play(t, e, parse())
	var events, packets bytes.Buffer
	res, err := e.Play(t.Context(), parse(), Output{Events: &events, Packets: &packets})
	if err != nil || res.Sums != want {
		t.Errorf("with files %x, %v, without %x", res.Sums, err, want)
	}
	other := parse()
	other.Seed = 5
	if play(t, e, other) == want {
		t.Error("seeds 4 and 5 give one and the same run")
	}
}

// Each link has three interfaces with names of its own, the far end the other
// host's; a packet has one ID wherever it is seen.
func TestRawCapture(t *testing.T) {
	if imagetest.Raced {
		t.Skip("the race detector does not see into the guest")
	}
	o := perform(t, engine(t), 1, `
host ana
  up delay 20ms loss 30%
host bo
  down delay 1ms
run bo
  udp 7000 as s
  receive s
run ana
  udp 7000 as s
  sendto s bo:7000 100 x 30 every 1ms
`)
	if got, want := o.links, []string{"ana", "link ana", "bo ana", "bo", "link bo", "ana bo"}; !equal(got, want) {
		t.Errorf("interfaces %q, want %q", got, want)
	}
	points := make(map[uint64][]string)
	tags := make(map[uint64]string)
	for _, p := range o.packets {
		points[p.ID] = append(points[p.ID], o.links[p.Interface])
		tag := string(p.Data[28:38])
		if was, ok := tags[p.ID]; ok && was != tag {
			t.Errorf("ID %d is %s and %s", p.ID, was, tag)
		}
		tags[p.ID] = tag
	}
	if len(points) != 30 {
		t.Errorf("%d IDs of 30 datagrams", len(points))
	}
	whole := 0
	for id, at := range points {
		switch len(at) {
		case 2: // lost on ana's link
		case 6:
			whole++
		default:
			t.Errorf("packet %d was seen at %q", id, at)
		}
	}
	if got := len(o.did("bo", "received")); got != whole || whole == 30 {
		t.Errorf("%d packets were seen everywhere, %d received", whole, got)
	}
	for _, p := range o.at("ana", pcapng.In) {
		t.Errorf("ana received %d bytes, and nobody sent her any", len(p.Data))
	}
	two := perform(t, engine(t), 1, "host ana\n  link delay 1ms\nhost bo\nhost cy\nrun ana\n  connect bo:1 as c\n")
	if got, want := two.links, []string{"ana", "link", "net"}; !equal(got, want) {
		t.Errorf("of three hosts the interfaces are %q, want %q", got, want)
	}
}

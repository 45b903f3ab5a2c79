package labs

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"wirelab/internal/pcapng"
	"wirelab/internal/trace"
	"wirelab/labs/image/imagetest"
	"wirelab/labs/scenario"
)

// A told is what a run of a scenario's text told. Times count from the beginning
// of the workload.
type told struct {
	t       *testing.T
	events  []*scenario.Event
	packets []pcapng.Packet
	links   []string // names of interfaces
	begin   time.Duration
}

// perform plays a scenario's text.
func perform(t *testing.T, e *Engine, seed uint64, text string) *told {
	t.Helper()
	s, err := scenario.ParseText(text)
	if err != nil {
		t.Fatal(err)
	}
	if s.Seed == 0 {
		s.Seed = seed
	}
	out := &told{t: t}
	_, err = e.Play(t.Context(), s, Output{
		Event: func(ev *scenario.Event) error {
			if ev.Kind == scenario.EventBegin {
				out.begin = ev.T
			}
			ev.T -= out.begin
			out.events = append(out.events, ev)
			return nil
		},
		Record: func(r *trace.Record) error {
			switch r.Kind {
			case trace.Interface:
				out.links = append(out.links, r.Interface.Name)
			case trace.Packet:
				p := r.Packet
				p.Data = append([]byte(nil), p.Data...)
				out.packets = append(out.packets, p)
			}
			return nil
		},
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

// did returns the events of a host that did so.
func (o *told) did(host, what string) []*scenario.Event {
	var all []*scenario.Event
	for _, e := range o.events {
		if e.Kind == scenario.EventSock && e.Host == host && e.Do == what {
			all = append(all, e)
		}
	}
	return all
}

// one returns the only event of a host that did so.
func (o *told) one(host, what string) *scenario.Event {
	o.t.Helper()
	all := o.did(host, what)
	if len(all) != 1 {
		o.t.Fatalf("%s: %d events %q, want 1", host, len(all), what)
	}
	return all[0]
}

// at returns the packets seen at an interface, on their way there or from there.
func (o *told) at(link string, way pcapng.Direction) []pcapng.Packet {
	var all []pcapng.Packet
	for _, p := range o.packets {
		if o.links[p.Interface] == link && p.Direction == way {
			all = append(all, p)
		}
	}
	return all
}

// when returns when a packet was seen.
func (o *told) when(p pcapng.Packet) time.Duration { return Since(p.Time) - o.begin }

// near fails unless got is within a share of want.
func near(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	t.Logf("%s: %.5g, the formula says %.5g", what, got, want)
	if math.Abs(got-want) > share*math.Abs(want) {
		t.Errorf("%s: %.5g, the formula says %.5g ± %.2g %%", what, got, want, 100*share)
	}
}

// What the labs measure is judged by the formulas of textbooks and RFCs. L is
// 1,500 B, R 10 Mb/s and RTT 40 ms.
func TestRaw(t *testing.T) {
	if imagetest.Raced {
		t.Skip("the race detector does not see into the guest")
	}
	e := engine(t)
	for _, tt := range []struct {
		name string
		test func(*testing.T, *Engine)
	}{
		{"refused", refused}, {"handshake", handshake}, {"slow start", rawSlowStart}, {"stop and wait", stopAndWait}, {"sliding window", slidingWindow},
		{"window over rtt", windowOverRTT}, {"datagrams", datagrams}, {"fragments", fragments}, {"bufferbloat", bufferbloat},
		{"fairness", fairness}, {"swap", swapped}, {"goodbye", goodbye}, {"vanished", vanished}, {"probes", probes},
		{"hole", hole}, {"lost tail", lostTail}, {"ack is not delivery", notDelivery}, {"timer", rawTimer},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, e) })
	}
}

// A closed port answers RST after one round trip (RFC 9293, section 3.5.2), a
// connection stands after one, too, and its 4-tuple is one at both ends.
func refused(t *testing.T, e *Engine) {
	o := perform(t, e, 1, `
host ana
  link delay 20ms
host bo
run bo
  listen 7000 as door
  accept door as c
  send c "hello"
  shutdown c
  receive c
run ana
  connect bo:7000 as c
  receive c
  close c
run ana
  connect bo:7001 as d
`)
	if got := o.one("ana", "refused").T; got != 40*time.Millisecond {
		t.Errorf("refused after %v, want one round trip of 40ms", got)
	}
	rst := 0
	for _, p := range o.at("ana", pcapng.In) {
		if p.Data[33]&4 != 0 && o.when(p) == 40*time.Millisecond {
			rst++
		}
	}
	if rst != 1 {
		t.Errorf("%d RST came to ana after 40ms, want 1", rst)
	}
	a, b := o.one("ana", "connected"), o.one("bo", "accepted")
	if a.T != 40*time.Millisecond || a.Local != b.Remote || a.Remote != b.Local || a.Local == "" || a.Remote != "192.0.2.2:7000" {
		t.Errorf("connected %+v, accepted %+v: want one 4-tuple after 40ms", a, b)
	}
	m := o.one("ana", "message")
	if m.Text != "hello" || m.From != "bo" || m.T != 80*time.Millisecond {
		t.Errorf("greeting %+v, want hello after two round trips", m)
	}
}

// Into silence a SYN goes again after 1 s, doubled each time (RFC 6298, section
// 5): at 0, 1, 3, 7 and 15 s.
func handshake(t *testing.T, e *Engine) {
	o := perform(t, e, 1, `
host ana
  link delay 20ms
host bo
at 0s cut bo
run ana
  wait 1ms
  connect bo:7000 as c within 20s
`)
	var got []time.Duration
	for _, p := range o.at("ana", pcapng.Out) {
		got = append(got, o.when(p)-time.Millisecond)
	}
	if want := []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("SYN at %v, want %v", got, want)
	}
	if out := o.one("ana", "timeout"); out.T != 20*time.Second+time.Millisecond {
		t.Errorf("given up at %v, want after 20s", out.T)
	}
}

// RFC 6928: 10, 30, 70 and 150 segments have been sent after 1, 2, 3 and 4 round
// trips of data.
func rawSlowStart(t *testing.T, e *Engine) {
	o := perform(t, e, 1, `
host ana
  link delay 20ms
host bo
run bo
  listen 7000 as door
  serve door sink
run ana
  connect bo:7000 as c
  send c 434400
`)
	start := o.one("ana", "connected").T
	for k := 1; k <= 4; k++ {
		n := 0
		for _, p := range o.at("ana", pcapng.Out) {
			if len(p.Data) > 100 && o.when(p) < start+time.Duration(k)*40*time.Millisecond {
				n++
			}
		}
		if want := 10 * (1<<k - 1); n != want {
			t.Errorf("%d segments were sent in %d round trips, want %d", n, k, want)
		}
	}
}

func arq(mode, loss string, window, frames int, timeout time.Duration) string {
	w := ""
	if window > 0 {
		w = fmt.Sprintf("window %d", window)
	}
	return fmt.Sprintf(`
states off
host ana
  up delay 20ms rate 10mbit %s
  down delay 20ms
host bo
run bo
  udp 7000 as s
  arq receive s %s
run ana
  udp 7000 as s
  arq send s bo:7000 %s %s timeout %v frames %d size 1500
`, loss, mode, mode, w, timeout, frames)
}

// utilisation is the share of the link's time that carried what was delivered,
// from the first frame's delivery to the last one's.
func (o *told) utilisation() float64 {
	d := o.did("bo", "delivered")
	for i, e := range d {
		if e.N != i+1 {
			o.t.Fatalf("delivery %d is of frame %d", i+1, e.N)
		}
	}
	last := len(d) - 1
	return float64(last) * 1.2e-3 / (d[last].T - d[0].T).Seconds()
}

// U = (L/R)/(RTT + L/R), and (1−p) times that with loss, if the timeout is the
// round trip.
func stopAndWait(t *testing.T, e *Engine) {
	const cycle = 41200 * time.Microsecond
	o := perform(t, e, 1, arq("stop-and-wait", "", 0, 50, cycle))
	near(t, "U", o.utilisation(), 1.2/41.2, 1e-6)
	const p, n = 0.1, 100
	o = perform(t, e, 3, arq("stop-and-wait", "loss 10%", 0, n, cycle))
	// What is sent again is negative binomial.
	near(t, "U with loss", o.utilisation(), (1-p)*1.2/41.2, 4*math.Sqrt(p/n))
}

// With a window of 1+2a or more, U = 1 without loss; of W frames, W/(1+2a). Go-back-N
// sends 1+2a frames again for each that is lost, selective repeat that one.
func slidingWindow(t *testing.T, e *Engine) {
	const twoA = 40 / 1.2
	timeout := 41200 * time.Microsecond
	for _, w := range []int{10, 20, 35} {
		o := perform(t, e, 1, arq("go-back-n", "", w, 150, timeout))
		d := o.did("bo", "delivered")
		// Whole windows, so that the pause after one counts as often as one.
		n := len(d) / w * w
		got := float64(n-w) * 1.2e-3 / (d[n-w].T - d[0].T).Seconds()
		near(t, fmt.Sprintf("U, W = %d", w), got, min(1, float64(w)/(1+twoA)), 1e-3)
	}
	for _, tt := range []struct {
		p float64
		n int
	}{{0.01, 500}, {0.05, 250}} {
		p, n := tt.p, float64(tt.n)
		loss := fmt.Sprintf("loss %v%%", 100*p)
		o := perform(t, e, 2, arq("go-back-n", loss, 35, tt.n, timeout))
		u := (1 - p) / (1 + twoA*p)
		// n·p/(1−p) times on average, with √(np)/(1−p), 1+2a frames are sent again.
		near(t, "U, go-back-N, "+loss, o.utilisation(), u, 4*u*(1+twoA)*math.Sqrt(p/n)/(1-p))
		o = perform(t, e, 2, arq("selective-repeat", loss, 200, tt.n, timeout))
		near(t, "U, selective repeat, "+loss, o.utilisation(), 1-p, 4*math.Sqrt(p/n)+2*twoA/n)
	}
}

// A rate is a window per round trip at most: 65,535 B at 100 ms are 5.24 Mb/s.
func windowOverRTT(t *testing.T, e *Engine) {
	o := perform(t, e, 1, `
states off
host ana
  link delay 50ms rate 100mbit
host bo
  receive-buffer 131070
run bo
  listen 7000 as door
  serve door sink
run ana
  connect bo:7000 as c
  send c 600000
`)
	d := o.did("bo", "received")
	from, to := d[0], d[len(d)-1]
	for _, ev := range d { // in the steady state
		if ev.T < 600*time.Millisecond {
			from = ev
		}
	}
	rate := float64(to.Total-from.Total) * 8 / (to.T - from.T).Seconds()
	window := 0
	for _, p := range o.at("ana", pcapng.In) {
		if p.Data[33]&2 == 0 {
			window = max(window, (int(p.Data[34])<<8|int(p.Data[35]))<<scale(o))
		}
	}
	t.Logf("largest window %d", window)
	near(t, "rate", rate, float64(window)*8/0.1, 0.05)
}

// scale returns bo's window scale (RFC 7323).
func scale(o *told) int {
	for _, p := range o.at("ana", pcapng.In) {
		if p.Data[33]&2 == 0 {
			continue
		}
		for b := p.Data[40:]; len(b) > 2; {
			switch {
			case b[0] == 3:
				return int(b[2])
			case b[0] <= 1:
				b = b[1:]
			default:
				b = b[b[1]:]
			}
		}
	}
	return 0
}

// story returns what the programs did, for messages of failures.
func (o *told) story() string {
	var b strings.Builder
	for _, e := range o.events {
		if e.Kind == scenario.EventSock {
			fmt.Fprintf(&b, "%v %s\n", e.T, e.Describe())
		}
	}
	return b.String()
}

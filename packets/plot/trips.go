package plot

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"wirelab/packets"
	"wirelab/packets/flow"
	"wirelab/packets/tcp"
)

// A trips collects round trips, and where the capture tells them the sender's
// own estimate and the timeout that follows from it.
type trips struct {
	rtt, first, srtt, rto Series
	spread                flow.Spread
}

func newTrips() *trips {
	return &trips{
		rtt:   Series{Name: "from data to its acknowledgement", Sign: "•", Style: Dots, Ink: inkData},
		first: Series{Name: "handshake", Sign: "h", Style: Marks, Ink: inkAck},
		srtt:  Series{Name: "srtt, the sender's estimate", Sign: "s", Style: Steps, Ink: inkWindow},
		rto:   Series{Name: "timeout (RTO)", Sign: "r", Style: Dashes, Ink: inkLost},
	}
}

func (t *trips) sent(x float64, p *packets.Packet, h *packets.Headers, r *tcp.Result) {
	t.state(x, p)
	if r.InitialRTT >= 0 {
		v := r.InitialRTT.Seconds()
		t.first.Add(Point{X: x, Y: v, Low: v})
	}
}

func (t *trips) got(x float64, p *packets.Packet, h *packets.Headers, r *tcp.Result) {
	t.state(x, p)
	if r.InitialRTT >= 0 {
		v := r.InitialRTT.Seconds()
		t.first.Add(Point{X: x, Y: v, Low: v})
	}
	if r.RTT >= 0 {
		t.rtt.Add(Point{X: x, Y: r.RTT.Seconds()})
		if t.rtt.keep.has(x) {
			t.spread.Add(r.RTT)
		}
	}
}

func (t *trips) state(x float64, p *packets.Packet) {
	s := readState(p.Comment)
	if s.srtt > 0 {
		t.srtt.Add(Point{X: x, Y: s.srtt.Seconds()})
	}
	if s.rto > 0 {
		t.rto.Add(Point{X: x, Y: s.rto.Seconds()})
	}
}

func (t *trips) series() []*Series { return []*Series{&t.rtt, &t.first, &t.srtt, &t.rto} }

func (t *trips) passed(float64, bool, *packets.Packet, *packets.Headers) {}
func (t *trips) arrived(float64, *packets.Packet, *packets.Headers)      {}

func (t *trips) finish(p *Plot) {
	p.Y = Axis{Label: "round trip", Unit: Seconds, Zero: true}
	p.add(&t.srtt, &t.rtt, &t.first)
	p.limit(&t.rto, "the timeout (RTO)", 10)
	if t.spread.Count > 0 {
		f := func(d time.Duration) string { return Seconds.Format(d.Seconds()) }
		p.Notes = append(p.Notes, fmt.Sprintf("%d round trips: least %s, median %s, 95th percentile %s, most %s.",
			t.spread.Count, f(t.spread.Min), f(t.spread.Quantile(0.5)), f(t.spread.Quantile(0.95)), f(t.spread.Max)))
	}
}

// A state is what a sender's comment says: "cwnd=14600 ssthresh=∞ srtt=40ms
// rto=240ms". What is not there, or no number, is 0.
type state struct {
	cwnd, ssthresh float64 // bytes; ssthresh is NaN if it was not set yet
	srtt, rto      time.Duration
}

func readState(comment string) (s state) {
	if !strings.Contains(comment, "=") {
		return s
	}
	for word := range strings.FieldsSeq(comment) {
		name, value, _ := strings.Cut(word, "=")
		value = strings.TrimRight(value, ",;")
		switch name {
		case "cwnd":
			s.cwnd = bytesOf(value)
		case "ssthresh":
			if s.ssthresh = bytesOf(value); value == "∞" || value == "inf" {
				s.ssthresh = math.NaN()
			}
		case "srtt":
			s.srtt, _ = time.ParseDuration(value)
		case "rto":
			s.rto, _ = time.ParseDuration(value)
		}
	}
	return s
}

func bytesOf(s string) float64 {
	n, err := strconv.ParseUint(s, 10, 48)
	if err != nil {
		return 0
	}
	return float64(n)
}

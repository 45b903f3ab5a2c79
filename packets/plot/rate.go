package plot

import (
	"fmt"
	"math"
	"time"

	"wirelab/packets"
	"wirelab/packets/tcp"
)

// A rate collects throughput: bytes in equal intervals of time. What goes over
// the wire is counted where it is sent, with IP headers and what is sent again;
// goodput where it arrives, if both are in the capture, and each byte once.
type rate struct {
	from  float64 // start of the first interval, in seconds
	width float64 // of an interval
	end   float64 // of the time
	wire  []int64
	good  []int64
	seen  ranges
	far   bool // goodput is counted at the receiver
}

func newRate(t *Target) *rate {
	r := &rate{from: t.From.Seconds(), far: t.receiver != 0}
	end := t.Flow.Duration()
	if t.To > 0 {
		end = min(end, t.To)
	}
	r.end = end.Seconds()
	d := end - t.From
	if d <= 0 {
		return r
	}
	// Few packets make few intervals: else most of them would be empty.
	n := min(max(float64(t.Flow.Sides[t.Dir].Packets)/5, 10), 60)
	r.width = below125(d.Seconds() / n)
	if t.Bin > 0 {
		r.width = max(t.Bin, d/maxBins+1).Seconds()
	}
	bins := int(math.Ceil(d.Seconds()/r.width - 1e-6))
	r.wire, r.good = make([]int64, max(bins, 1)), make([]int64, max(bins, 1))
	return r
}

// add counts n bytes at x.
func (r *rate) add(bins []int64, x float64, n int64) {
	if len(bins) == 0 || x < r.from-1e-9 || x > r.end+1e-9 {
		return
	}
	// An instant between two intervals begins the second one, whatever the rounding.
	i := int(math.Floor((x-r.from)/r.width + 1e-9))
	bins[min(max(i, 0), len(bins)-1)] += n
}

func (r *rate) sent(x float64, p *packets.Packet, h *packets.Headers, _ *tcp.Result) {
	r.add(r.wire, x, int64(h.IPLength))
	if !r.far {
		r.fresh(x, h)
	}
}

// fresh counts the bytes of a payload that were not there before.
func (r *rate) fresh(x float64, h *packets.Headers) {
	n := int64(h.PayloadLen)
	if h.TCP && n > 0 {
		seq := h.Seq
		if h.Control&packets.SYN != 0 {
			seq++
		}
		n = r.seen.take(seq, uint32(n))
	}
	r.add(r.good, x, n)
}

func (r *rate) series() []*Series                                           { return nil }
func (r *rate) got(float64, *packets.Packet, *packets.Headers, *tcp.Result) {}
func (r *rate) passed(float64, bool, *packets.Packet, *packets.Headers)     {}
func (r *rate) arrived(x float64, _ *packets.Packet, h *packets.Headers)    { r.fresh(x, h) }

func (r *rate) finish(p *Plot) {
	p.Y = Axis{Label: "throughput", Unit: BitsPerSecond, Zero: true}
	if len(r.wire) == 0 {
		return
	}
	good := Series{Name: "goodput: payload, each byte once", Sign: "g", Style: Steps, Ink: inkAck}
	wire := Series{Name: "on the wire: all IP bytes", Sign: "w", Style: Dashes, Ink: inkData}
	bins := len(r.wire)
	// The last interval is rarely whole: it belongs to the one before.
	whole := bins
	if rest := r.end - r.from - float64(bins-1)*r.width; bins > 1 && rest < r.width*(1-1e-6) {
		whole--
	}
	for i := range whole {
		from, to := r.from+float64(i)*r.width, r.from+float64(i+1)*r.width
		w, g := r.wire[i], r.good[i]
		if i == whole-1 {
			to = r.end
			if whole < bins {
				w, g = w+r.wire[bins-1], g+r.good[bins-1]
			}
		}
		for _, s := range []struct {
			*Series
			bytes int64
		}{{&good, g}, {&wire, w}} {
			v := float64(s.bytes) * 8 / (to - from)
			s.Points = append(s.Points, Point{X: from, Y: v})
			if i == whole-1 {
				s.Points = append(s.Points, Point{X: to, Y: v})
			}
		}
	}
	p.add(&wire, &good)
	where := ""
	if r.far {
		where = " Goodput as it arrives, the wire as it is sent."
	}
	p.Notes = append(p.Notes, fmt.Sprintf("Intervals of %v.%s", time.Duration(math.Round(r.width*1e9)), where))
	var w, g int64
	for i := range r.wire {
		w, g = w+r.wire[i], g+r.good[i]
	}
	if d := r.end - r.from; d > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("On average %s goodput, %s on the wire.", BitsPerSecond.Format(float64(g)*8/d), BitsPerSecond.Format(float64(w)*8/d)))
	}
}

// maxHoles is how many holes of the sequence numbers are remembered.
const maxHoles = 1024

// ranges knows which sequence numbers were seen: all before next but the holes.
type ranges struct {
	next  uint32
	begun bool
	holes [][2]uint32 // first number and the one after the last
}

// take adds n numbers from seq on and returns how many were not there before.
// Numbers are compared modulo 2³².
func (r *ranges) take(seq, n uint32) (fresh int64) {
	end := seq + n
	if !r.begun {
		r.begun, r.next = true, seq
	}
	if ahead := int32(seq - r.next); ahead > 0 {
		if len(r.holes) == maxHoles {
			r.holes = r.holes[1:]
		}
		r.holes = append(r.holes, [2]uint32{r.next, seq})
		r.next = seq
	}
	if ahead := int32(end - r.next); ahead > 0 {
		fresh += int64(min(uint32(ahead), n))
		r.next = end
	}
	var left [][2]uint32
	for i, h := range r.holes {
		if int32(h[1]-seq) <= 0 || int32(end-h[0]) <= 0 {
			if left != nil {
				left = append(left, h)
			}
			continue
		}
		if left == nil {
			left = append(make([][2]uint32, 0, len(r.holes)+1), r.holes[:i]...)
		}
		from, to := h[0], h[1]
		if int32(seq-from) > 0 {
			left = append(left, [2]uint32{from, seq})
			from = seq
		}
		if int32(to-end) > 0 {
			left = append(left, [2]uint32{end, to})
			to = end
		}
		fresh += int64(to - from)
	}
	if left != nil {
		r.holes = left
	}
	return fresh
}

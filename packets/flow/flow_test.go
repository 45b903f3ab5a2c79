package flow

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"wirelab/internal/pcapng"
	"wirelab/packets"
	"wirelab/packets/tcp"
)

// A span counts each byte once, as a set does, while there are few holes.
func TestSpanIsASet(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 3))
		base := uint32(r.Uint64()) // wraps around in some
		var s span
		seen := map[uint32]bool{}
		s.take(base, 10)
		for i := range uint32(10) {
			seen[base+i] = true
		}
		for range 40 {
			at, n := base+uint32(r.IntN(60)), uint32(1+r.IntN(20))
			want := int64(0)
			for i := range n {
				if !seen[at+i] {
					seen[at+i] = true
					want++
				}
			}
			if got := s.take(at, n); got != want {
				t.Fatalf("seed %d: take(base+%d, %d) = %d, want %d (%+v)", seed, at-base, n, got, want, s)
			}
		}
	}
}

// Few times give exact quantiles, many are within 1.6 % (above 1 µs).
func TestSpreadIsNearSorted(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	for _, n := range []int{1, 2, 31, 32, 33, 100, 10_000} {
		var s Spread
		var all []time.Duration
		sum := 0.0
		for range n {
			d := time.Duration(math.Exp(r.NormFloat64()*2+15)) + 1024
			s.Add(d)
			all = append(all, d)
			sum += float64(d)
		}
		slices.Sort(all)
		if s.Min != all[0] || s.Max != all[n-1] || s.Count != int64(n) || math.Abs(float64(s.Mean())-sum/float64(n)) > 1 {
			t.Errorf("%d: %v to %v, mean %v, want %v to %v", n, s.Min, s.Max, s.Mean(), all[0], all[n-1])
		}
		for _, q := range []float64{0, 0.5, 0.95, 0.99, 1} {
			want := all[min(max(int(math.Ceil(q*float64(n)))-1, 0), n-1)]
			got := s.Quantile(q)
			if off := math.Abs(float64(got-want)) / float64(want); off > 0.0157 || n <= few && got != want {
				t.Errorf("%d: quantile %v = %v, want %v", n, q, got, want)
			}
		}
	}
}

// A row of numbers says what a set does, within its window.
func TestRowIsASet(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 5))
		var w row
		seen := map[uint64]bool{}
		highest, gaps := uint64(0), int64(0)
		for next := uint64(1); next < 2000; {
			n := next
			if r.IntN(4) == 0 {
				n -= min(uint64(r.IntN(300)), n-1)
			} else {
				next += uint64(1 + r.IntN(3))
				if r.IntN(50) == 0 {
					next += 300
				}
			}
			what, passed := w.take(n)
			want := isNext
			switch {
			case n > highest:
				gaps += int64(n - highest - 1)
				highest = n
			case highest-n >= behind:
				want = isOld
			case seen[n]:
				want = isTwice
			default:
				want = isLate
			}
			seen[n] = true
			if what != want {
				t.Fatalf("seed %d: number %d after %d: %d, want %d", seed, n, highest, what, want)
			}
			gaps -= int64(passed)
		}
		if gaps != 0 {
			t.Fatalf("seed %d: passed over %d too few", seed, gaps)
		}
	}
}

// All bytes are in the series, whatever the clock does.
func TestSeriesKeepsAll(t *testing.T) {
	var s Series
	want := int64(0)
	for _, at := range []time.Duration{5, 6, time.Second, 3, time.Hour, math.MaxInt64 - 1, -9, math.MinInt64 / 2} {
		s.add(at, 7)
		want += 7
	}
	got := int64(0)
	for _, n := range s.Bytes() {
		got += n
	}
	if got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
}

// A table finds what a map does, also after removals.
func TestTableIsAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	table := table{slots: make([]slot, 64)}
	var flows []*Flow
	in := map[int]bool{}
	for i := range 20_000 {
		if len(flows) < 3000 {
			f := &Flow{hash: uint32(r.IntN(1 << (3 + i%20)))}
			f.key.low[1] = uint64(i)
			flows = append(flows, f)
		}
		k := r.IntN(len(flows))
		f := flows[k]
		if got := table.find(flows, &f.key, f.hash); (got == uint32(k+1)) != in[k] {
			t.Fatalf("step %d: find(%d) = %d, in the map is %v", i, k, got, in[k])
		}
		if in[k] {
			table.remove(f.hash, uint32(k+1))
		} else {
			table.put(f.hash, uint32(k+1))
		}
		in[k] = !in[k]
	}
}

// track reads a capture into a Tracker.
func track(t testing.TB, file []byte, c Config, each func(p *packets.Packet, f *Flow, dir int, r tcp.Result)) *Tracker {
	t.Helper()
	in, err := packets.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	tr := NewTracker(c)
	var p packets.Packet
	var h packets.Headers
	for {
		if err := in.Read(&p); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			return tr
		}
		h.Decode(&p)
		f, dir, r := tr.Add(&p, &h)
		if each != nil {
			each(&p, f, dir, r)
		}
	}
}

// write returns a capture of raw IP packets, a millisecond apart, of two
// interfaces in turn.
func write(t testing.TB, interfaces int, data ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := pcapng.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	for range interfaces {
		if _, err := w.Describe(pcapng.Interface{Name: "eth"}); err != nil {
			t.Fatal(err)
		}
	}
	for i, d := range data {
		if err := w.Write(&pcapng.Packet{Interface: i % interfaces, Time: time.Unix(1000, int64(i)*1e6), Data: d}); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

var (
	alice = [4]byte{192, 0, 2, 1}
	bob   = [4]byte{192, 0, 2, 2}
)

// Used ports begin a flow; the interface is part of it; what is over stays over.
func TestFlows(t *testing.T) {
	there := func(seq, a uint32, control uint8, n int) []byte {
		return segment(alice, bob, 4000, 80, seq, a, control, n)
	}
	back := func(seq, a uint32, control uint8, n int) []byte {
		return segment(bob, alice, 80, 4000, seq, a, control, n)
	}
	tr := track(t, write(t, 1,
		there(100, 0, syn, 0), back(500, 101, syn|ack, 0), there(101, 501, ack, 0), there(101, 501, push|ack, 50),
		there(101, 501, push|ack, 50), back(501, 151, ack, 0), there(151, 501, fin|ack, 0), back(501, 152, fin|ack, 0), there(152, 502, ack, 0),
		there(9000, 0, syn, 0), back(0, 9001, rst|ack, 0),
		back(77, 1, syn|ack, 0)[:30],
	), Config{}, nil)
	all := tr.Flows()
	if len(all) != 3 {
		t.Fatalf("%d flows, want 3", len(all))
	}
	first, second := all[0], all[1]
	a := &first.Sides[0]
	if first.A.Port() != 4000 || first.Opened != 0 || first.Ended() != "closed" || a.Packets != 6 || a.Payload != 100 || a.Once != 50 || a.Data != 4 {
		t.Errorf("first flow: %+v", *first)
	}
	if n := a.Count(tcp.Retransmission) + a.Count(tcp.OutOfOrder); n != 1 {
		t.Errorf("%d sent again, want 1", n)
	}
	if second.Ended() != "reset by B" || second.Stream != 1 || second.Sides[0].Packets != 1 {
		t.Errorf("second flow: %s, %+v", second.Ended(), *second)
	}
	if o := tr.Totals(); o.Packets != 12 || o.Problems != 1 || o.Flows != 3 {
		t.Errorf("totals: %+v", o)
	}
	double := track(t, write(t, 2, there(1, 0, syn, 0), there(1, 0, syn, 0)), Config{}, nil)
	if n := len(double.Flows()); n != 2 {
		t.Errorf("one packet at two interfaces is %d flows, want 2", n)
	}
}

// A clock that goes back breaks no figure, and is counted.
func TestClockGoesBack(t *testing.T) {
	file := write(t, 1, segment(alice, bob, 1, 2, 1, 0, ack, 10), segment(alice, bob, 1, 2, 11, 0, ack, 10))
	in, _ := packets.NewReader(bytes.NewReader(file))
	tr := NewTracker(Config{})
	var p packets.Packet
	var h packets.Headers
	for i := 0; in.Read(&p) == nil; i++ {
		p.Time = p.Time.Add(-time.Duration(i) * time.Hour)
		h.Decode(&p)
		tr.Add(&p, &h)
	}
	f := tr.Flows()[0]
	if tr.Totals().Backwards != 1 || f.Duration() < 0 || f.Sides[0].Once != 20 || f.Sides[0].Goodput() <= 0 {
		t.Errorf("%+v, %v", tr.Totals(), f.Duration())
	}
}

// More flows than there is room for: the totals are right, the large stay.
func TestMoreFlowsThanRoom(t *testing.T) {
	tr := NewTracker(Config{Flows: 500})
	var h packets.Headers
	const flows = 50_000
	add := func(i, size int) {
		p := packets.Packet{Link: packets.LinkRaw, Time: time.Unix(int64(i), 0), Data: segment([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}, bob, 5, 6, 1, 0, syn, size)}
		p.Length = len(p.Data)
		h.Decode(&p)
		tr.Add(&p, &h)
	}
	for i := range flows {
		size := 0
		if i == 123 {
			size = 1000
		}
		add(i, size)
	}
	o, rows := tr.Totals(), tr.Flows()
	if o.Packets != flows || o.Flows != flows || len(rows) != 500+keptRows || o.Dropped != flows-500-keptRows {
		t.Errorf("%+v, %d rows", o, len(rows))
	}
	if !slices.ContainsFunc(rows, func(f *Flow) bool { return f.Number == 124 && f.Bytes() == 1040 }) {
		t.Error("the largest flow is gone")
	}
	if n := len(tr.table.slots); n > 4096 {
		t.Errorf("the table has %d slots", n)
	}
	if n := testing.AllocsPerRun(1000, func() { add(7, 0) }); n > 2 { // the test's own packet is one
		t.Errorf("%v allocations for a packet", n)
	}
}

// FuzzTracker: any packets; counts add up and flows stay bounded.
func FuzzTracker(f *testing.F) {
	f.Add(slices.Concat(segment(alice, bob, 1, 2, 1, 0, syn, 0), segment(bob, alice, 2, 1, 9, 2, syn|ack, 3)))
	f.Add(bytes.Repeat([]byte{0x60, 0, 0, 0, 0, 8, 44, 1}, 30))
	f.Fuzz(func(t *testing.T, b []byte) {
		tr := NewTracker(Config{Flows: 4})
		var h packets.Headers
		n := int64(0)
		for len(b) > 2 && n < 2000 {
			size := min(int(b[0])+1, len(b)-2)
			p := packets.Packet{Link: packets.LinkRaw, Interface: int(b[1] & 1), Time: time.Unix(int64(b[1]), 0), Data: b[2 : 2+size], Length: size}
			h.Decode(&p)
			tr.Add(&p, &h)
			n++
			b = b[2+size:]
		}
		o := tr.Totals()
		var packets int64
		for _, f := range tr.Flows() {
			packets += f.Packets()
			f.Row("")
			f.Ended()
		}
		if o.Packets != n || o.Dropped == 0 && packets != n-o.Other || len(tr.flows) > 4 || tr.table.n > 4 {
			t.Errorf("%d packets, %+v, %d in flows, %d flows", n, o, packets, len(tr.flows))
		}
	})
}

package flow

import (
	"net/netip"
	"time"

	"wirelab/packets"
	"wirelab/packets/tcp"
)

// A Row is a flow as JSON has it (packets/JSON.md). Times that are not known are
// null.
type Row struct {
	Flow       int       `json:"flow"`
	Stream     *int      `json:"stream"`
	At         string    `json:"at"`
	Interface  int       `json:"interface"`
	Protocol   string    `json:"protocol"`
	A          string    `json:"a"`
	B          string    `json:"b"`
	First      string    `json:"first"`
	Last       string    `json:"last"`
	Duration   int64     `json:"duration_ns"`
	OpenedBy   *string   `json:"opened_by"`
	Ended      string    `json:"ended"`
	InitialRTT *int64    `json:"initial_rtt_ns"`
	Packets    int64     `json:"packets"`
	Bytes      int64     `json:"bytes"`
	Resent     int64     `json:"retransmissions"`
	Directions [2]OneWay `json:"directions"`
}

// A OneWay is one direction of a Row: "a" is what A sent.
type OneWay struct {
	From       string           `json:"from"`
	Packets    int64            `json:"packets"`
	Bytes      int64            `json:"bytes"`
	Payload    int64            `json:"payload_bytes"`
	Once       int64            `json:"payload_bytes_once"`
	Data       int64            `json:"data_packets"`
	Flags      map[string]int64 `json:"flags"`
	ResendRate float64          `json:"retransmission_rate"`
	RTT        *Figures         `json:"rtt"`
	Throughput float64          `json:"throughput_bps"`
	Goodput    float64          `json:"goodput_bps"`
	Peak       float64          `json:"goodput_peak_bps"`
	Series     *SeriesRow       `json:"goodput_series"`
	Window     int64            `json:"max_window_bytes"`
	MSS        *uint16          `json:"mss"`
	Scale      *int8            `json:"window_scale"`
	Chat       *Numbers         `json:"chat"`
}

// Figures is a Spread as JSON has it, in nanoseconds.
type Figures struct {
	Count int64 `json:"count"`
	Min   int64 `json:"min_ns"`
	Mean  int64 `json:"mean_ns"`
	P50   int64 `json:"p50_ns"`
	P95   int64 `json:"p95_ns"`
	P99   int64 `json:"p99_ns"`
	Max   int64 `json:"max_ns"`
}

// A SeriesRow is a Series as JSON has it.
type SeriesRow struct {
	Start string  `json:"start"`
	Width int64   `json:"width_ns"`
	Bytes []int64 `json:"bytes"`
}

// Figures returns the figures of s; nil of nothing.
func (s *Spread) Figures() *Figures {
	if s.Count == 0 {
		return nil
	}
	return &Figures{
		Count: s.Count, Min: int64(s.Min), Mean: int64(s.Mean()), P50: int64(s.Quantile(0.5)),
		P95: int64(s.Quantile(0.95)), P99: int64(s.Quantile(0.99)), Max: int64(s.Max),
	}
}

// stamp writes an instant as JSON has it.
func stamp(d time.Duration) string { return time.Unix(0, int64(d)).UTC().Format(time.RFC3339Nano) }

// Row returns f as JSON has it; at names its interface.
func (f *Flow) Row(at string) Row {
	r := Row{
		Flow: f.Number, At: at, Interface: f.Interface, Protocol: ProtocolName(f.Protocol), A: Endpoint(f.A), B: Endpoint(f.B),
		First: stamp(f.First), Last: stamp(f.Last), Duration: int64(f.Duration()), Ended: f.Ended(),
		Packets: f.Packets(), Bytes: f.Bytes(), Resent: f.Retransmissions(),
	}
	if f.Stream >= 0 {
		r.Stream = &f.Stream
	}
	if f.Opened >= 0 {
		by := end(f.Opened)
		r.OpenedBy = &by
	}
	if f.InitialRTT >= 0 {
		ns := int64(f.InitialRTT)
		r.InitialRTT = &ns
	}
	for dir := range f.Sides {
		s := &f.Sides[dir]
		w := OneWay{
			From: end(dir), Packets: s.Packets, Bytes: s.Bytes, Payload: s.Payload, Once: s.Once, Data: s.Data,
			Flags: map[string]int64{}, ResendRate: s.ResendRate(), RTT: s.RTT.Figures(), Throughput: s.Throughput(),
			Goodput: s.Goodput(), Peak: s.Series.Peak(), Window: s.MaxWindow, Chat: s.Chat,
		}
		for i, name := range tcp.Names() {
			if s.Flags[i] > 0 {
				w.Flags[name] = int64(s.Flags[i])
			}
		}
		if b := s.Series.Bytes(); b != nil {
			w.Series = &SeriesRow{Start: stamp(s.Series.Start), Width: int64(s.Series.Width), Bytes: b}
		}
		if s.MSS > 0 {
			w.MSS = &s.MSS
		}
		if s.Scale >= 0 {
			w.Scale = &s.Scale
		}
		r.Directions[dir] = w
	}
	return r
}

// ProtocolName returns "TCP", "UDP", "ICMP", "ICMPv6" or "IP 47".
func ProtocolName(p uint8) string {
	switch p {
	case packets.ProtocolTCP:
		return "TCP"
	case packets.ProtocolUDP:
		return "UDP"
	case packets.ProtocolICMP:
		return "ICMP"
	case packets.ProtocolICMPv6:
		return "ICMPv6"
	}
	return "IP " + itoa(int(p))
}

// Endpoint returns "192.0.2.1:80", or the address alone if there is no port.
func Endpoint(a netip.AddrPort) string {
	if a.Port() == 0 {
		return a.Addr().String()
	}
	return a.String()
}

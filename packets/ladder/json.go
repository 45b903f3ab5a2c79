package ladder

import (
	"encoding/json"
	"io"
	"time"

	"wirelab/internal/style"
)

// The shapes of JSON; packets/JSON.md tells them.
type (
	jsonLadder struct {
		Title     string       `json:"title"`
		Lifelines []string     `json:"lifelines"`
		Begin     time.Time    `json:"begin"`
		RTT       *int64       `json:"rtt_ns"`
		Lost      int          `json:"lost"`
		Arrows    []jsonArrow  `json:"arrows"`
		Bundles   []jsonBundle `json:"bundles"`
		Samples   []jsonSample `json:"samples"`
		About     []string     `json:"about"`
	}
	jsonArrow struct {
		Number  int      `json:"number"`
		Packets []int    `json:"packets"`
		Second  []int    `json:"packets_second,omitempty"`
		From    int      `json:"from"`
		To      int      `json:"to"`
		Sent    int64    `json:"sent_ns"`
		Arrived *int64   `json:"arrived_ns"`
		Lost    bool     `json:"lost"`
		LostAt  *int     `json:"lost_at,omitempty"`
		Why     string   `json:"why,omitempty"`
		Kind    string   `json:"kind"`
		Bytes   int      `json:"bytes"`
		Label   string   `json:"label"`
		Detail  string   `json:"detail,omitempty"`
		Notes   []string `json:"notes"`
		Flags   []string `json:"flags"`
	}
	jsonBundle struct {
		From     int64 `json:"from_ns"`
		To       int64 `json:"to_ns"`
		First    int   `json:"first"`
		Last     int   `json:"last"`
		Packets  []int `json:"packets"`
		Second   []int `json:"packets_second,omitempty"`
		Right    Tally `json:"right"`
		Left     Tally `json:"left"`
		Messages int   `json:"messages"`
		Lost     int   `json:"lost"`
		Resent   int   `json:"resent"`
	}
	jsonSample struct {
		Time     int64 `json:"time_ns"`
		At       int   `json:"at"`
		CWND     int   `json:"cwnd,omitempty"`
		SSThresh int   `json:"ssthresh,omitempty"`
		Infinite bool  `json:"ssthresh_infinite,omitempty"`
		SRTT     int64 `json:"srtt_ns,omitempty"`
		RTO      int64 `json:"rto_ns,omitempty"`
	}
)

// JSON writes l as packets/JSON.md says, one object and a line break. Texts are
// made visible, as in the pictures.
func (l *Ladder) JSON(w io.Writer) error {
	begin := l.begin()
	since := func(t time.Time) int64 { return int64(t.Sub(begin)) }
	j := jsonLadder{Title: style.Visible(l.Title), Lifelines: visible(l.Lifelines), Begin: begin.UTC(), Lost: l.Lost(),
		Arrows: make([]jsonArrow, 0, len(l.Arrows)), Bundles: make([]jsonBundle, 0, len(l.Bundles)),
		Samples: make([]jsonSample, 0, len(l.Samples)), About: visible(l.About)}
	if l.RTT > 0 {
		ns := int64(l.RTT)
		j.RTT = &ns
	}
	for i := range l.Arrows {
		a := &l.Arrows[i]
		v := jsonArrow{Number: a.Number, Packets: numbers(a.Packets), Second: a.Second, From: a.From, To: a.To, Sent: since(a.Sent),
			Lost: a.Lost, Why: style.Visible(a.Why), Kind: a.Kind.String(), Bytes: a.Bytes, Label: style.Visible(a.Label),
			Detail: style.Visible(a.Detail), Notes: visible(a.Notes), Flags: visible(a.Flags)}
		if !a.Arrived.IsZero() {
			ns := since(a.Arrived)
			v.Arrived = &ns
		}
		if a.Lost && a.LostAt >= 0 {
			v.LostAt = &a.LostAt
		}
		j.Arrows = append(j.Arrows, v)
	}
	for i := range l.Bundles {
		b := &l.Bundles[i]
		j.Bundles = append(j.Bundles, jsonBundle{From: since(b.From), To: since(b.To), First: b.First, Last: b.Last,
			Packets: numbers(b.Packets), Second: b.Second, Right: b.Ways[0], Left: b.Ways[1], Messages: b.Notes, Lost: b.Lost, Resent: b.Resent})
	}
	for _, s := range l.Samples {
		v := jsonSample{Time: since(s.Time), At: s.At, CWND: s.CWND, SSThresh: s.SSThresh, SRTT: int64(s.SRTT), RTO: int64(s.RTO)}
		if s.SSThresh == Infinite {
			v.SSThresh, v.Infinite = 0, true
		}
		j.Samples = append(j.Samples, v)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(&j)
}

// numbers and visible return a list that is never null.
func numbers(n []int) []int { return append([]int{}, n...) }

func visible(all []string) []string {
	out := make([]string, 0, len(all))
	for _, s := range all {
		out = append(out, style.Visible(s))
	}
	return out
}

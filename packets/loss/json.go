package loss

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"wirelab/packets/flow"
)

type jsonReport struct {
	Type     string           `json:"type"` // loss
	Captures []jsonCapture    `json:"captures"`
	Clocks   *jsonClocks      `json:"clocks"`
	Ways     []jsonWay        `json:"ways"`
	OneEnd   int64            `json:"seen_at_one_end"`
	Homeless int64            `json:"of_neither_end"`
	Losses   *jsonLosses      `json:"losses_of_data"`
	Findings map[string]int64 `json:"findings"`
}

type jsonCapture struct {
	File     string     `json:"file"`
	Format   string     `json:"format"`
	Packets  int64      `json:"packets"`
	Passed   int64      `json:"packets_passed"`
	Bytes    int64      `json:"bytes"`
	Backward int64      `json:"clock_backwards"`
	Other    int64      `json:"packets_without_ip"`
	Problems int64      `json:"packets_damaged"`
	Flows    int64      `json:"flows_seen"`
	Dropped  int64      `json:"flows_left_out"`
	Rows     []flow.Row `json:"flows"`
	Error    *string    `json:"error"`
}

type jsonClocks struct {
	Offset  int64  `json:"offset_ns"`
	Low     *int64 `json:"offset_min_ns"`
	High    *int64 `json:"offset_max_ns"`
	How     string `json:"how"`
	Matched int    `json:"matched"`
}

type jsonWay struct {
	Link       int              `json:"link"`
	From       string           `json:"from"`
	To         string           `json:"to"`
	Sent       int64            `json:"sent"`
	Arrived    int64            `json:"arrived"`
	Lost       int64            `json:"lost"`
	Reasons    map[string]int64 `json:"lost_by_reason"`
	Flying     int64            `json:"on_their_way"`
	Early      int64            `json:"before_the_capture"`
	Unseen     int64            `json:"not_seen_to_leave"`
	Undecided  int64            `json:"undecided"`
	Duplicated int64            `json:"duplicated"`
	Copies     int64            `json:"copies"`
	Corrupted  int64            `json:"corrupted"`
	Refused    int64            `json:"not_taken"`
	Refusals   map[string]int64 `json:"not_taken_by_reason"`
	Reordered  int64            `json:"reordered"`
	Backwards  int64            `json:"arrived_before_sent"`
	Delay      *flow.Figures    `json:"delay"`
}

type jsonLosses struct {
	All       int64 `json:"all"`
	Shown     int64 `json:"shown_as_retransmission"`
	Forgotten int64 `json:"too_many_to_follow"`
}

// JSON writes the report as packets/JSON.md says, in one line if it follows a
// list.
func (r *Report) JSON(w io.Writer, choice Choice, indent bool) error {
	out := jsonReport{Type: "loss", Captures: []jsonCapture{}, Ways: []jsonWay{}, OneEnd: r.OneEnd, Homeless: r.Homeless, Findings: map[string]int64{}}
	for _, c := range r.Captures {
		out.Captures = append(out.Captures, c.json(choice))
	}
	if a := r.Align; a != nil {
		out.Clocks = &jsonClocks{Offset: int64(a.Offset), How: a.How, Matched: a.Matched}
		if a.HasLow {
			out.Clocks.Low = (*int64)(&a.Low)
		}
		if a.HasHigh {
			out.Clocks.High = (*int64)(&a.High)
		}
	}
	for _, w := range r.Ways {
		j := jsonWay{
			Link: w.Link, From: w.From, To: w.To, Sent: w.Sent, Arrived: w.Arrived, Lost: w.Lost, Reasons: w.Reasons,
			Flying: w.Flying, Early: w.Early, Unseen: w.Unseen, Undecided: w.Undecided, Duplicated: w.Duplicated, Copies: w.Copies,
			Corrupted: w.Corrupted, Refused: w.Refused, Refusals: w.Refusals, Reordered: w.Reordered, Backwards: w.Backwards,
			Delay: w.Delay.Figures(),
		}
		if j.Reasons == nil {
			j.Reasons = map[string]int64{}
		}
		if j.Refusals == nil {
			j.Refusals = map[string]int64{}
		}
		out.Ways = append(out.Ways, j)
	}
	if len(r.Ways) > 0 {
		out.Losses = &jsonLosses{r.Judge.Lost, r.Judge.Shown, r.Judge.Forgotten}
		for f := NoFinding + 1; f < findings; f++ {
			if n := r.Judge.Counts[f]; n > 0 {
				out.Findings[f.String()] = n
			}
		}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if indent {
		e.SetIndent("", "  ")
	}
	return e.Encode(&out)
}

func (c *Capture) json(choice Choice) jsonCapture {
	o := c.Tracker.Totals()
	j := jsonCapture{
		File: c.Name, Format: c.Format, Packets: c.Packets, Passed: c.Passed, Bytes: o.Bytes, Backward: o.Backwards,
		Other: o.Other, Problems: o.Problems, Flows: o.Flows, Dropped: o.Dropped, Rows: []flow.Row{},
	}
	shown, _ := choice.flows(c)
	for _, f := range shown {
		j.Rows = append(j.Rows, f.Row(c.At(f.Interface)))
	}
	if c.Err != nil {
		text := c.Err.Error()
		j.Error = &text
	}
	return j
}

// FlowsJSON writes the conversation table of a capture as packets/JSON.md says.
func (c *Capture) FlowsJSON(w io.Writer, choice Choice) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(c.json(choice))
}

// JSON returns the flagged packet as a line of JSON.
func (f *Flagged) JSON() []byte {
	b, err := json.Marshal(struct {
		Type   string   `json:"type"`
		File   int      `json:"file"`
		Number int      `json:"number"`
		Time   string   `json:"time"`
		At     string   `json:"at"`
		Flow   int      `json:"flow"`
		From   string   `json:"from"`
		Flags  []string `json:"flags"`
	}{"flag", f.Capture + 1, f.Number, f.Time.Format(time.RFC3339Nano), f.At, f.Flow.Number, [...]string{"a", "b"}[f.Dir&1], f.Flags.Names()})
	if err != nil {
		panic(fmt.Sprint("a struct of strings and numbers: ", err))
	}
	return append(b, '\n')
}

// JSON returns the passage as a line of JSON, with what is found about it.
func (p *Passage) JSON(found []Verdict) []byte {
	type jsonPassage struct {
		Type     string   `json:"type"`
		Link     int      `json:"link"`
		Dir      int      `json:"direction"`
		Sent     int      `json:"sent_number"`
		LinkNo   int      `json:"link_number"`
		Received int      `json:"received_number"`
		At       *string  `json:"sent"`
		Delay    *int64   `json:"delay_ns"`
		Fate     string   `json:"fate"`
		Reason   string   `json:"reason"`
		Note     string   `json:"note"`
		Copies   int      `json:"copies"`
		Changed  bool     `json:"corrupted"`
		Refused  string   `json:"not_taken"`
		Late     bool     `json:"reordered"`
		Src      string   `json:"src"`
		Dst      string   `json:"dst"`
		Protocol string   `json:"protocol"`
		Seq      uint32   `json:"seq"`
		Ack      uint32   `json:"ack"`
		Control  uint8    `json:"control"`
		Len      int      `json:"payload_bytes"`
		Flags    []string `json:"flags_sent"`
		Arrived  []string `json:"flags_received"`
		Findings []string `json:"findings"`
	}
	j := jsonPassage{
		Type: "packet", Link: p.Link, Dir: p.Dir, Sent: p.SentNumber, LinkNo: p.LinkNumber, Received: p.ReceivedNumber,
		Fate: p.Fate.String(), Reason: p.Reason, Note: p.Note, Copies: p.Copies, Changed: p.Corrupted, Refused: p.Refused, Late: p.Reordered,
		Src: flow.Endpoint(p.Src), Dst: flow.Endpoint(p.Dst), Protocol: flow.ProtocolName(p.Protocol), Seq: p.Seq, Ack: p.Ack, Control: p.Control, Len: p.Len,
		Flags: append([]string{}, p.Flags.Names()...), Arrived: append([]string{}, p.ArrivedFlags.Names()...), Findings: []string{},
	}
	if !p.Sent.IsZero() {
		s := p.Sent.Format(time.RFC3339Nano)
		j.At = &s
	}
	if d, ok := p.Delay(); ok {
		j.Delay = (*int64)(&d)
	}
	for _, v := range found {
		j.Findings = append(j.Findings, v.Finding.String())
	}
	b, err := json.Marshal(&j)
	if err != nil {
		panic(fmt.Sprint("a struct of strings and numbers: ", err))
	}
	return append(b, '\n')
}

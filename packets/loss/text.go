package loss

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"wirelab/internal/cells"
	"wirelab/internal/style"
	"wirelab/packets"
	"wirelab/packets/flow"
	"wirelab/packets/tcp"
)

// A Choice says what a text or JSON has of the flows.
type Choice struct {
	Sort string // see flow.Sort; if empty, "bytes"
	Top  int    // how many; if zero, all
}

// flows returns the flows to show of a capture, and how many there are.
func (c *Choice) flows(of *Capture) (shown []*flow.Flow, all int) {
	for _, f := range of.Tracker.Flows() {
		if !of.IsLink(f.Interface) {
			shown = append(shown, f)
		}
	}
	all = len(shown)
	flow.Sort(shown, cmp.Or(c.Sort, "bytes"))
	if c.Top > 0 && all > c.Top {
		shown = shown[:c.Top]
	}
	return shown, all
}

// Flows writes the table of the flows only.
func (r *Report) Flows(w io.Writer, width int, p *style.Palette, choice Choice) error {
	t := &printer{w: w, width: width, p: p}
	for i, c := range r.Captures {
		t.capture(c)
		shown, all := choice.flows(c)
		if len(shown) < all {
			t.para(2, "", fmt.Sprintf("%d of %s flows", len(shown), flow.Count(int64(all))), t.dim)
		}
		t.line("")
		t.table(r, i, c, shown)
	}
	return t.err
}

// A printer writes paragraphs that fit.
type printer struct {
	w     io.Writer
	width int
	p     *style.Palette
	err   error
}

// para writes text whose lines after the first are indented; ink colours a line.
func (t *printer) para(indent int, sign, text string, ink func(...string) string) {
	first := strings.Repeat(" ", indent) + sign
	room := max(t.width-cells.Width(first), 20)
	for i, line := range cells.Wrap(text, room, room) {
		lead := first
		if i > 0 {
			lead = strings.Repeat(" ", cells.Width(first))
		}
		if ink != nil {
			line = ink(line)
			lead = ink(lead)
		}
		t.line(lead + line)
	}
}

func (t *printer) line(s string) {
	if t.err == nil {
		_, t.err = io.WriteString(t.w, strings.TrimRight(s, " ")+"\n")
	}
}

// Text writes the report for people, so many columns wide.
func (r *Report) Text(w io.Writer, width int, p *style.Palette, choice Choice) error {
	t := &printer{w: w, width: width, p: p}
	for _, c := range r.Captures {
		t.capture(c)
	}
	if r.Align != nil {
		t.align(r.Align)
	}
	if len(r.Ways) > 0 {
		t.line("")
		t.head("What became of the packets")
		for _, way := range r.Ways {
			t.way(way)
		}
		t.rest(r)
		t.judged(&r.Judge)
	}
	for i, c := range r.Captures {
		t.line("")
		shown, all := choice.flows(c)
		title := "Flows"
		if len(r.Captures) > 1 {
			title += " of " + cells.Visible(c.Name)
		}
		if len(shown) < all {
			title += fmt.Sprintf(", %d of %s", len(shown), flow.Count(int64(all)))
		}
		t.head(title)
		t.table(r, i, c, shown)
		for _, f := range shown {
			t.flow(c, f)
		}
	}
	return t.err
}

func (t *printer) head(s string) { t.line(t.p.Name.Render(s)) }

func (t *printer) capture(c *Capture) {
	o := c.Tracker.Totals()
	text := fmt.Sprintf("%s: %s, %s, %s", cells.Visible(c.Name), c.Format, flow.Plural(c.Packets, "packet"), flow.Short(o.Last-o.First))
	if names := c.places(); names != "" {
		text += ", seen at " + names
	}
	t.para(0, "", text, nil)
	if c.Passed < c.Packets {
		t.para(2, "", fmt.Sprintf("%s passed the filter", flow.Plural(c.Passed, "packet")), t.dim)
	}
	if o.Backwards > 0 {
		t.para(2, "! ", fmt.Sprintf("the clock goes back %s: times and delays there are not to be trusted", flow.Plural(o.Backwards, "time")), t.warn)
	}
	if o.Dropped > 0 {
		t.para(2, "! ", fmt.Sprintf("%s of %s were left out of the table: more than fit at a time. Their packets are in the totals.",
			flow.Plural(o.Dropped, "flow"), flow.Count(o.Flows)), t.warn)
	}
	if o.Other > 0 {
		t.para(2, "", fmt.Sprintf("%s without IP, not analysed", flow.Plural(o.Other, "packet")), t.dim)
	}
	if o.Problems > 0 {
		t.para(2, "", fmt.Sprintf("%s with headers that are damaged or cut", flow.Plural(o.Problems, "packet")), t.dim)
	}
}

func (t *printer) dim(s ...string) string  { return t.p.Dim.Render(s...) }
func (t *printer) warn(s ...string) string { return t.p.Grade(2).Render(s...) }

// places names the interfaces, if they have names.
func (c *Capture) places() string {
	var names []string
	for i := range c.Interfaces {
		if n := c.At(i); n != "" {
			names = append(names, cells.Visible(n))
		}
		if len(names) == 8 {
			names = append(names, "…")
			break
		}
	}
	return strings.Join(names, ", ")
}

func (t *printer) align(a *Alignment) {
	text := fmt.Sprintf("%s of a sample are in both. ", flow.Plural(int64(a.Matched), "packet"))
	if a.Offset == 0 {
		text += "The clocks are taken to agree, " + a.How + "."
	} else {
		text += fmt.Sprintf("The second clock is taken to be %s ahead, %s.", flow.Short(a.Offset), a.How)
	}
	switch {
	case a.HasLow && a.HasHigh && a.Low > a.High:
		text += fmt.Sprintf(" No offset fits all packets: the stamps scatter by %s, or a clock runs faster. One-way delays are as wrong.", flow.Short(a.Low-a.High))
	case a.HasLow && a.HasHigh:
		text += fmt.Sprintf(" The packets allow %s less to %s more; one-way delays may be wrong by as much, one way too long and the other too short.",
			flow.Short(a.Offset-a.Low), flow.Short(a.High-a.Offset))
	default:
		text += " Packets went one way only, so one-way delays show how they differ and not how long they are."
	}
	t.para(2, "", text, t.dim)
}

func (t *printer) way(w *Way) {
	t.para(2, "", fmt.Sprintf("%s → %s: %s sent, %s arrived", cells.Visible(w.From), cells.Visible(w.To), flow.Count(w.Sent), flow.Count(w.Arrived)), nil)
	if w.Lost > 0 {
		t.para(4, "✗ ", fmt.Sprintf("%s lost (%s): %s", flow.Count(w.Lost), flow.Percent(w.Lost, w.Sent), reasons(w.Reasons)), t.p.Grade(3).Render)
	} else if w.Sent > 0 {
		t.para(4, "✓ ", "none lost", t.p.Grade(0).Render)
	}
	for _, n := range []struct {
		n    int64
		text string
	}{
		{w.Corrupted, "with a bit changed on the way"},
		{w.Duplicated, "doubled by the net"},
		{w.Reordered, "overtaken: arrived after one that was sent later"},
		{w.Refused, "not taken by the host: " + reasons(w.Refusals)},
		{w.Undecided, "undecided: too many were on their way at a time"},
		{w.Backwards, "arrived before they left: the stamps scatter, or the clocks disagree"},
	} {
		if n.n > 0 {
			t.para(4, "! ", flow.Count(n.n)+" "+n.text, t.warn)
		}
	}
	for _, n := range []struct {
		n    int64
		text string
	}{
		{w.Flying, "on their way when the capture ends"},
		{w.Early, "left or arrived before the other capture began"},
		{w.Unseen, "arrived and were not seen to leave"},
	} {
		if n.n > 0 {
			t.para(4, "· ", flow.Count(n.n)+" "+n.text, t.dim)
		}
	}
	if d := &w.Delay; d.Count > 0 {
		t.para(4, "  ", fmt.Sprintf("one-way delay: min %s, mean %s, p50 %s, p99 %s, max %s",
			flow.Short(d.Min), flow.Short(d.Mean()), flow.Short(d.Quantile(0.5)), flow.Short(d.Quantile(0.99)), flow.Short(d.Max)), nil)
	}
}

// reasons writes counts by reason, the most frequent first.
func reasons(all map[string]int64) string {
	names := slices.Collect(maps.Keys(all))
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(all[b], all[a]), cmp.Compare(a, b)) })
	for i, n := range names {
		names[i] = fmt.Sprintf("%s × %s", flow.Count(all[n]), cells.Visible(cmp.Or(n, "no reason given")))
	}
	return strings.Join(names, ", ")
}

func (t *printer) rest(r *Report) {
	if r.OneEnd > 0 {
		t.para(2, "· ", fmt.Sprintf("%s between hosts that were seen at one end only, not counted here", flow.Plural(r.OneEnd, "packet")), t.dim)
	}
	if r.Homeless > 0 {
		t.para(2, "· ", fmt.Sprintf("%s of hosts that belong to neither end, not counted here", flow.Plural(r.Homeless, "packet")), t.dim)
	}
}

func (t *printer) judged(j *Judge) {
	var any int64
	for _, n := range j.Counts {
		any += n
	}
	if j.Lost == 0 && any == 0 {
		return
	}
	t.line("")
	t.head("What the flags say, and what was so")
	if j.Lost > 0 {
		sign, ink := "✓ ", t.p.Grade(0).Render
		if j.Shown < j.Lost {
			sign, ink = "! ", t.warn
		}
		t.para(2, sign, fmt.Sprintf("%s of %s of data show as retransmission where they left", flow.Count(j.Shown), losses(j.Lost)), ink)
	}
	for f := NoFinding + 1; f < findings; f++ {
		if j.Counts[f] == 0 {
			continue
		}
		ink, sign := t.p.Grade(3).Render, "✗ "
		if f == Needless || f == SilentAck || f == NeverResent || f == LostNeedless {
			ink, sign = t.warn, "! "
		}
		t.para(2, sign, fmt.Sprintf("%s × %s", flow.Count(j.Counts[f]), f.Words()), ink)
		var numbers []string
		for _, v := range j.Examples[f] {
			n := fmt.Sprint(v.Number)
			if v.Other > 0 {
				n += fmt.Sprintf(" (again: %d)", v.Other)
			}
			numbers = append(numbers, n)
		}
		if j.Counts[f] > int64(len(numbers)) {
			numbers = append(numbers, "…")
		}
		t.para(4, "packets ", strings.Join(numbers, ", "), t.dim)
	}
	if j.Forgotten > 0 {
		t.para(2, "· ", fmt.Sprintf("%s losses were too many to follow", flow.Count(j.Forgotten)), t.dim)
	}
}

func losses(n int64) string {
	if n == 1 {
		return "1 loss"
	}
	return flow.Count(n) + " losses"
}

// table writes the conversation table of the flows.
func (t *printer) table(r *Report, capture int, c *Capture, shown []*flow.Flow) {
	if len(shown) == 0 {
		t.line(t.dim("none"))
		return
	}
	table := flow.Table{Flows: shown, Begin: c.Tracker.Totals().First}
	if len(c.Interfaces) > 1 {
		table.At = c.At
	}
	if len(r.Ways) > 0 {
		table.Lost = func(f *flow.Flow, dir int) int64 { return r.LostOf(capture, f.Number, dir) }
	}
	if t.err == nil {
		t.err = table.Text(t.w, t.width, t.p)
	}
}

// flow writes what there is to say of one flow.
func (t *printer) flow(c *Capture, f *flow.Flow) {
	t.line("")
	title := fmt.Sprintf("Flow %d: %s %s ⇄ %s", f.Number, flow.ProtocolName(f.Protocol), flow.Endpoint(f.A), flow.Endpoint(f.B))
	if at := c.At(f.Interface); at != "" && len(c.Interfaces) > 1 {
		title += ", at " + cells.Visible(at)
	}
	if e := f.Ended(); e != "" {
		title += ", " + e
	}
	if f.InitialRTT >= 0 {
		title += ", handshake " + flow.Short(f.InitialRTT)
	}
	t.para(0, "", title, t.p.Accent.Render)
	for dir, name := range []string{"A → B", "B → A"} {
		s := &f.Sides[dir]
		if s.Packets == 0 {
			t.para(2, name+"  ", "nothing", t.dim)
			continue
		}
		text := fmt.Sprintf("%s, %s payload", flow.Plural(s.Packets, "packet"), flow.Size(s.Payload))
		if again := s.Again(); again > 0 && f.TCP() {
			text += fmt.Sprintf(" (%s of it again)", flow.Size(again))
		}
		if s.Once > 0 && s.Last > s.First {
			text += fmt.Sprintf(", goodput %s (peak %s)", flow.Rate(s.Goodput()), flow.Rate(s.Series.Peak()))
		}
		t.para(2, name+"  ", text, nil)
		if s.RTT.Count > 0 {
			q := &s.RTT
			t.para(9, "", fmt.Sprintf("round trips: %s, min %s, mean %s, p50 %s, p95 %s, max %s", flow.Count(q.Count), flow.Short(q.Min),
				flow.Short(q.Mean()), flow.Short(q.Quantile(0.5)), flow.Short(q.Quantile(0.95)), flow.Short(q.Max)), nil)
		}
		if f.TCP() && s.MaxWindow > 0 {
			w := "window up to " + flow.Size(s.MaxWindow)
			if s.MSS > 0 {
				w += fmt.Sprintf(", MSS %d", s.MSS)
			}
			if s.Scale >= 0 {
				w += fmt.Sprintf(", scale %d", s.Scale)
			}
			t.para(9, "", w, t.dim)
		}
		t.flags(s)
		if n := s.Chat; n != nil {
			ink, sign := t.p.Grade(0).Render, "✓ "
			if n.Gaps > 0 || n.Twice > 0 || n.Late > 0 {
				ink, sign = t.warn, "! "
			}
			t.para(9, sign, fmt.Sprintf("the chat's numbers: %s, %s missing, %s twice, %s late; %s of data came again under a new number",
				flow.Plural(n.Datagrams, "datagram"), flow.Count(n.Gaps), flow.Count(n.Twice), flow.Count(n.Late), flow.Count(n.Again)), ink)
		}
		if bars := s.Series.Bars(); len([]rune(bars)) > 1 && t.width >= 60 {
			t.para(9, "", fmt.Sprintf("%s a bar is %s", bars, flow.Short(s.Series.Width)), t.dim)
		}
	}
}

// flags writes how often each flag was set.
func (t *printer) flags(s *flow.Side) {
	var parts []string
	for i, name := range tcp.Names() {
		if s.Flags[i] > 0 {
			parts = append(parts, fmt.Sprintf("%s × %s", flow.Count(int64(s.Flags[i])), name))
		}
	}
	if len(parts) == 0 {
		return
	}
	ink, sign := t.dim, "· "
	if s.Count(tcp.Retransmission|tcp.OutOfOrder|tcp.LostSegment|tcp.AckLostSegment) > 0 {
		ink, sign = t.warn, "! "
	}
	text := "flags: " + strings.Join(parts, ", ")
	if n := s.Count(tcp.Retransmission); n > 0 {
		text += fmt.Sprintf("; %s of the segments with data are retransmissions", flow.Percent(n, s.Data))
	}
	t.para(9, sign, text, ink)
}

// Line returns a line for a flagged packet: number, time, flags, separated by
// tabs, as the columns of tshark -T fields.
func (f *Flagged) Line() string {
	return fmt.Sprintf("%d\t%s\t%s\t%s", f.Number, epoch(f.Time), cells.Visible(f.At), strings.Join(f.Flags.Names(), ","))
}

// epoch writes an instant in seconds since 1970, with all digits.
func epoch(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond())
}

// Line returns a line for a passage, its columns separated by tabs: the numbers of
// the packet where it left, on the link and where it arrived, when it left, its
// delay in seconds, its fate, what it is, its flags at both places, and what is
// found about them.
func (p *Passage) Line(found []Verdict) string {
	delay := "-"
	if d, ok := p.Delay(); ok {
		delay = fmt.Sprintf("%.9f", d.Seconds())
	}
	fate := p.Fate.String()
	if p.Reason != "" {
		fate += ": " + p.Reason
	}
	for _, more := range []struct {
		is   bool
		text string
	}{
		{p.Corrupted, "changed"}, {p.Copies > 0, fmt.Sprintf("%d copies more", p.Copies)},
		{p.Reordered, "overtaken"}, {p.Refused != "", "not taken: " + p.Refused},
	} {
		if more.is {
			fate += ", " + more.text
		}
	}
	var says []string
	for _, v := range found {
		says = append(says, v.Finding.String())
	}
	at := p.Sent
	if at.IsZero() {
		at = p.Arrived
	}
	cols := []string{number(p.SentNumber), number(p.LinkNumber), number(p.ReceivedNumber), epoch(at), delay, cells.Visible(fate), p.What(),
		strings.Join(p.Flags.Names(), ","), strings.Join(p.ArrivedFlags.Names(), ","), strings.Join(says, ",")}
	for i := 7; i < len(cols); i++ {
		cols[i] = cmp.Or(cols[i], "-")
	}
	return strings.Join(cols, "\t")
}

func number(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// What says what a packet is: "192.0.2.2:57826 → 192.0.2.1:9000 SYN seq 5 len 0".
func (h *Head) What() string {
	s := flow.Endpoint(h.Src) + " → " + flow.Endpoint(h.Dst)
	if !h.TCP {
		return fmt.Sprintf("%s %s len %d", flow.ProtocolName(h.Protocol), s, h.Len)
	}
	var bits []string
	for i, name := range []string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"} {
		if h.Control&(1<<i) != 0 {
			bits = append(bits, name)
		}
	}
	s = fmt.Sprintf("TCP %s %s seq %d", s, strings.Join(bits, "+"), h.Seq)
	if h.Control&packets.ACK != 0 {
		s += fmt.Sprintf(" ack %d", h.Ack)
	}
	return fmt.Sprintf("%s len %d", s, h.Len)
}

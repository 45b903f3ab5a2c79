package compare

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"

	"wirelab/internal/cells"
	"wirelab/labs/scenario"
)

// htmlTemplate is the form of a report: all that is filled in goes through its
// escaping.
//
//go:embed html.tmpl
var htmlTemplate string

// A report is what the form shows.
type report struct {
	Title, Lead, NoPromise string

	Legend  []reportVerdict
	Columns []reportColumn
	Rows    []reportRow
	Charts  []chart
	Metrics []Metric
	Words   []definition
	Made    []definition
}

type reportVerdict struct{ Class, Sign, Words, Meaning string }

type reportColumn struct{ Name, Meaning string }

type reportRow struct {
	Name, Title string
	Span        int // columns of the table of all figures
	Cells       []reportCell
}

// A reportCell is a cell as the matrix and the table of all figures show it.
type reportCell struct {
	Transport string
	Class     string // of its colour; the sign and words say the same
	Sign      string
	Delivered string
	Span      string
	Percent   float64 // delivered of sent
	Words     string
	Figures   []reportFigure
	Why       []Reason
}

type reportFigure struct{ Median, Span string }

type definition struct{ Term, Text string }

// WriteHTML writes the comparison as one page that needs nothing else: no
// network, no script, no font. program names what made it, with its version;
// command is the command line that makes it again.
func (m *Matrix) WriteHTML(w io.Writer, program, command string) error {
	form, err := template.New("report").Parse(htmlTemplate)
	if err != nil {
		return err
	}
	return form.Execute(w, m.report(program, command))
}

func (m *Matrix) report(program, command string) *report {
	r := &report{
		Title: "What was delivered",
		Lead: fmt.Sprintf("One program says %s to another through a chat server: about %d bytes each, %g a second. "+
			"Each column is a way to carry them, each row something that goes wrong. Every figure was counted in runs of the real chat over a real TCP/IP stack and an emulated network.",
			plural(m.Messages, "message", "messages"), m.Size, m.Rate),
		NoPromise: noPromise,
		Charts:    m.charts(),
		Metrics:   Metrics(),
		Words:     words(),
	}
	for _, v := range verdicts() {
		r.Legend = append(r.Legend, reportVerdict{v.example.class(), v.example.Sign(), v.words, v.meaning})
	}
	for _, t := range m.Transports {
		r.Columns = append(r.Columns, reportColumn{cells.Visible(t), carries(scenario.Transport(t))})
	}
	for _, row := range m.Rows {
		out := reportRow{Name: cells.Visible(row.Name), Title: cells.Visible(row.Title), Span: len(r.Metrics) + 2}
		for i := range row.Cells {
			out.Cells = append(out.Cells, row.Cells[i].report())
		}
		r.Rows = append(r.Rows, out)
	}
	seeds := fmt.Sprint(m.Seed)
	if m.Runs > 1 {
		seeds = fmt.Sprintf("%d–%d, one for each of %d runs; figures are medians, with the range in brackets", m.Seed, m.Seed+uint64(m.Runs)-1, m.Runs)
	}
	r.Made = []definition{
		{"Made by", cells.Visible(program)}, {"Again", cells.Visible(command)}, {"Seed", seeds},
		{"Receiver's link", cells.Visible(m.Link) + " each way, where the fault does not change it"},
	}
	return r
}

// class names the grade for the style sheet.
func (g Guarantee) class() string { return [...]string{"best", "fair", "told", "silent"}[g.grade()] }

func (c *Cell) report() reportCell {
	out := reportCell{Transport: cells.Visible(c.Transport), Class: "none", Sign: "·", Delivered: nothing, Words: "no run"}
	if len(c.Runs) == 0 {
		for range Metrics() {
			out.Figures = append(out.Figures, reportFigure{Median: nothing})
		}
		return out
	}
	g := c.Guarantee()
	out.Class, out.Sign, out.Words = g.class(), g.Sign(), g.String()
	f := deliveredFigure()
	out.Delivered, out.Span = f.show(c)
	counts := metrics("delivered", "sent")
	if delivered, sent := counts[0].Spread(c), counts[1].Spread(c); sent.Median > 0 {
		out.Percent = min(100, 100*delivered.Median/sent.Median)
	}
	for _, metric := range Metrics() {
		s := metric.Spread(c)
		out.Figures = append(out.Figures, reportFigure{metric.median(s), metric.span(s)})
	}
	for _, why := range c.reasons() {
		out.Why = append(out.Why, Reason{cells.Visible(why.What), why.Count})
	}
	return out
}

// carries says how a transport carries a message.
func carries(t scenario.Transport) string {
	switch t {
	case scenario.UDP:
		return "each message is sent once"
	case scenario.UDPARQ:
		return "selective repeat while connected"
	case scenario.TCP:
		return "a byte stream while connected"
	case scenario.UDPQueue:
		return "UDP with the missed-message queue"
	case scenario.TCPQueue:
		return "TCP with the missed-message queue"
	}
	return ""
}

// words defines the chat's own words for what is delivered.
func words() []definition {
	return []definition{
		{"at most once", "Nothing is delivered twice, and something may be lost: what volatile or unreliable messages get."},
		{"at least once", "Nothing is lost, and something may be delivered twice: what is stored and acknowledged, as long as it is kept."},
		{"effectively once", "At least once, and duplicates are removed at both ends: each message is handed over once."},
		{"reported loss", "What expired or overflowed is lost, and the receiver is told how many, or the sender that it was not taken."},
		{"silent loss", "Something is lost, and neither of them is told."},
		{"in order", "No message was handed over after one that was sent later."},
	}
}

package compare

import (
	"encoding/csv"
	"io"
	"strconv"

	"wirelab/internal/style"
)

// WriteCSV writes one line for each fault, transport and seed, in this order,
// after a line of heads: fault, transport, seed, guarantee, then each metric by
// its name, then the run's length as virtual_s. Times are in seconds, counts
// are whole numbers; a figure that the run does not have, such as the latency
// of what never arrived, is empty.
func (m *Matrix) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	all := Metrics()
	head := []string{"fault", "transport", "seed", "guarantee"}
	for _, metric := range all {
		head = append(head, metric.Name)
	}
	out.Write(append(head, "virtual_s"))
	for _, row := range m.Rows {
		for _, c := range row.Cells {
			for i := range c.Runs {
				r := &c.Runs[i]
				line := []string{
					style.Visible(c.Fault), style.Visible(c.Transport), strconv.FormatUint(r.Seed, 10), r.Guarantee().String(),
				}
				for _, metric := range all {
					text := ""
					if v, ok := metric.value(r); ok {
						text = decimal(v)
					}
					line = append(line, text)
				}
				out.Write(append(line, decimal(r.Virtual.Seconds())))
			}
		}
	}
	out.Flush()
	return out.Error()
}

// decimal spells v exactly and without an exponent.
func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"wirelab/internal/style"
)

// A matrixDocument is a Matrix as WriteJSON writes it.
type matrixDocument struct {
	*Matrix
	Command string           `json:"command,omitempty"`
	Metrics []metricDocument `json:"metrics"`
	Rows    []rowDocument    `json:"rows"` // in place of the Matrix's own
}

type metricDocument struct {
	Name    string `json:"name"`
	Unit    string `json:"unit"`
	Meaning string `json:"meaning"`
}

type rowDocument struct {
	Name  string         `json:"name"`
	Title string         `json:"title"`
	Cells []cellDocument `json:"cells"`
}

type cellDocument struct {
	Fault     string                     `json:"fault"`
	Transport string                     `json:"transport"`
	Shown     guaranteeDocument          `json:"shown"`
	Figures   map[string]*spreadDocument `json:"figures"`
	Runs      []Run                      `json:"runs"`
}

type guaranteeDocument struct {
	Text       string `json:"text"`
	Sign       string `json:"sign"`
	Lost       bool   `json:"lost"`
	Unreported bool   `json:"unreported"`
	Duplicated bool   `json:"duplicated"`
	Reordered  bool   `json:"reordered"`
}

type spreadDocument struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Runs   int     `json:"runs"`
}

// WriteJSON writes the comparison as one JSON object: what is in a Matrix, the
// command line that makes it again, what each metric means, and in each cell
// two things more. "shown" is what the cell's runs together showed, in words
// and as flags. "figures" has each metric's median,
// least and largest value over the runs that have it, and how many do, in the
// metric's unit; null if none has.
func (m *Matrix) WriteJSON(w io.Writer, command string) error {
	plain := *m
	plain.Transports = append([]string{}, m.Transports...)
	doc := matrixDocument{Matrix: &plain, Command: command, Rows: []rowDocument{}}
	for _, metric := range Metrics() {
		doc.Metrics = append(doc.Metrics, metricDocument{metric.Name, metric.Unit, metric.Meaning()})
	}
	for _, row := range m.Rows {
		out := rowDocument{Name: row.Name, Title: row.Title, Cells: []cellDocument{}}
		for i := range row.Cells {
			out.Cells = append(out.Cells, row.Cells[i].document())
		}
		doc.Rows = append(doc.Rows, out)
	}
	return writeJSON(w, doc)
}

func (c *Cell) document() cellDocument {
	g := c.Guarantee()
	out := cellDocument{
		Fault: c.Fault, Transport: c.Transport, Runs: append([]Run{}, c.Runs...),
		Shown:   guaranteeDocument{g.String(), g.Sign(), g.Lost, g.Unreported, g.Duplicated, g.Reordered},
		Figures: make(map[string]*spreadDocument),
	}
	for _, metric := range Metrics() {
		out.Figures[metric.Name] = nil
		if s := metric.Spread(c); s.N > 0 {
			out.Figures[metric.Name] = &spreadDocument{s.Median, s.Min, s.Max, s.N}
		}
	}
	return out
}

// WriteJSON writes the explanation as one JSON object.
func (e *Explanation) WriteJSON(w io.Writer) error { return writeJSON(w, e) }

// WriteJSON writes both outcomes as one JSON object.
func (wi *WhatIf) WriteJSON(w io.Writer) error { return writeJSON(w, wi) }

func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	if err := out.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(escaped(b.Bytes()))
	return err
}

// escaped writes the characters of a JSON text that a terminal would obey or
// hide as \u escapes: the same text to whoever reads it as JSON.
func escaped(text []byte) []byte {
	if bytes.IndexFunc(text, func(r rune) bool { return r >= 0x7f }) < 0 {
		return text
	}
	var out []byte
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		char := string(text[:n])
		text = text[n:]
		switch {
		case r < 0x7f || style.Visible(char) == char:
			out = append(out, char...)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

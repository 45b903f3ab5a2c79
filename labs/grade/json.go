package grade

import (
	"encoding/json"
	"io"
)

// WriteJSON writes the whole result: labs, learners with their totals, and each
// bundle with its steps and findings.
func (r *Result) WriteJSON(w io.Writer) error {
	type learner struct {
		*Learner
		Share float64           `json:"share"` // 0 to 1
		Files map[string]string `json:"files"` // by lab, those that count
	}
	doc := struct {
		Version  string    `json:"version"` // of this form
		Faulty   bool      `json:"faulty"`
		Labs     []Lab     `json:"labs"`
		Learners []learner `json:"learners"`
		Bundles  []*Mark   `json:"bundles"`
	}{"1", r.Faults() > 0, append([]Lab{}, r.Labs...), []learner{}, append([]*Mark{}, r.Bundles...)}
	for i := range r.Learners {
		l := &r.Learners[i]
		files := make(map[string]string)
		for j, m := range l.Marks {
			if m != nil {
				files[r.Labs[j].Name] = m.File
			}
		}
		doc.Learners = append(doc.Learners, learner{l, l.Share(), files})
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(&doc)
}

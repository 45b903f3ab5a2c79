package grade

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"wirelab/labs/attempt"
)

// The form of JUnit's reports, as both the schema of Ant (windyroad/JUnit-Schema)
// and that of Jenkins (jenkinsci/xunit-plugin, junit-10.xsd) have it: what one of
// them wants is always written, and in Ant's order.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Package    string      `xml:"package,attr"`
		ID         int         `xml:"id,attr"`
		Name       string      `xml:"name,attr"`
		Timestamp  string      `xml:"timestamp,attr"`
		Hostname   string      `xml:"hostname,attr"`
		Tests      int         `xml:"tests,attr"`
		Failures   int         `xml:"failures,attr"`
		Errors     int         `xml:"errors,attr"`
		Skipped    int         `xml:"skipped,attr"`
		Time       string      `xml:"time,attr"`
		Properties []junitPair `xml:"properties>property"`
		Cases      []junitCase `xml:"testcase"`
		Out        string      `xml:"system-out"`
		Err        string      `xml:"system-err"`
	}
	junitPair struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name    string      `xml:"name,attr"`
		Class   string      `xml:"classname,attr"`
		Time    string      `xml:"time,attr"`
		Skipped *junitText  `xml:"skipped"`
		Error   *junitFault `xml:"error"`
		Failure *junitFault `xml:"failure"`
	}
	junitText  struct{}
	junitFault struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes the result as a JUnit report: a suite for each bundle, a case
// for each step. A wrong answer is a failure, a step without an answer is
// skipped, and what a bundle is named for is an error of a case named bundle.
func (r *Result) WriteJUnit(w io.Writer, now time.Time) error {
	var doc junitSuites
	for _, m := range r.Bundles {
		s := m.junit(len(doc.Suites))
		s.Timestamp = now.UTC().Format("2006-01-02T15:04:05")
		doc.Suites = append(doc.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(&doc); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// junit returns the suite of one bundle.
func (m *Mark) junit(id int) junitSuite {
	token := func(s string) string { return strings.Join(strings.Fields(s), " ") } // xs:token
	s := junitSuite{
		Package: "wirelab", ID: id, Name: token(m.Learner + ": " + m.Lab), Hostname: "localhost", Time: "0",
		Properties: []junitPair{{"file", m.File}, {"points", number(m.Points)}, {"of", number(m.Of)}},
	}
	if m.Lab == "" {
		s.Name = token("file: " + m.File)
	}
	class := token("wirelab." + m.Lab)
	first := junitCase{Name: "bundle", Class: class, Time: "0"}
	if faults := m.Faults(); faults != "" {
		first.Error = &junitFault{Message: faults, Type: "bundle", Text: faults}
		s.Errors++
	}
	s.Cases = append(s.Cases, first)
	for i := range m.Steps {
		st := &m.Steps[i]
		c := junitCase{Name: token(st.Name), Class: class, Time: "0"}
		switch {
		case st.Status == attempt.Right:
		case st.Kind != stageKind && (st.Status == attempt.Open || st.Status == attempt.Skipped):
			s.Skipped++
			c.Skipped = new(junitText)
		default:
			s.Failures++
			text := fmt.Sprintf("%s: %s of %s points", st.Status, number(st.Points), number(st.Of))
			if st.Given != "" {
				text += ", for " + st.Given
			}
			c.Failure = &junitFault{Message: text, Type: st.Kind, Text: text}
		}
		s.Cases = append(s.Cases, c)
	}
	s.Tests = len(s.Cases)
	var notes []string
	for _, f := range m.Findings {
		if !f.Fault {
			notes = append(notes, string(f.Kind)+": "+f.Text)
		}
	}
	s.Out = strings.Join(notes, "\n")
	return s
}

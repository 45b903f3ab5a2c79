package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"wirelab/internal/impair"
)

// A Verb is what a fault does to a host.
type Verb string

// The verbs.
const (
	Kill   Verb = "kill"   // the host loses its power: no FIN, its memory is gone
	Start  Verb = "start"  // a killed host is there again, with an empty memory and its disk
	Stop   Verb = "stop"   // the program does not run (SIGSTOP); the host's network stack does
	Resume Verb = "resume" // it runs again
	Slow   Verb = "slow"   // each read from a socket takes so long; 0s ends it
	Cut    Verb = "cut"    // nothing passes the host's link
	Mend   Verb = "mend"   // the link is as before
	Link   Verb = "link"   // the link is impaired so from now on, in both directions
)

var verbs = []Verb{Kill, Start, Stop, Resume, Slow, Cut, Mend, Link}

// A Fault is one thing that happens to a host at an instant. Its text is
//
//	AT VERB HOST [ARGUMENT]
//
// such as "2s kill server", "5s slow receiver 200ms" or
// "1s link receiver loss 10% delay 20ms".
type Fault struct {
	At   time.Duration // since the workload began
	Verb Verb
	Host string
	For  time.Duration // of Slow
	Link string        // of Link: see impair.Parse
}

// String returns the fault's text.
func (f Fault) String() string {
	text := fmt.Sprintf("%v %s %s", f.At, f.Verb, f.Host)
	switch f.Verb {
	case Slow:
		text += " " + f.For.String()
	case Link:
		text += " " + f.Link
	}
	return text
}

// ParseFault reads a fault's text. Whether the host exists is for
// Scenario.Validate to say.
func ParseFault(text string) (Fault, error) {
	fail := func(format string, args ...any) (Fault, error) {
		return Fault{}, fmt.Errorf("fault %q: %w", text, fmt.Errorf(format, args...))
	}
	words := strings.Fields(text)
	if len(words) < 3 {
		return fail("want AT VERB HOST, such as %q", "2s kill server")
	}
	at, err := time.ParseDuration(words[0])
	if err != nil || at < 0 || at > MaxTime {
		return fail("%q is no instant: want 0s to %v", words[0], MaxTime)
	}
	f := Fault{At: at, Verb: Verb(words[1]), Host: words[2]}
	rest := words[3:]
	switch f.Verb {
	case Slow:
		if len(rest) == 1 {
			f.For, err = time.ParseDuration(rest[0])
		}
		if len(rest) != 1 || err != nil || f.For < 0 || f.For > time.Minute {
			return fail("want how long a read takes, 0s to 1m, such as 200ms")
		}
		return f, nil
	case Link:
		c, err := impair.Parse(strings.Join(rest, " "))
		if err != nil {
			return fail("%w", err)
		}
		f.Link = c.String()
		return f, nil
	}
	if !slices.Contains(verbs, f.Verb) {
		return fail("verb %q is unknown: want one of %s", words[1], verbNames())
	}
	if len(rest) > 0 {
		return fail("%q is one word too many", rest[0])
	}
	return f, nil
}

func verbNames() string {
	names := make([]string, len(verbs))
	for i, v := range verbs {
		names[i] = string(v)
	}
	return strings.Join(names, ", ")
}

// ParseFaults reads faults that are separated by semicolons or line ends.
// Empty ones and lines that begin with # are passed over.
func ParseFaults(text string) ([]Fault, error) {
	var all []Fault
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for part := range strings.SplitSeq(line, ";") {
			if strings.TrimSpace(part) == "" {
				continue
			}
			f, err := ParseFault(part)
			if err != nil {
				return nil, err
			}
			all = append(all, f)
		}
	}
	return all, nil
}

// FaultText joins faults by semicolons: ParseFaults reads it back.
func FaultText(faults []Fault) string {
	parts := make([]string, len(faults))
	for i, f := range faults {
		parts[i] = f.String()
	}
	return strings.Join(parts, "; ")
}

// MarshalText implements encoding.TextMarshaler.
func (f Fault) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *Fault) UnmarshalText(b []byte) error {
	v, err := ParseFault(string(b))
	*f = v
	return err
}

func (f *Fault) validate(hosts []string) error {
	if !slices.Contains(hosts, f.Host) {
		return fmt.Errorf("fault %q: no host is named %q, want one of %s", f, f.Host, strings.Join(hosts, ", "))
	}
	return nil
}

package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"wirelab/labs/scenario"
)

// The base of every run: who is where. Sender and server share a clean link;
// what goes wrong in the network goes wrong between server and receiver, so
// that a rate of loss is met once.
const (
	sender   = "ana"
	receiver = "bo"

	senderLink   = "delay 5ms rate 10mbit"
	receiverLink = "delay 20ms rate 10mbit"
)

// The long partition outlasts every timeout of the chat: UDP gives up after
// 30 s of silence, TCP members after 25 + 20 s of unanswered heartbeats.
const (
	shortPartition = 2 * time.Second
	longPartition  = 60 * time.Second
)

// A Fault is a row of the comparison: one thing that goes wrong.
type Fault struct {
	Name  string
	Title string // what happens, in a line

	// apply makes it happen in s, whose workload takes about so long.
	apply func(s *scenario.Scenario, workload time.Duration)
}

// link returns a fault that lasts from the first message on. (Connecting goes
// well, so that every run has the same beginning.)
func link(name, title, impairment string) Fault {
	return Fault{name, title, func(s *scenario.Scenario, _ time.Duration) {
		if impairment != "" {
			s.Faults = append(s.Faults, scenario.Fault{Verb: scenario.Link, Host: receiver, Link: receiverLink + " " + impairment})
		}
	}}
}

// loss returns the fault of independent loss.
func loss(percent float64) Fault {
	return link(fmt.Sprintf("loss-%g", percent), fmt.Sprintf("%g %% of the packets are lost, each by itself", percent),
		fmt.Sprintf("loss %g%%", percent))
}

// span returns a fault that begins and ends within the workload.
func span(name, title string, begin, end scenario.Verb, host string) Fault {
	return Fault{name, title, func(s *scenario.Scenario, workload time.Duration) {
		s.Faults = append(s.Faults, at(workload/4, begin, host), at(workload/2, end, host))
	}}
}

func at(d time.Duration, verb scenario.Verb, host string) scenario.Fault {
	return scenario.Fault{At: d.Round(time.Millisecond), Verb: verb, Host: host}
}

// partition cuts the receiver off for so long.
func partition(s *scenario.Scenario, workload, d time.Duration) {
	s.Faults = append(s.Faults, at(workload/4, scenario.Cut, receiver), at(workload/4+d, scenario.Mend, receiver))
}

// Faults returns all rows in their order.
func Faults() []Fault {
	return []Fault{
		link("none", "nothing goes wrong", ""),
		loss(1), loss(10), loss(30),
		link("bursts", "losses come in bursts of four on average, 10 % of the packets", "loss gemodel 2.78% 25%"),
		link("duplication", "10 % of the packets arrive twice", "duplicate 10%"),
		link("reordering", "packets take 170 ms, but 10 % leave at once and overtake", "delay 170ms reorder 10%"),
		link("corruption", "in 5 % of the packets one bit is wrong", "corrupt 5%"),
		{"partition-short", "no packet passes for 2 s: shorter than every timeout", func(s *scenario.Scenario, w time.Duration) {
			partition(s, w, shortPartition)
		}},
		{"partition-long", "no packet passes for 60 s: longer than every timeout", func(s *scenario.Scenario, w time.Duration) {
			partition(s, w, longPartition)
		}},
		span("receiver-killed", "the receiver loses its power, and is started again", scenario.Kill, scenario.Start, receiver),
		span("receiver-stopped", "the receiver's process is stopped (SIGSTOP), and goes on", scenario.Stop, scenario.Resume, receiver),
		span("server-killed", "the server loses its power, and is started again with nothing", scenario.Kill, scenario.Start, scenario.ServerHost),
		{"server-killed-data", "the server loses its power, and is started again with its data (--data)", func(s *scenario.Scenario, w time.Duration) {
			s.Server.Data = true
			s.Faults = append(s.Faults, at(w/4, scenario.Kill, scenario.ServerHost), at(w/2, scenario.Start, scenario.ServerHost))
		}},
		{"slow-reader", "the receiver takes 300 ms for each read from a socket with 4 KiB of buffer", func(s *scenario.Scenario, w time.Duration) {
			for i := range s.Members {
				if m := &s.Members[i]; m.Name == receiver {
					m.UDPBuffer, m.TCPBuffer = 4<<10, 4<<10
				}
			}
			s.Faults = append(s.Faults, scenario.Fault{Verb: scenario.Slow, Host: receiver, For: 300 * time.Millisecond})
		}},
		{"queue-overflow", "the receiver is cut off for 60 s, and the server keeps a fifth of the messages", func(s *scenario.Scenario, w time.Duration) {
			s.Server.KeepCount = max(1, messages(s)/5)
			partition(s, w, longPartition)
		}},
	}
}

func messages(s *scenario.Scenario) int {
	n := 0
	for i := range s.Members {
		n += s.Members[i].Messages
	}
	return n
}

// faults returns the rows that o asks for.
func (o *Options) faults() ([]Fault, error) {
	all := Faults()
	if o.Loss >= 0 {
		i := slices.IndexFunc(all, func(f Fault) bool { return f.Name == "loss-1" })
		all = slices.Replace(all, i, i+3, loss(math.Round(o.Loss*1e8)/1e6))
	}
	if len(o.Faults) == 0 {
		return all, nil
	}
	var some []Fault
	for _, name := range o.Faults {
		i := slices.IndexFunc(all, func(f Fault) bool { return f.Name == name })
		if i < 0 {
			names := make([]string, len(all))
			for i, f := range all {
				names[i] = f.Name
			}
			return nil, fmt.Errorf("fault %q: unknown, want one of %s", name, strings.Join(names, ", "))
		}
		if !slices.ContainsFunc(some, func(f Fault) bool { return f.Name == name }) {
			some = append(some, all[i])
		}
	}
	return some, nil
}

// scenario returns the run of one cell.
func (o *Options) scenario(f Fault, t scenario.Transport, seed uint64) *scenario.Scenario {
	s := &scenario.Scenario{
		Seed: seed,
		Members: []scenario.Member{
			{Name: receiver, Transport: t, Up: receiverLink, Down: receiverLink},
			{Name: sender, Transport: t, Up: senderLink, Down: senderLink,
				Messages: o.Messages, Rate: o.Rate, Size: o.Size},
		},
		Record: []string{receiver},
	}
	f.apply(s, time.Duration(float64(o.Messages)/o.Rate*float64(time.Second)))
	return s
}

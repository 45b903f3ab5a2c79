package soak

import (
	"testing"

	"wirelab/labs/scenario"
)

// A server without a disk that was killed may take a message again: that is one
// more in another log, for each member, whoever got it first. In one log, or with
// a disk, it is a message handed over twice.
func TestTwiceIsInOneLog(t *testing.T) {
	queue := func(name string) scenario.Member {
		return scenario.Member{Name: name, Transport: scenario.TCPQueue}
	}
	stands := func(host string, epoch uint64) *scenario.Event {
		return &scenario.Event{Kind: scenario.EventRoom, Host: host, Life: 1, Epoch: epoch}
	}
	gets := func(host string, seq uint64) *scenario.Event {
		return &scenario.Event{Kind: scenario.EventDeliver, Host: host, Life: 1, From: "m1", N: 7, Seq: seq}
	}
	online := func(host string) *scenario.Event {
		return &scenario.Event{Kind: scenario.EventOnline, Host: host, Life: 1}
	}
	tests := []struct {
		name   string
		disk   bool
		events []*scenario.Event
		want   int // violations of RuleOnce
	}{
		{"again after the log was lost", false, []*scenario.Event{
			stands("m1", 1), stands("m2", 1), gets("m1", 1), gets("m2", 1),
			stands("m1", 2), stands("m2", 2), gets("m1", 1), gets("m2", 1),
		}, 0},
		{"again in one log", false, []*scenario.Event{
			stands("m1", 1), stands("m2", 1), gets("m1", 1), gets("m2", 1), gets("m1", 2), gets("m2", 2),
		}, 2},
		{"again though there is a disk", true, []*scenario.Event{
			stands("m1", 1), stands("m2", 1), gets("m1", 1), gets("m2", 1),
			stands("m1", 2), stands("m2", 2), gets("m1", 1), gets("m2", 1),
		}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := NewChecker(&scenario.Scenario{
				Members: []scenario.Member{queue("m1"), queue("m2")}, Server: scenario.Server{Data: tt.disk},
			})
			for _, e := range append([]*scenario.Event{online("m1"), online("m2")}, tt.events...) {
				c.Event(e)
			}
			got := 0
			for _, v := range c.Finish() {
				if v.Rule == RuleOnce {
					got++
				}
			}
			if got != tt.want {
				t.Errorf("%d messages were found twice, want %d", got, tt.want)
			}
		})
	}
}

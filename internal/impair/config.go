// Package impair decides what one direction of a link does to each packet: when
// it arrives, how often, with which bit wrong, or why not at all. The terms and
// their defaults are those of netem (tc-netem(8)).
//
// A Link is pure: it holds no clock, starts no goroutine and does no I/O. It is
// told of a packet and answers with an [Outcome]. What chance does to a packet is
// a function of the seed and of the packet's own identity, never a draw from one
// shared stream: a packet more or less, or later, changes no other packet's fate.
package impair

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// DefaultLimit is how many packets a link holds if Config.Limit is zero.
const DefaultLimit = 1000

// Bounds of what a Config may say.
const (
	MaxDelay    = time.Hour
	MaxOverhead = 65_535
	MaxCount    = 1_000_000_000 // of Limit, Gap, and a rule's ordinal
	MinMTU      = 68            // RFC 791, section 3.2
	MaxMTU      = 65_535
	minRate     = 8 // bits per second
	maxRate     = 1_000_000_000_000
)

// A Config describes one direction of a link. The zero value is an ideal one.
// Probabilities and correlations are in [0, 1].
type Config struct {
	Delay            time.Duration // one way
	Jitter           time.Duration // σ: what the delay varies by
	DelayCorrelation float64       // of a packet's variation with that of the one before
	Distribution     Distribution  // of the variation

	Loss Loss

	Duplicate, DuplicateCorrelation float64
	Corrupt, CorruptCorrelation     float64 // one bit is flipped
	Reorder, ReorderCorrelation     float64 // so many leave at once, while the others are delayed
	Gap                             int     // only each so manieth may leave at once; 0 with Reorder: 1

	Rate     int64 // bits per second; 0: unlimited
	Overhead int   // bytes that the rate counts for each packet besides its own
	Limit    int   // packets that the link holds, delayed ones included; more are dropped; if zero, DefaultLimit
	MTU      int   // bytes; larger packets are dropped; 0: no limit

	Script []Rule // fates of single packets, and times when the link is down
}

// A Distribution says how jitter is distributed around zero.
type Distribution uint8

// The distributions. All but the first are cut at four times Jitter.
const (
	Uniform      Distribution = iota // in [−Jitter, Jitter)
	Normal                           // with a standard deviation of Jitter
	Pareto                           // of shape 3, skewed towards late, as iproute2's table
	ParetoNormal                     // a quarter Normal and three quarters Pareto, of one draw
	distributionEnd
)

var distributionNames = [...]string{"uniform", "normal", "pareto", "paretonormal"}

// String returns the name that Parse knows.
func (d Distribution) String() string {
	if d >= distributionEnd {
		return fmt.Sprintf("distribution %d", uint8(d))
	}
	return distributionNames[d]
}

// A LossModel says how losses depend on each other.
type LossModel uint8

// The models.
const (
	NoLoss  LossModel = iota
	Random            // each packet by itself, with probability P (and Correlation)
	States            // the four states of netem's "loss state"
	Gilbert           // Gilbert–Elliott: a good and a bad state
	modelEnd
)

// A Loss says which packets are lost. The fields of its model count.
type Loss struct {
	Model LossModel

	P, Correlation float64 // Random

	// States: 1 carries, 2 carries within a burst, 3 loses within a burst, 4
	// loses one alone. P13 is the probability to go from 1 to 3, and so on; from
	// 4 it always goes back to 1.
	P13, P31, P32, P23, P14 float64

	// Gilbert: from good to bad, from bad to good; the loss in bad (netem's
	// 1−h) and in good (1−k). A packet's loss is drawn in the state before the
	// transition. The mean burst is 1/BadToGood packets.
	GoodToBad, BadToGood, LossBad, LossGood float64
}

// Rate returns the share of packets that is lost in the long run. A correlation
// draws it away from that.
func (l *Loss) Rate() float64 {
	switch l.Model {
	case Random:
		return l.P
	case Gilbert:
		if l.GoodToBad+l.BadToGood == 0 {
			return l.LossGood
		}
		return (l.GoodToBad*l.LossBad + l.BadToGood*l.LossGood) / (l.GoodToBad + l.BadToGood)
	case States:
		// The balance of flows: π4 = π1·p14, π3·p31 = π1·p13, π2·p23 = π3·p32.
		if l.P13 == 0 {
			return l.P14 / (1 + l.P14)
		}
		if l.P31 == 0 {
			if l.P32 == 0 {
				return 1
			} else if l.P23 == 0 {
				return 0
			}
			return l.P23 / (l.P23 + l.P32)
		}
		if l.P32 > 0 && l.P23 == 0 {
			return 0
		}
		three := l.P13 / l.P31
		two := 0.0
		if l.P32 > 0 {
			two = three * l.P32 / l.P23
		}
		return (three + l.P14) / (1 + two + three + l.P14)
	}
	return 0
}

// Validate reports what makes no sense, with the value and what would.
func (c *Config) Validate() error {
	if c.Delay < 0 || c.Delay > MaxDelay {
		return fmt.Errorf("delay %v: want 0s to %v", c.Delay, MaxDelay)
	}
	if c.Jitter < 0 || c.Jitter > MaxDelay {
		return fmt.Errorf("jitter %v: want 0s to %v", c.Jitter, MaxDelay)
	}
	if c.Distribution >= distributionEnd {
		return fmt.Errorf("%v: unknown", c.Distribution)
	}
	for _, p := range c.shares() {
		if !(*p.value >= 0 && *p.value <= 1) {
			return fmt.Errorf("%s %s: want 0%% to 100%%", p.name, percent(*p.value))
		}
	}
	if c.Loss.Model >= modelEnd {
		return fmt.Errorf("loss model %d: unknown", c.Loss.Model)
	}
	if l := &c.Loss; l.Model == States {
		if l.P13+l.P14 > 1 {
			return fmt.Errorf("loss state: p13 %s and p14 %s are more than 100%% together", percent(l.P13), percent(l.P14))
		}
		if l.P31+l.P32 > 1 {
			return fmt.Errorf("loss state: p31 %s and p32 %s are more than 100%% together", percent(l.P31), percent(l.P32))
		}
	}
	switch {
	case c.Reorder > 0 && c.Delay == 0:
		return fmt.Errorf("reorder %s without a delay: those that leave at once overtake nobody; want a delay, such as delay 20ms", percent(c.Reorder))
	case c.Gap != 0 && c.Reorder == 0:
		return fmt.Errorf("gap %d without reorder: want a reorder, such as reorder 25%%", c.Gap)
	case c.Gap < 0 || c.Gap > MaxCount:
		return fmt.Errorf("gap %d: want 1 to %d", c.Gap, MaxCount)
	case c.Jitter == 0 && c.DelayCorrelation > 0:
		return errors.New("a correlation of the delay without jitter: want one, such as delay 20ms 5ms 25%")
	case c.Jitter == 0 && c.Distribution != Uniform:
		return fmt.Errorf("distribution %v without jitter: want one, such as delay 20ms 5ms", c.Distribution)
	case c.Rate != 0 && (c.Rate < minRate || c.Rate > maxRate):
		return fmt.Errorf("rate %dbit: want %dbit to 1000gbit, or 0 for no limit", c.Rate, minRate)
	case c.Overhead < 0 || c.Overhead > MaxOverhead:
		return fmt.Errorf("overhead %d: want 0 to %d bytes", c.Overhead, MaxOverhead)
	case c.Limit < 0 || c.Limit > MaxCount:
		return fmt.Errorf("limit %d: want 1 to %d packets, or 0 for %d", c.Limit, MaxCount, DefaultLimit)
	case c.MTU != 0 && (c.MTU < MinMTU || c.MTU > MaxMTU):
		return fmt.Errorf("mtu %d: want %d to %d bytes, or 0 for no limit", c.MTU, MinMTU, MaxMTU)
	}
	return checkScript(c.Script)
}

// Warnings says what makes sense, but not perhaps the sense that was meant.
func (c *Config) Warnings() []string {
	var all []string
	if c.Loss.Model == Random && c.Loss.Correlation > 0 {
		all = append(all, fmt.Sprintf("a correlation of %s draws the realised loss away from %s: gemodel keeps its rate",
			percent(c.Loss.Correlation), percent(c.Loss.P)))
	}
	if c.Jitter > 0 && c.Rate == 0 {
		all = append(all, "jitter without a rate reorders packets: a rate keeps them in order")
	}
	return all
}

// A share is a probability or a correlation with its name.
type share struct {
	name  string
	value *float64
}

func (c *Config) shares() []share {
	l := &c.Loss
	all := []share{
		{"delay correlation", &c.DelayCorrelation},
		{"duplicate", &c.Duplicate}, {"duplicate correlation", &c.DuplicateCorrelation},
		{"corrupt", &c.Corrupt}, {"corrupt correlation", &c.CorruptCorrelation},
		{"reorder", &c.Reorder}, {"reorder correlation", &c.ReorderCorrelation},
	}
	switch l.Model {
	case Random:
		all = append(all, share{"loss", &l.P}, share{"loss correlation", &l.Correlation})
	case States:
		all = append(all, share{"loss state p13", &l.P13}, share{"loss state p31", &l.P31}, share{"loss state p32", &l.P32},
			share{"loss state p23", &l.P23}, share{"loss state p14", &l.P14})
	case Gilbert:
		all = append(all, share{"loss gemodel p", &l.GoodToBad}, share{"loss gemodel r", &l.BadToGood},
			share{"loss gemodel 1-h", &l.LossBad}, share{"loss gemodel 1-k", &l.LossGood})
	}
	return all
}

// percent spells a share as Parse reads it.
func percent(v float64) string {
	if p := math.Round(v*1e12) / 1e10; p/100 == v {
		return fmt.Sprintf("%g%%", p)
	}
	// v*100/100 may be another number than v.
	return strconv.FormatFloat(v, 'g', -1, 64)
}

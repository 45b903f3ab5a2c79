package tui

import (
	"math"
	"slices"
	"time"

	"wirelab/internal/impair"
)

// knobs are what keys change of a link: up, down.
type knobs struct {
	start, now [2]impair.Config // without the partition
	partition  bool
	chosen     direction
}

// direction says which of the two the keys turn.
type direction uint8

const (
	both direction = iota
	upOnly
	downOnly
	directions
)

func newKnobs(up, down impair.Config) knobs {
	c := [2]impair.Config{up, down}
	return knobs{start: c, now: c}
}

// turns reports whether the keys turn direction i.
func (k *knobs) turns(i int) bool { return k.chosen == both || k.chosen == direction(i+1) }

// Steps of the knobs.
var (
	lossSteps  = []float64{0, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1}
	delaySteps = []time.Duration{
		0, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
		200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second,
	}
	// Bits per second; the last stands for no limit.
	rateSteps = []int64{64e3, 128e3, 256e3, 512e3, 1e6, 10e6, 100e6, 1e9, unlimited}
)

const unlimited = math.MaxInt64

// turn does what a key says, and reports whether the link changes.
func (k *knobs) turn(key string) bool {
	each := func(change func(*impair.Config)) bool {
		for i := range k.now {
			if k.turns(i) {
				change(&k.now[i])
			}
		}
		return true
	}
	switch key {
	case "tab":
		k.chosen = (k.chosen + 1) % directions
		return false
	case "l":
		return each(func(c *impair.Config) { setLoss(c, next(lossSteps, c.Loss.Rate())) })
	case "L":
		return each(func(c *impair.Config) { setLoss(c, before(lossSteps, c.Loss.Rate())) })
	case "d":
		return each(func(c *impair.Config) { c.Delay = next(delaySteps, c.Delay) })
	case "D":
		return each(func(c *impair.Config) { c.Delay = before(delaySteps, c.Delay) })
	case "b":
		return each(func(c *impair.Config) { setRate(c, before(rateSteps, rateOf(c))) })
	case "B":
		return each(func(c *impair.Config) { setRate(c, next(rateSteps, rateOf(c))) })
	case "p":
		k.partition = !k.partition
		return true
	case "0":
		k.now, k.partition = k.start, false
		return true
	}
	return false
}

func setLoss(c *impair.Config, p float64) {
	c.Loss = impair.Loss{}
	if p > 0 {
		c.Loss = impair.Loss{Model: impair.Random, P: p}
	}
}

func rateOf(c *impair.Config) int64 {
	if c.Rate == 0 {
		return unlimited
	}
	return c.Rate
}

func setRate(c *impair.Config, bits int64) {
	if c.Rate = bits; bits == unlimited {
		c.Rate = 0
	}
}

type number interface {
	~int64 | ~float64
}

// next returns the first step above v, or v; before the last one below it.
func next[T number](rising []T, v T) T {
	for _, s := range rising {
		if s > v {
			return s
		}
	}
	return v
}

func before[T number](rising []T, v T) T {
	for _, s := range slices.Backward(rising) {
		if s < v {
			return s
		}
	}
	return v
}

// config is what direction i is to be.
func (k *knobs) config(i int) impair.Config {
	c := k.now[i]
	if k.partition {
		c.Script = append(slices.Clone(c.Script), impair.Rule{Do: impair.Down, To: math.MaxInt64})
	}
	return c
}

// String says what direction i does, but for the partition.
func (k *knobs) String(i int) string {
	if s := k.now[i].String(); s != "" {
		return s
	}
	return "ideal"
}

package impair

import (
	"slices"
	"time"
)

// profiles are links as people meet them. The figures are round ones of the
// order that measurements give; a lab that needs others says so.
var profiles = []struct {
	name   string
	config Config
}{
	// Switched Ethernet: a fifth of a millisecond, a gigabit.
	{"lan", Config{Delay: 200 * time.Microsecond, Rate: 1_000_000_000, Limit: 1000}},
	// A home's Wi-Fi: the air is shared, so delays vary, and a packet that fails
	// all its tries is lost.
	{"wifi", Config{Delay: 3 * time.Millisecond, Jitter: 2 * time.Millisecond, Distribution: Pareto, Rate: 50_000_000, Limit: 500,
		Loss: Loss{Model: Random, P: 0.005}}},
	// A mobile network: the radio resends, so what is left is delay.
	{"4g", Config{Delay: 35 * time.Millisecond, Jitter: 10 * time.Millisecond, Distribution: Normal, Rate: 20_000_000, Limit: 300,
		Loss: Loss{Model: Random, P: 0.002}}},
	// A geostationary satellite: 35,786 km up and down take 240 ms at the speed
	// of light, and the modems as long as to 270.
	{"satellite", Config{Delay: 270 * time.Millisecond, Jitter: 5 * time.Millisecond, Rate: 10_000_000, Limit: 500,
		Loss: Loss{Model: Random, P: 0.005}}},
	// For lessons: a tenth of the packets is lost, each by itself.
	{"lossy-10", Config{Delay: 20 * time.Millisecond, Loss: Loss{Model: Random, P: 0.1}}},
	// The same loss in bursts of four on average: p/(p+r) = 1/10, 1/r = 4.
	{"bursty", Config{Delay: 20 * time.Millisecond, Loss: Loss{Model: Gilbert, GoodToBad: 1.0 / 36, BadToGood: 0.25, LossBad: 1}}},
}

// Profile returns the link of that name.
func Profile(name string) (Config, bool) {
	for _, p := range profiles {
		if p.name == name {
			return p.config, true
		}
	}
	return Config{}, false
}

// Profiles returns the names of all profiles.
func Profiles() []string {
	names := make([]string, len(profiles))
	for i, p := range profiles {
		names[i] = p.name
	}
	return slices.Clip(names)
}

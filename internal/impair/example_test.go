package impair_test

import (
	"fmt"
	"time"

	"wirelab/internal/impair"
)

func ExampleParse() {
	c, err := impair.Parse("4g loss 2% drop data 3")
	fmt.Println(c, err)
	_, err = impair.Parse("loss 120%")
	fmt.Println(err)
	// Output:
	// delay 35ms 10ms distribution normal loss 2% rate 20mbit limit 300 drop data 3 <nil>
	// link "loss 120%": loss: 120%: want 0% to 100%
}

func ExampleLink_Plan() {
	c, _ := impair.Parse("delay 20ms rate 1mbit drop data 2 duplicate data 3")
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	l, _ := impair.New(c, 1, start)
	for range 3 {
		o := l.Plan(start, impair.Packet{Size: 1250, Class: impair.UDP | impair.Data, Flow: 1})
		fmt.Print(o.Ordinal, " ", o.Cause)
		for _, a := range o.Arrivals {
			fmt.Print(" after ", a.At.Sub(start))
		}
		fmt.Println()
	}
	// Output:
	// 1 carried after 30ms
	// 2 script
	// 3 carried after 40ms after 50ms
}

func ExampleConfig_Set() {
	c, _ := impair.Profile("lossy-10")
	fmt.Println(c.Set("loss", "gemodel 1% 25%"), c)
	fmt.Println(c.Set("loss", "1% often"))
	// Output:
	// <nil> delay 20ms loss gemodel 1% 25% 100% 0%
	// loss: "often" is no share: want such as 10%
}

func ExampleParseRule() {
	r, err := impair.ParseRule("delay data 7 80ms")
	fmt.Println(r, err)
	_, err = impair.ParseRule("drop data 0")
	fmt.Println(err)
	// Output:
	// delay data 7 80ms <nil>
	// rule "drop data 0": drop data 0: packets are counted from 1, up to 1000000000
}

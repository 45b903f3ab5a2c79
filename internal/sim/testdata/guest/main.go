// Guest does what its first argument says, so that tests of package sim can see
// what the host makes of it.
package main

import (
	crand "crypto/rand"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"
)

func main() {
	begin := time.Now()
	switch what := os.Args[1]; what {
	case "hour":
		time.Sleep(time.Hour)
		fmt.Println(time.Since(begin), time.Now().UTC().Format(time.RFC3339Nano))
	case "begin":
		fmt.Println(begin.UTC().Format(time.RFC3339Nano))
	case "timers":
		timers(begin)
	case "chance":
		chance(begin)
	case "ticks":
		for range 3 {
			time.Sleep(time.Second)
			fmt.Println(time.Since(begin))
		}
	case "echo":
		b, err := io.ReadAll(os.Stdin)
		fmt.Printf("%q %v %q %q %q\n", b, err, os.Args, os.Environ(), must(os.Getwd()))
	case "files":
		_, err := os.ReadFile("/etc/passwd")
		fmt.Println(err != nil)
	case "exit":
		fmt.Fprintln(os.Stderr, "first\nthe disk is on fire \x1b[31m")
		time.Sleep(3 * time.Second)
		os.Exit(7)
	case "panic":
		var m map[string]int
		m["x"] = 1
	case "deadlock":
		<-make(chan bool)
	case "forever":
		fmt.Println("on and on")
		for {
			time.Sleep(time.Minute)
		}
	case "wait": // for an instant that time never reaches by itself
		fmt.Println("on and on")
		for time.Since(begin) < time.Second {
		}
	case "allocate": // and so reads the clock now and then
		fmt.Println("on and on")
		for n := 0; ; n++ {
			sink = make([]byte, 1<<20)
		}
	case "hoard":
		var all [][]byte
		for {
			all = append(all, make([]byte, 1<<20))
		}
	case "write":
		for {
			if _, err := os.Stdout.Write(make([]byte, 1000)); err != nil {
				fmt.Fprintln(os.Stderr, "the guest has seen the error")
				os.Exit(3)
			}
		}
	case "chatter":
		for n := range 10000 {
			fmt.Fprintln(os.Stderr, "line", n)
		}
		os.Exit(1)
	default:
		panic("what is " + what + "?")
	}
}

var sink []byte

func must(s string, _ error) string { return s }

// timers prints who woke when: in order of time, and of one instant in any order,
// but in the same one in every run.
func timers(begin time.Time) {
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			time.Sleep(time.Duration(i*37%50/5) * 100 * time.Millisecond)
			fmt.Println(time.Since(begin), i)
		})
	}
	wg.Wait()
}

// chance prints what depends on chance: random bytes, the order of a map, of a
// select, of goroutines.
func chance(begin time.Time) {
	b := make([]byte, 16)
	crand.Read(b)
	fmt.Printf("%x %d\n", b, rand.Uint64())
	m := map[int]bool{}
	for i := range 100 {
		m[i] = true
	}
	for k := range m {
		fmt.Print(k, " ")
	}
	a, z := make(chan int, 100), make(chan int, 100)
	for i := range 100 {
		a <- i
		z <- i
	}
	var order strings.Builder
	for range 100 {
		select {
		case <-a:
			order.WriteByte('a')
		case <-z:
			order.WriteByte('z')
		}
	}
	fmt.Println(order.String())
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for range 20 {
				time.Sleep(rand.N(time.Second))
				fmt.Println(time.Since(begin), i)
				sink = make([]byte, 1<<18) // and the garbage collector at work
			}
		})
	}
	wg.Wait()
}

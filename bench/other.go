//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: measures with epoll, sendmmsg and /proc, so it runs on Linux only")
	os.Exit(2)
}

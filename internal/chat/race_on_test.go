//go:build race

package chat_test

// underRace says that the race detector makes everything ten times slower.
// What runs in one goroutine has nothing to show it: fewer seeds will do.
const underRace = true

//go:build race

package imagetest

// Raced reports whether the race detector is on: the guest is not watched by it,
// so that tests which play many runs may play fewer.
const Raced = true

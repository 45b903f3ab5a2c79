//go:build race

package main

// raceDetector says that this program and those that it launches are slow and
// large.
const raceDetector = true

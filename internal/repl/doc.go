// Package repl reads what a person types in a chat and does it: lines are
// messages, those that begin with / are commands. It draws nothing: a
// [Session] yields items, which [Plain] writes as lines and package tui draws.
package repl

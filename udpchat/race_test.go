//go:build race

package udpchat

const raced = true

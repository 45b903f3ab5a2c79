//go:build !race

package udpchat

const raced = false

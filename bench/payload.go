//go:build linux

package main

import "fmt"

// payloadSize is the 100 bytes of the name "100-byte messages".
const payloadSize = 100

// A payload is a JSON array of one string, which starts with the message's
// number in 16 hex digits. Servers are told that it is binary.
const (
	payloadHead = `["`
	payloadTail = `"]`
	digits      = "0123456789abcdef"
)

// putNumber makes the payload of message n at the start of b.
func putNumber(b []byte, n uint64) {
	b = b[:payloadSize]
	if b[0] == 0 {
		for i := range b {
			b[i] = '.'
		}
		copy(b, payloadHead)
		copy(b[payloadSize-len(payloadTail):], payloadTail)
	}
	for i := len(payloadHead) + 15; i >= len(payloadHead); i-- {
		b[i] = digits[n&15]
		n >>= 4
	}
}

// getNumber returns the number of the payload b.
func getNumber(b []byte) (n uint64, err error) {
	if len(b) != payloadSize || b[0] != payloadHead[0] || b[1] != payloadHead[1] || b[payloadSize-2] != payloadTail[0] || b[payloadSize-1] != payloadTail[1] {
		return 0, fmt.Errorf("%.24q of %d bytes is no payload", b, len(b))
	}
	for _, c := range b[len(payloadHead) : len(payloadHead)+16] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		default:
			return 0, fmt.Errorf("%.24q has no number", b)
		}
		n = n<<4 | uint64(c)
	}
	return n, nil
}

// checkPayload reports whether b is message n.
func checkPayload(b []byte, n uint64) error {
	got, err := getNumber(b)
	if err == nil && got != n {
		err = fmt.Errorf("got message %d, want %d", got, n)
	}
	return err
}

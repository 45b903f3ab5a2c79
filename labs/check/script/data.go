package script

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Data is bytes that go into one write, or one datagram.
type Data struct {
	atoms []atom
	size  int // at most, without what ${name} stands for
}

// An atom is a part of Data that is repeated as a whole.
type atom struct {
	text  string
	uses  bool // text has ${name}
	make  func(seed uint64, n int) []byte
	n     int    // for make
	group []Data // (…): joined
	times int
}

// Uses reports whether what the data is depends on what was found before.
func (d Data) Uses() bool {
	for _, a := range d.atoms {
		if a.uses {
			return true
		}
		for _, g := range a.group {
			if g.Uses() {
				return true
			}
		}
	}
	return false
}

// Bytes returns the data, with what was found in place of ${name}.
func (d Data) Bytes(seed uint64, found map[string]string) ([]byte, error) {
	return d.append(make([]byte, 0, d.size), seed, found)
}

func (d Data) append(b []byte, seed uint64, found map[string]string) ([]byte, error) {
	for _, a := range d.atoms {
		var one []byte
		switch {
		case a.make != nil:
			one = a.make(seed, a.n)
		case a.group != nil:
			for _, g := range a.group {
				var err error
				if one, err = g.append(one, seed, found); err != nil {
					return nil, err
				}
			}
		case a.uses:
			text, err := substitute(a.text, func(name string) (string, bool) { v, ok := found[name]; return v, ok })
			if err != nil {
				return nil, err
			}
			one = []byte(text)
		default:
			one = []byte(a.text)
		}
		if len(b)+len(one)*a.times > 2*MaxData {
			return nil, fmt.Errorf("more than %d bytes", 2*MaxData)
		}
		if len(one) == 0 {
			continue
		}
		for range a.times {
			b = append(b, one...)
		}
	}
	return b, nil
}

// generators are the words that make bytes.
func generator(word string) func(seed uint64, n int) []byte {
	cycle := func(first byte, length int) func(uint64, int) []byte {
		return func(_ uint64, n int) []byte {
			b := make([]byte, n)
			for i := range b {
				b[i] = first + byte(i%length)
			}
			return b
		}
	}
	switch word {
	case "bytes":
		return cycle(0, 256)
	case "letters":
		return cycle('a', 26)
	case "LETTERS":
		return cycle('A', 26)
	case "random":
		return func(seed uint64, n int) []byte {
			r := rand.New(rand.NewPCG(seed, uint64(n)))
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			return b
		}
	}
	return nil
}

// substitute replaces each ${name} in s.
func substitute(s string, value func(name string) (string, bool)) (string, error) {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, "${")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		name, rest, ok := strings.Cut(after, "}")
		if !ok {
			return "", fmt.Errorf("${%s: want ${name}; the two characters ${ themselves are written 24 7b", after)
		}
		v, known := value(name)
		if !known {
			return "", fmt.Errorf("${%s} is not known here: want a name that an earlier <~ sets, (?P<%s>…)", name, name)
		}
		b.WriteString(v)
		s = rest
	}
}

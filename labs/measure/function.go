package measure

import (
	"fmt"
	"math"
	"slices"
)

// A function is one that expressions may call.
type function struct {
	name  string
	call  func(args ...any) (any, error)
	types []any // pointers to func types
}

func ownNames() []string {
	var names []string
	for _, f := range ownFunctions() {
		names = append(names, f.name)
	}
	return names
}

// ownFunctions returns the functions that a sheet has besides expr's own.
func ownFunctions() []function {
	return []function{
		of1("sqrt", math.Sqrt), of1("cbrt", math.Cbrt), of1("log", math.Log), of1("log2", math.Log2), of1("exp", math.Exp),
		{"pow", func(args ...any) (any, error) {
			x, ok := number(args[0])
			y, ok2 := number(args[1])
			if !ok || !ok2 {
				return nil, fmt.Errorf("pow: want two numbers")
			}
			return math.Pow(x, y), nil
		}, []any{new(func(x, y float64) float64), new(func(x, y int) float64), new(func(x float64, y int) float64), new(func(x int, y float64) float64)}},
		{"roundto", func(args ...any) (any, error) {
			x, ok := number(args[0])
			n, ok2 := number(args[1])
			if !ok || !ok2 {
				return nil, fmt.Errorf("roundto: want a number and how many digits after the point")
			}
			scale := math.Pow(10, math.Round(n))
			return math.Round(x*scale) / scale, nil
		}, []any{new(func(x float64, n int) float64), new(func(x, n int) float64), new(func(x, n float64) float64)}},
		ofList("mean", mean), ofList("median", func(l []float64) (float64, error) { return quantile(l, 0.5) }),
		ofList("jain", jain), ofList("checksum", checksum), ofList("reordered", reordered),
		{"quantile", func(args ...any) (any, error) {
			l, err := numbers("quantile", args[0])
			if err != nil {
				return nil, err
			}
			q, ok := number(args[1])
			if !ok || !(q >= 0 && q <= 1) {
				return nil, fmt.Errorf("quantile: %v, want a share from 0 to 1", args[1])
			}
			return quantile(l, q)
		}, []any{new(func(any, float64) float64), new(func(any, int) float64)}},
		{"gaps", func(args ...any) (any, error) {
			l, err := numbers("gaps", args[0])
			if err != nil {
				return nil, err
			}
			var gaps []float64
			for i := 1; i < len(l); i++ {
				gaps = append(gaps, l[i]-l[i-1])
			}
			return gaps, nil
		}, []any{new(func(any) []float64)}},
	}
}

func of1(name string, f func(float64) float64) function {
	return function{name, func(args ...any) (any, error) {
		x, ok := number(args[0])
		if !ok {
			return nil, fmt.Errorf("%s: want a number", name)
		}
		return f(x), nil
	}, []any{new(func(float64) float64), new(func(int) float64)}}
}

// ofList makes a function of a list of numbers.
func ofList(name string, f func([]float64) (float64, error)) function {
	return function{name, func(args ...any) (any, error) {
		l, err := numbers(name, args[0])
		if err != nil {
			return nil, err
		}
		v, err := f(l)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return v, nil
	}, []any{new(func(any) float64)}}
}

// numbers returns v as a list of numbers.
func numbers(name string, v any) ([]float64, error) {
	if l, ok := v.([]float64); ok {
		return l, nil
	}
	l, ok := list(v)
	if !ok {
		return nil, fmt.Errorf("%s: want a list of numbers", name)
	}
	out := make([]float64, len(l))
	for i, x := range l {
		if out[i], ok = number(x); !ok {
			return nil, fmt.Errorf("%s: element %d is no number", name, i+1)
		}
	}
	return out, nil
}

func mean(l []float64) (float64, error) {
	if len(l) == 0 {
		return 0, fmt.Errorf("of nothing")
	}
	sum := 0.0
	for _, x := range l {
		sum += x
	}
	return sum / float64(len(l)), nil
}

// quantile returns the value below which a share q of l lies, between two
// neighbours in proportion (Hyndman and Fan's type 7, as R and NumPy have it).
func quantile(l []float64, q float64) (float64, error) {
	if len(l) == 0 {
		return 0, fmt.Errorf("quantile of nothing")
	}
	l = slices.Sorted(slices.Values(l))
	at := q * float64(len(l)-1)
	i := int(at)
	if i+1 >= len(l) {
		return l[len(l)-1], nil
	}
	return l[i] + (at-float64(i))*(l[i+1]-l[i]), nil
}

// jain returns Jain's index of fairness: 1 if all have the same, 1/n if one has
// all.
func jain(l []float64) (float64, error) {
	sum, squares := 0.0, 0.0
	for _, x := range l {
		sum += x
		squares += x * x
	}
	if squares == 0 {
		return 0, fmt.Errorf("of nothing")
	}
	return sum * sum / (float64(len(l)) * squares), nil
}

// checksum returns the Internet checksum of 16-bit words (RFC 1071, section 1):
// the complement of their sum in ones' complement.
func checksum(l []float64) (float64, error) {
	sum := uint64(0)
	for i, x := range l {
		if x < 0 || x > 0xffff || x != math.Trunc(x) {
			return 0, fmt.Errorf("word %d is %v, want 0 to 0xffff", i+1, x)
		}
		sum += uint64(x)
		sum = sum&0xffff + sum>>16
	}
	return float64(^uint16(sum)), nil
}

// reordered counts the packets that are reordered by RFC 4737, section 3.3: their
// number is below the next that was expected.
func reordered(l []float64) (float64, error) {
	next, n := math.Inf(-1), 0
	for _, x := range l {
		if x >= next {
			next = x + 1
		} else {
			n++
		}
	}
	return float64(n), nil
}

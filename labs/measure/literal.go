package measure

import (
	"fmt"
	"math"
	"strings"
)

// ParseLiteral reads a quantity as a sheet writes it, without a blank: "40ms",
// "1500B", "10Mbit/s", "5%", "100". The unit is the quantity's own.
func ParseLiteral(text string) (Quantity, error) {
	number, name := splitNumber(text)
	if number == "" || len(text) > maxText {
		return Quantity{}, fmt.Errorf("%q: want a number with its unit, such as 40ms, 1500B, 10Mbit/s, 5%% or 100", text)
	}
	v, what := parseNumber(number)
	if what != "" {
		return Quantity{}, fmt.Errorf("%q: %s", number, what)
	}
	name = strings.TrimSpace(name)
	unit, err := ParseUnit(name)
	if err != nil {
		return Quantity{}, err
	}
	if unit.Dim == Words || unit.Dim == Count && name != "" && len([]rune(name)) < 3 {
		return Quantity{}, fmt.Errorf("unit %q is unknown: want one such as ms, B, Mbit/s, %%, or a noun", name)
	}
	q := Quantity{Value: v * unit.scale(), Unit: unit}
	if math.IsInf(q.Value, 0) {
		return Quantity{}, fmt.Errorf("%q is too large", number)
	}
	q.Unit.Name = formal(name)
	return q, nil
}

// formal returns how a rate's unit is shown that was written as links have it.
func formal(name string) string {
	switch name {
	case "bit", "kbit", "Mbit", "Gbit":
		return name + "/s"
	case "mbit":
		return "Mbit/s"
	case "gbit":
		return "Gbit/s"
	case "none":
		return ""
	}
	return name
}

// In returns q shown in another unit of the same dimension.
func (q Quantity) In(u Unit) Quantity { return Quantity{Value: q.Value, Unit: u} }

// Same reports whether quantities in u and v can be compared.
func (u Unit) Same(v Unit) bool { return u.dim() == v.dim() }

// Plain reports whether u is a plain number.
func (u Unit) Plain() bool { return u.Name == "" }

// IsText reports whether u is no number at all.
func (u Unit) IsText() bool { return u.Dim == Words }

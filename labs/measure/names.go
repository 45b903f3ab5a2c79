package measure

import (
	"maps"
	"slices"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/types"

	"wirelab/internal/spell"
)

// constants returns the units as factors.
func constants() map[string]float64 {
	return map[string]float64{
		"s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9,
		"B": 1, "kB": 1e3, "MB": 1e6, "KiB": 1 << 10, "MiB": 1 << 20,
		"bit": 1, "kbit": 1e3, "Mbit": 1e6, "Gbit": 1e9, "mbit": 1e6,
		"percent": 0.01,
	}
}

// A view is a run as expressions see it.
type view struct {
	Packets   []*Packet                      `expr:"packets"`
	Events    []*Event                       `expr:"events"`
	Began     float64                        `expr:"began"`
	Totals    *Totals                        `expr:"totals"`
	Sent      func(string) []*Packet         `expr:"sent"`
	Received  func(string) []*Packet         `expr:"received"`
	Between   func(string, string) []*Packet `expr:"between"`
	Did       func(string, string) []*Event  `expr:"did"`
	Delivered func(string) []*Event          `expr:"delivered"`
	Emitted   func(string) []*Event          `expr:"emitted"`
	Acked     func(string) []*Event          `expr:"acked"`
	States    func(...string) []*State       `expr:"states"`
}

// runNames returns what is known only after a run.
func runNames() []string {
	return []string{"packets", "events", "states", "began", "totals", "sent", "received", "between", "did", "delivered", "emitted", "acked", "runs"}
}

func isRunName(name string) bool { return slices.Contains(runNames(), name) }

// values returns the run's names with v's values.
func (v *view) values() map[string]any {
	return map[string]any{
		"packets": v.Packets, "events": v.Events, "began": v.Began, "totals": v.Totals,
		"sent": v.Sent, "received": v.Received, "between": v.Between, "did": v.Did,
		"delivered": v.Delivered, "emitted": v.Emitted, "acked": v.Acked, "states": v.States,
	}
}

// declare returns the names and types that an expression may use.
func declare(n Names) types.Map {
	env := types.Map{"seed": types.Float64}
	for name := range constants() {
		env[name] = types.Float64
	}
	for _, name := range n.Variables {
		env[name] = types.Float64
	}
	if !n.Run {
		return env
	}
	for name, v := range new(view).values() {
		env[name] = types.TypeOf(v)
	}
	runs := types.Map{}
	for _, name := range n.Runs {
		run := types.Map{}
		for name, v := range new(view).values() {
			run[name] = types.TypeOf(v)
		}
		runs[name] = run
	}
	env["runs"] = runs
	return env
}

// environment returns the values of what declare declares.
func (s *Scope) environment(run bool) map[string]any {
	env := make(map[string]any, 64)
	for name, v := range constants() {
		env[name] = v
	}
	env["seed"] = 0.0
	for name, v := range s.Variables {
		env[name] = v
	}
	if !run {
		return env
	}
	maps.Copy(env, s.Run.view().values())
	runs := make(map[string]any, len(s.Runs))
	for name, r := range s.Runs {
		if name != "" {
			runs[name] = r.view().values()
		}
	}
	env["runs"] = runs
	return env
}

// known lists all names that an expression may use.
func known(n Names) []string {
	all := slices.Concat(n.Variables, slices.Collect(maps.Keys(constants())), ownNames(), builtin.Names, []string{"seed"})
	if n.Run {
		all = append(all, runNames()...)
	}
	all = slices.DeleteFunc(all, func(s string) bool { return slices.Contains(banned(), s) })
	slices.Sort(all)
	return all
}

// Reserved reports whether a name has a meaning of its own in expressions, so
// that no variable can have it.
func Reserved(name string) bool {
	words := []string{
		"true", "false", "nil", "let", "in", "not", "and", "or", "if", "else", "matches", "contains", "startsWith", "endsWith", "min", "max", "seed",
	}
	return slices.Contains(words, name) || isRunName(name) || slices.Contains(known(Names{}), name)
}

// banned lists what expr brings along and a sheet must not use: it depends on the
// clock or the order of a map, or takes memory without bound.
func banned() []string {
	return []string{"now", "date", "duration", "timezone", "keys", "values", "toPairs", "fromPairs", "groupBy", "repeat", "toJSON", "fromJSON", "toBase64", "fromBase64"}
}

// functions returns what expressions may call besides expr's own.
func functions() []expr.Option {
	var all []expr.Option
	for _, name := range banned() {
		all = append(all, expr.DisableBuiltin(name))
	}
	for _, f := range ownFunctions() {
		all = append(all, expr.Function(f.name, f.call, f.types...))
	}
	return all
}

// nearest returns the name that is close to what was written, or nothing.
func nearest(name string, names []string) string {
	best, distance := "", 3
	switch {
	case len(name) < 2:
		return ""
	case len(name) <= 4:
		distance = 2
	}
	for _, n := range names {
		if d := spell.Distance(name, n); d < distance {
			best, distance = n, d
		}
	}
	return best
}

// All returns the names of our own that an expression may use: what a run told
// and the functions that expr does not bring along.
func (Names) All() []string { return append(runNames(), ownNames()...) }

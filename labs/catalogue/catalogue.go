// Package catalogue holds the labs that come with Wirelab: a folder of sheets,
// one text file each. They are inside the program and parsed only when somebody
// asks for them.
package catalogue

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"wirelab/internal/spell"
	"wirelab/labs/sheet"
)

//go:embed *.txtar
var files embed.FS

// All returns the sheets by theme, and within a theme so that prerequisites come
// first. They are parsed at each call. The error says what is wrong with sheets,
// or that prerequisites are unknown or go in a circle; the sheets that are right
// come with it.
func All() ([]*sheet.Sheet, error) { return read(files) }

// Names returns the labs' names in alphabetical order. It parses nothing.
func Names() []string { return names(files) }

// Find returns the sheet of that name. The error says which names are close, or
// what is wrong with the sheet.
func Find(name string) (*sheet.Sheet, error) { return find(files, name) }

// Unknown is the error for a lab that there is not.
type Unknown struct {
	Name string
	Near []string // names that are close to it
}

func (e *Unknown) Error() string {
	text := fmt.Sprintf("no lab is named %q", e.Name)
	if len(e.Near) > 0 {
		text += ": did you mean " + strings.Join(e.Near, " or ") + "?"
	}
	return text
}

func names(from fs.FS) []string {
	list, _ := fs.Glob(from, "*.txtar") // the pattern is right
	for i, f := range list {
		list[i] = strings.TrimSuffix(path.Base(f), ".txtar")
	}
	slices.Sort(list)
	return list
}

func find(from fs.FS, name string) (*sheet.Sheet, error) {
	all := names(from)
	if !slices.Contains(all, name) {
		return nil, &Unknown{name, near(name, all)}
	}
	data, err := fs.ReadFile(from, name+".txtar")
	if err != nil {
		return nil, err
	}
	return sheet.Parse(name, data)
}

// near returns the names that somebody may have meant, at most three.
func near(name string, all []string) []string {
	name = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), ".txtar"))
	type candidate struct {
		name     string
		distance int
	}
	var some []candidate
	for _, n := range all {
		d := spell.Distance(name, n)
		if name != "" && (strings.HasPrefix(n, name) || slices.Contains(strings.Split(n, "-"), name)) {
			d = min(d, 1)
		}
		if d <= 1+len(n)/5 {
			some = append(some, candidate{n, d})
		}
	}
	slices.SortStableFunc(some, func(a, b candidate) int { return a.distance - b.distance })
	var near []string
	for _, c := range some[:min(3, len(some))] {
		near = append(near, c.name)
	}
	return near
}

// read parses all, as many at a time as there are processors.
func read(from fs.FS) ([]*sheet.Sheet, error) {
	list := names(from)
	sheets := make([]*sheet.Sheet, len(list))
	errs := make([]error, len(list))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(len(list), runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(list); i = int(next.Add(1)) - 1 {
				sheets[i], errs[i] = find(from, list[i])
			}
		})
	}
	wg.Wait()
	sheets = slices.DeleteFunc(sheets, func(s *sheet.Sheet) bool { return s == nil })
	ordered, err := Order(sheets)
	return ordered, errors.Join(append(errs, err)...)
}

// Order sorts sheets by theme, and within a theme so that prerequisites come
// first, else by time and name. The error joins what is wrong with prerequisites.
func Order(all []*sheet.Sheet) ([]*sheet.Sheet, error) {
	byName := make(map[string]*sheet.Sheet)
	var known []string
	for _, s := range all {
		byName[s.Name] = s
		known = append(known, s.Name)
	}
	var errs []error
	for _, s := range all {
		for _, a := range s.After {
			if byName[a] == nil {
				err := &Unknown{a, near(a, known)}
				errs = append(errs, fmt.Errorf("%s.txtar: after: %w", s.Name, err))
			} else if place(byName[a]) > place(s) {
				errs = append(errs, fmt.Errorf("%s.txtar: after: %s is of a later theme, %s", s.Name, a, byName[a].Theme))
			}
		}
	}
	if circle := circle(all, byName); circle != nil {
		errs = append(errs, fmt.Errorf("%s.txtar: after: the labs wait for each other: %s", circle[0], strings.Join(circle, " after ")))
	}
	depth := make(map[string]int)
	for range all { // as deep as there are sheets, at most
		for _, s := range all {
			for _, a := range s.After {
				depth[s.Name] = min(max(depth[s.Name], depth[a]+1), len(all))
			}
		}
	}
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b *sheet.Sheet) int {
		if d := place(a) - place(b); d != 0 {
			return d
		}
		if d := depth[a.Name] - depth[b.Name]; d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	return sorted, errors.Join(errs...)
}

// place is that of a sheet's theme in the course.
func place(s *sheet.Sheet) int { return slices.Index(sheet.Themes(), s.Theme) }

// circle returns a circle of prerequisites, the first name again at its end, or
// nil.
func circle(all []*sheet.Sheet, byName map[string]*sheet.Sheet) []string {
	done := make(map[string]bool)
	var way []string
	var visit func(name string) []string
	visit = func(name string) []string {
		if i := slices.Index(way, name); i >= 0 {
			return append(slices.Clone(way[i:]), name)
		}
		if done[name] || byName[name] == nil {
			return nil
		}
		way = append(way, name)
		for _, a := range byName[name].After {
			if c := visit(a); c != nil {
				return c
			}
		}
		way = way[:len(way)-1]
		done[name] = true
		return nil
	}
	for _, s := range all {
		if c := visit(s.Name); c != nil {
			return c
		}
	}
	return nil
}

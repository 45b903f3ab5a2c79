package repl

import (
	"slices"
	"strings"
)

// Known are the names that a line can be completed with.
type Known struct {
	Rooms, People, Events, Namespaces []string
}

// Complete returns what the last word of line could become, sorted, and where
// in line that word begins. The candidates come with what follows them: a
// space, or the colon after a name at the start of a line.
func Complete(line string, known Known) (candidates []string, from int) {
	from = strings.LastIndexByte(line, ' ') + 1
	if i := strings.LastIndexByte(line, '"'); i >= 0 && strings.Count(line, `"`)%2 == 1 {
		from = i
	}
	last := line[from:]
	with := func(names []string, prefix, suffix string, quote bool) {
		for _, name := range names {
			if strings.HasPrefix(name, `"`) || !hasPrefix(name, strings.TrimPrefix(strings.TrimPrefix(last, prefix), `"`)) {
				continue
			}
			if quote && strings.Contains(name, " ") {
				name = `"` + name + `"`
			}
			candidates = append(candidates, prefix+name+suffix)
		}
	}
	if !strings.HasPrefix(line, "/") || strings.HasPrefix(line, "//") {
		switch {
		case strings.HasPrefix(last, "@"):
			with(known.People, "@", " ", false)
		case from == 0 && last != "":
			with(known.People, "", ": ", false)
		}
		slices.Sort(candidates)
		return candidates, from
	}
	if from == 0 {
		for _, c := range Commands() {
			if strings.HasPrefix("/"+c.Name, last) {
				s := "/" + c.Name
				if c.Args != "" {
					s += " "
				}
				candidates = append(candidates, s)
			}
		}
		slices.Sort(candidates)
		return candidates, 0
	}
	name, before, _ := strings.Cut(line[1:from], " ")
	all := Commands()
	i := slices.IndexFunc(all, func(c Command) bool { return c.Name == name })
	switch {
	case i < 0 || strings.TrimSpace(before) != "":
		if strings.HasPrefix(last, "@") {
			with(known.People, "@", " ", false)
		}
	case all[i].Wait == "room":
		with(known.Rooms, "", "", true)
	case all[i].Wait == "person":
		if strings.HasPrefix(last, "@") {
			last = last[1:]
			from++
		}
		with(known.People, "", " ", true)
	case all[i].Wait == "event":
		with(known.Events, "", " ", true)
	case all[i].Wait == "namespace":
		with(known.Namespaces, "", "", true)
	case all[i].Wait == "command":
		for _, c := range all {
			if strings.HasPrefix(c.Name, last) {
				candidates = append(candidates, c.Name)
			}
		}
	}
	slices.Sort(candidates)
	return candidates, from
}

// hasPrefix is strings.HasPrefix that takes letters in either case.
func hasPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

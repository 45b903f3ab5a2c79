//go:build unix

package process

import (
	"os"
	"slices"
	"syscall"
	"time"
)

// A group is the process group of a program; its number is the program's.
type group struct {
	id   int
	born uint64 // when the program began, as entries have it; 0: not known
}

func (g *group) take(p *os.Process) error {
	g.id = p.Pid
	return nil
}

func (g *group) kill(*os.Process) { syscall.Kill(-g.id, syscall.SIGKILL) }

func (g *group) release() {}

func killOne(pid int) { syscall.Kill(pid, syscall.SIGKILL) }

// alive reports whether anything in the group still runs.
func (g *group) alive() bool {
	if err := syscall.Kill(-g.id, 0); err != nil && err != syscall.EPERM {
		return false
	}
	// Dead ones that nobody has buried yet count for kill(2).
	list, ok := processes()
	if !ok {
		return true
	}
	return slices.ContainsFunc(list, func(p entry) bool { return p.group == g.id && !p.dead })
}

// members returns what is in the group beside the program itself.
func (g *group) members() []Left {
	if syscall.Kill(-g.id, 0) == syscall.ESRCH {
		return nil
	}
	list, ok := processes()
	if !ok {
		return []Left{{PID: g.id}}
	}
	var all []Left
	for _, p := range list {
		if p.group == g.id && p.pid != g.id && !p.dead {
			all = append(all, Left{p.pid, p.command()})
		}
	}
	return all
}

// starved returns how long the process of the group that waited longest has
// waited for a processor.
func (g *group) starved() (most time.Duration) {
	list, _ := processes()
	for _, p := range list {
		if p.group == g.id {
			most = max(most, p.starved())
		}
	}
	return most
}

// outside returns the descendants of pid that are in another group.
func (g *group) outside(pid int) []entry {
	list, _ := processes()
	children := map[int][]entry{}
	for _, p := range list {
		children[p.parent] = append(children[p.parent], p)
		if p.pid == pid {
			g.born = p.started
		}
	}
	var all []entry
	seen := map[int]bool{}
	for next := []int{pid}; len(next) > 0; next = next[1:] {
		if seen[next[0]] {
			continue
		}
		seen[next[0]] = true
		for _, c := range children[next[0]] {
			next = append(next, c.pid)
			if c.group != g.id {
				all = append(all, c)
			}
		}
	}
	return all
}

// strays returns what still runs of those that were outside, and what has the
// mark in its environment.
func (g *group) strays(id string, outside []entry) []Left {
	list, _ := processes()
	var all []Left
	for _, p := range list {
		known := slices.ContainsFunc(outside, func(o entry) bool { return o.pid == p.pid && o.started == p.started })
		if !p.dead && (known || p.started >= g.born && p.marked(id)) {
			all = append(all, Left{p.pid, p.command()})
		}
	}
	return all
}

// An entry is a process of this machine.
type entry struct {
	pid, parent, group int
	started            uint64 // some clock; tells it from a later one of the same number
	dead               bool   // and not buried yet
	name               string
}

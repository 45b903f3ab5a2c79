package check

import (
	"wirelab/labs/check/script"
	"wirelab/labs/sheet"
)

// LabOf returns what a sheet of a lab to build says: its stages and its programs.
func LabOf(s *sheet.Sheet) *Lab {
	lab := &Lab{Name: s.Name, Stages: StagesOf(s)}
	for _, group := range []struct {
		role Role
		all  []sheet.Program
	}{{Reference, s.References}, {Wrong, s.Wrongs}, {Starter, s.Starters}} {
		for _, p := range group.all {
			lab.Programs = append(lab.Programs, Program{Role: group.role, Name: p.Name, File: p.File, Source: p.Source,
				Line: p.Line, FailsAt: p.FailsAt, FailsWith: p.FailsWith})
		}
	}
	return lab
}

// StagesOf returns the stages of a sheet.
func StagesOf(s *sheet.Sheet) []*script.Stage {
	var all []*script.Stage
	for _, st := range s.Stages {
		all = append(all, st.Stage)
	}
	return all
}

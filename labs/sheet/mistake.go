package sheet

import (
	"errors"
	"fmt"
	"slices"
)

// A Mistake is one thing that is wrong with a sheet.
type Mistake struct {
	File   string
	Line   int
	Column int // in letters, from 1; 0: the whole line
	What   string
}

func (m *Mistake) Error() string {
	if m.Column > 0 {
		return fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.What)
	}
	return fmt.Sprintf("%s:%d: %s", m.File, m.Line, m.What)
}

// maxMistakes is how many mistakes of one file are told.
const maxMistakes = 100

// Mistakes returns the mistakes that err of Parse joins, in the order of lines.
func Mistakes(err error) []*Mistake {
	var all []*Mistake
	var walk func(error)
	walk = func(err error) {
		if m, ok := err.(*Mistake); ok {
			all = append(all, m)
			return
		}
		switch e := err.(type) {
		case interface{ Unwrap() []error }:
			for _, err := range e.Unwrap() {
				walk(err)
			}
		case interface{ Unwrap() error }:
			if err := e.Unwrap(); err != nil {
				walk(err)
			}
		}
	}
	if err != nil {
		walk(err)
	}
	slices.SortStableFunc(all, func(a, b *Mistake) int { return a.Line - b.Line })
	return all
}

// fail notes a mistake.
func (p *parser) fail(line, column int, format string, args ...any) {
	m := &Mistake{File: p.file, Line: line, Column: column, What: fmt.Sprintf(format, args...)}
	for _, o := range p.mistakes {
		if *o == *m {
			return
		}
	}
	if len(p.mistakes) < maxMistakes {
		p.mistakes = append(p.mistakes, m)
	}
}

// err joins the mistakes.
func (p *parser) err() error {
	if len(p.mistakes) == 0 {
		return nil
	}
	slices.SortStableFunc(p.mistakes, func(a, b *Mistake) int { return a.Line - b.Line })
	all := make([]error, len(p.mistakes))
	for i, m := range p.mistakes {
		all[i] = m
	}
	return errors.Join(all...)
}

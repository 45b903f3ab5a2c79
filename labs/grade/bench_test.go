package grade

import (
	"context"
	"fmt"
	"testing"
	"time"

	"wirelab/labs/sheet"
)

// BenchmarkGradeClass marks 30 bundles of one lab, each with numbers of its own.
// The reference is to play the same 30 runs one after the other, which nobody can
// do without; "x-of-playing" is what marking takes beside it: less than 1 where
// there are several CPUs.
func BenchmarkGradeClass(b *testing.B) {
	const class = 30
	s := newSchool(b, false)
	var variants []*sheet.Variant
	for i := range class {
		name := fmt.Sprint("Pupil ", i)
		s.handIn(pupil{name: name}, nil)
		variants = append(variants, s.sheet.Variant(s.class, name))
	}
	var marking, playing time.Duration
	for b.Loop() {
		began := time.Now()
		for _, v := range variants {
			if _, err := s.play(context.Background(), v); err != nil {
				b.Fatal(err)
			}
		}
		playing += time.Since(began)
		began = time.Now()
		r := s.grade(s.options())
		marking += time.Since(began)
		if r.Faults() > 0 || len(r.Learners) != class || r.Learners[0].Points != 6 {
			b.Fatalf("%d faults, %d learners", r.Faults(), len(r.Learners))
		}
	}
	b.ReportMetric(marking.Seconds()/float64(b.N), "s/class")
	b.ReportMetric(marking.Seconds()/playing.Seconds(), "x-of-playing")
}

package sheet

import (
	"testing"

	"wirelab/internal/sim"
	"wirelab/labs"
	"wirelab/labs/image/imagetest"
	"wirelab/labs/measure"
)

// The worked example plays: what each run gives is what theory says, every text
// can be filled in, every view has something to show, and what is wrong is refused.
func TestExamplePlays(t *testing.T) {
	engine, err := labs.Open(t.Context(), imagetest.Guest(t), sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	s := example(t)
	names := []string{"", "Ana", "Bo", "Cleo"}
	if imagetest.Raced {
		names = names[:1]
	}
	for _, name := range names {
		v := s.Variant("", name)
		runs, err := v.Play(t.Context(), engine)
		if err != nil {
			t.Fatalf("%q, seed %d: %v", name, v.Seed, err)
		}
		for _, st := range s.Steps {
			checkStep(t, st, v, runs)
		}
		if _, err := v.TextOf(s.Explanation, "", runs); err != nil {
			t.Errorf("explanation: %v", err)
		}
		for _, w := range s.Views {
			checkView(t, w, v, runs)
		}
	}
}

func checkStep(t *testing.T, st *Step, v *Variant, runs measure.Runs) {
	texts := append([]Template{st.Ask, st.Solution}, st.Hints...)
	for _, text := range texts {
		if _, err := v.TextOf(text, st.Run, runs); err != nil {
			t.Errorf("%s: %v", st.Name, err)
		}
	}
	if st.Check != nil {
		if ok, err := st.Check.True(v.Scope(st.Run, runs)); err != nil || !ok {
			t.Errorf("%s: check = %v, %v", st.Name, ok, err)
		}
	}
	for i := range st.Blanks {
		b := &st.Blanks[i]
		e, err := st.Expected(i, v, runs)
		if err != nil {
			t.Errorf("%s: %v", st.Name, err)
			continue
		}
		if verdict, err := st.Judge(i, e.String(), v, runs); err != nil || !verdict.Right {
			t.Errorf("%s: Judge(%s) = %v, %v, want right", st.Name, e, verdict, err)
		}
		m, _, err := st.Measured(i, v, runs)
		if near, err2 := b.Spread.Within(m.Value, e.Value, v.Scope(st.Run, runs)); err != nil || err2 != nil || !near || m.Words != e.Words {
			t.Errorf("%s: measured %s, %v, want %s", st.Name, m, err, e)
		}
		for _, w := range b.Wrongs {
			value, err := b.value(w.Value, v.Scope(st.Run, runs))
			if err != nil {
				t.Errorf("%s: line %d: %v", st.Name, w.Line, err)
				continue
			}
			if verdict, err := st.Judge(i, value.String(), v, runs); err != nil || verdict.Right || verdict.Feedback == "" {
				t.Errorf("%s: Judge(%s) = %+v, %v, want wrong, with the reason of line %d", st.Name, value, verdict, err, w.Line)
			}
		}
	}
}

func checkView(t *testing.T, w *View, v *Variant, runs measure.Runs) {
	scope := v.Scope(w.Run, runs)
	if _, err := v.TextOf(w.Caption, w.Run, runs); err != nil {
		t.Errorf("view %s: %v", w.Name, err)
	}
	if w.Packet != nil {
		if _, err := w.Packet.Packet(scope); err != nil {
			t.Errorf("view %s: %v", w.Name, err)
		}
	}
	for _, c := range w.Columns {
		if cells, err := c.Cells.List(scope); err != nil || len(cells) == 0 {
			t.Errorf("view %s, column %s: %v, %v", w.Name, c.Head, cells, err)
		}
	}
	for _, b := range w.Bars {
		if _, err := b.Value.Number(scope); err != nil {
			t.Errorf("view %s: %v", w.Name, err)
		}
	}
}

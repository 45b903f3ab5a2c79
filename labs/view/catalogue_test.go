package view

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wirelab/internal/cells"
	"wirelab/internal/sim"
	"wirelab/internal/style"
	"wirelab/labs"
	"wirelab/labs/image/imagetest"
	"wirelab/labs/sheet"
)

// Every view of the course can be drawn of a learner's own run: in 80 columns, in
// 200, and as sound markup.
func TestViewsOfTheCatalogue(t *testing.T) {
	if imagetest.Raced {
		t.Skip("the race detector makes virtual time slow, and there is one goroutine")
	}
	files, err := filepath.Glob("../catalogue/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	engine, err := labs.Open(context.Background(), imagetest.Guest(t), sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := sheet.Parse(name, b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s.Kind != sheet.Observe {
			continue
		}
		t.Run(name, func(t *testing.T) {
			variant := s.Variant("", "ana")
			runs, err := variant.Play(t.Context(), engine)
			if err != nil {
				t.Fatal(err)
			}
			list, err := All(variant, runs)
			if err != nil {
				t.Error(err)
			}
			for _, p := range list {
				checkPicture(t, p)
			}
		})
	}
}

// checkPicture draws p in all ways.
func checkPicture(t *testing.T, p *Picture) {
	t.Helper()
	for _, width := range []int{80, 200} {
		text := p.Text(width, 22, colourless())
		for line := range strings.SplitSeq(text, "\n") {
			if cells.Width(line) > width || style.Visible(line) != line {
				t.Errorf("view %s in %d columns: %q", p.Name, width, line)
			}
		}
		if strings.TrimSpace(text) == "" {
			t.Errorf("view %s in %d columns is empty", p.Name, width)
		}
	}
	var b bytes.Buffer
	if err := p.Figure(&b, "view-"+p.Name); err != nil {
		t.Errorf("view %s: %v", p.Name, err)
	}
	if err := wellFormed(b.Bytes()); err != nil {
		t.Errorf("view %s: %v", p.Name, err)
	}
}

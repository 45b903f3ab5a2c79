package sheet

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"wirelab/internal/sim"
	"wirelab/labs"
	"wirelab/labs/image/imagetest"
	"wirelab/labs/measure"
)

func authoring(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../AUTHORING.md")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

// The lab that AUTHORING.md walks through is sound.
func TestAuthoringsLab(t *testing.T) {
	_, rest, ok := strings.Cut(authoring(t), "```\n")
	text, _, ok2 := strings.Cut(rest, "```\n")
	if !ok || !ok2 {
		t.Fatal("AUTHORING.md has no lab between ``` lines")
	}
	s, err := Parse("closed-door", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	engine, err := labs.Open(t.Context(), imagetest.Guest(t), sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	v := s.Variant("", "Ana")
	runs, err := v.Play(t.Context(), engine)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range s.Steps {
		checkStep(t, st, v, runs)
	}
	for _, w := range s.Views {
		checkView(t, w, v, runs)
	}
	if _, err := v.TextOf(s.Explanation, "", runs); err != nil {
		t.Error(err)
	}
}

// AUTHORING.md names everything that a sheet may use.
func TestAuthoringIsWhole(t *testing.T) {
	text := authoring(t)
	has := func(what, word string) {
		if !strings.Contains(text, word) {
			t.Errorf("AUTHORING.md does not name the %s %s", what, word)
		}
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[measure.Packet](), reflect.TypeFor[measure.Event](), reflect.TypeFor[measure.State](), reflect.TypeFor[measure.Totals]()} {
		for i := range typ.NumField() {
			if tag := typ.Field(i).Tag.Get("expr"); tag != "" && tag != "-" {
				if !strings.Contains(text, "`."+tag+"[") {
					has("field", "`."+tag+"`")
				}
			}
		}
	}
	for _, name := range (measure.Names{}).All() {
		has("name", "`"+name)
	}
	for _, kind := range []StepKind{Predict, Question, Choice, Fill} {
		for _, key := range keysOf(kind) {
			has("key", "`"+key+":")
		}
	}
	for _, kind := range []ViewKind{Ladder, Plot, Table, Bars, Layers, Hex} {
		has("view", "`"+string(kind)+"`")
		for _, key := range viewKeys(kind) {
			has("key", "`"+key+":")
		}
	}
	for _, theme := range Themes() {
		has("theme", string(theme))
	}
	for _, kind := range []Kind{Observe, Build} {
		for _, f := range forms(kind) {
			has("section", "`"+f.name)
		}
	}
}

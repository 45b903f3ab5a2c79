package missed

import (
	"fmt"
	"testing"
)

func TestAllows(t *testing.T) {
	for _, c := range []struct {
		mark *Mark
		want string // which of the viewers 1, 2, 3
	}{
		{nil, "123"},
		{&Mark{}, "123"},
		{&Mark{Only: []uint64{}}, ""},
		{&Mark{Only: []uint64{2}}, "2"},
		{&Mark{Only: []uint64{1, 3}}, "13"},
		{&Mark{Except: []uint64{2}}, "13"},
		{&Mark{Except: []uint64{1, 2}}, "3"},
		{&Mark{Only: []uint64{1, 2}, Except: []uint64{2, 3}}, "1"},
	} {
		got, kept := "", ""
		for viewer := uint64(1); viewer <= 3; viewer++ {
			if c.mark.Allows(viewer) {
				got += fmt.Sprint(viewer)
			}
			if c.mark == nil {
				continue
			}
			if m := NewMarked(9, *c.mark); m.Allows(viewer) {
				kept += fmt.Sprint(viewer)
			}
		}
		if got != c.want || c.mark != nil && kept != c.want {
			t.Errorf("%+v allows %q, as a Marked %q, want %q", c.mark, got, kept, c.want)
		}
	}
}

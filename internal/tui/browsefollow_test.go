package tui

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"wirelab/packets"
)

// shuffled is a conversation of which the segments of each side overlap, come
// twice and out of order. The sides take turns: what was said is well ordered.
func shuffled(r *rand.Rand, separator string) (all [][]byte) {
	all = append(all, segment(ana, bo, 99, 0, packets.SYN, ""), segment(bo, ana, 499, 100, packets.SYN|packets.ACK, ""), segment(ana, bo, 100, 500, packets.ACK, ""))
	next := [2]uint32{100, 500}
	for turn := range 12 {
		from, to, dir := ana, bo, turn%2
		if dir == 1 {
			from, to = bo, ana
		}
		var text strings.Builder
		for i := range 1 + r.IntN(5) {
			fmt.Fprintf(&text, "turn %d says %d%s", turn, r.IntN(1000)+i, separator)
		}
		s := text.String()
		var cut [][]byte
		for at := 0; at < len(s); {
			end := min(at+1+r.IntN(12), len(s))
			cut = append(cut, segment(from, to, next[dir]+uint32(at), next[1-dir], packets.ACK, s[at:end]))
			if back := r.IntN(6); back > 0 && at >= back && r.IntN(3) == 0 { // it overlaps what came before
				cut = append(cut, segment(from, to, next[dir]+uint32(at-back), next[1-dir], packets.ACK, s[at-back:end]))
			}
			at = end
		}
		r.Shuffle(len(cut), func(i, j int) { cut[i], cut[j] = cut[j], cut[i] })
		all = append(all, cut...)
		next[dir] += uint32(len(s))
		all = append(all, segment(to, from, next[1-dir], next[dir], packets.ACK, ""))
	}
	return all
}

// What follow shows of each side is what tshark puts together of it.
func TestBrowseFollowsAsTshark(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("WIRELAB_TEST_TOOLS") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	for seed := range uint64(6) {
		separator := "\n" // lines are a framing of their own
		if seed%2 == 1 {
			separator = "\x01;"
		}
		path := inFile(t, recorded(t, "", shuffled(rand.New(rand.NewPCG(seed, 1)), separator)...))
		out, err := exec.Command(tshark, "-r", path, "-q", "-z", "follow,tcp,raw,0").Output()
		if err != nil {
			t.Fatal(err)
		}
		var want, got [2]string
		for l := range strings.Lines(string(out)) {
			dir := 0
			if strings.HasPrefix(l, "\t") {
				dir = 1
			}
			var b []byte
			if _, err := fmt.Sscanf(strings.TrimSpace(l), "%x", &b); err == nil && !strings.ContainsAny(l, ":=") {
				want[dir] += string(b)
			}
		}
		b := browsed(t, indexed(t, path), 200, 50)
		b.keys("f")
		if b.model().paper == nil {
			t.Fatalf("follow shows nothing:\n%s", b.m.View())
		}
		for _, l := range b.model().paper.lines[2:] {
			for dir, sign := range []string{"→ ", "← "} {
				if _, text, ok := strings.Cut(l, sign); ok {
					got[dir] += text
				}
			}
		}
		for dir := range want {
			// Both without line ends and control characters, which the view shows its own way.
			w, g := bare(want[dir]), bare(got[dir])
			if w == "" || w != g {
				t.Errorf("seed %d, direction %d:\ntshark %q\nfollow %q", seed, dir, w, g)
			}
		}
	}
}

// bare keeps small letters and digits.
func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

package tui

// A pane shows the end of a growing list of blocks, and lets the reader scroll
// back. What is scrolled to stays in place while the list grows. Blocks are
// rendered when they come into view, and kept so until the width changes.
type pane struct {
	width, height int
	max           int // blocks kept; the oldest go first

	blocks  []*block
	dropped int // blocks that went
	below   int // lines hidden below the view; 0: the pane follows the end
	chosen  *block
}

// A block is some lines that belong together.
type block struct {
	make  func(width int) []string // renders lines of at most width cells
	lines []string
	width int
}

func (b *block) at(width int) []string {
	if b.lines == nil || b.width != width {
		b.lines, b.width = b.make(width), width
	}
	return b.lines
}

// stale makes a block be rendered anew.
func (b *block) stale() { b.lines = nil }

// gutter is the cell in front of each line that shows what is chosen.
const gutter = 1

func (p *pane) inner() int { return max(p.width-gutter, 1) }

// add puts a block at the end.
func (p *pane) add(b *block) {
	p.blocks = append(p.blocks, b)
	if p.below > 0 {
		p.below += len(b.at(p.inner()))
	}
	if p.max > 0 && len(p.blocks) > p.max+p.max/4 {
		// In one go, so that not every block moves the others.
		n := len(p.blocks) - p.max
		p.dropped += n
		p.blocks = append([]*block(nil), p.blocks[n:]...)
		p.clamp()
	}
}

// change renders b anew after do, and keeps what is in view where it is.
func (p *pane) change(b *block, do func()) {
	before := 0
	if p.below > 0 {
		before = len(b.at(p.inner()))
	}
	do()
	b.stale()
	if p.below > 0 && p.lowerThanView(b) {
		p.below = max(p.below+len(b.at(p.inner()))-before, 1)
	}
}

// lowerThanView reports whether b is below the lowest line in view.
func (p *pane) lowerThanView(b *block) bool {
	lines := 0
	for i := len(p.blocks) - 1; i >= 0 && lines < p.below; i-- {
		if p.blocks[i] == b {
			return true
		}
		lines += len(p.blocks[i].at(p.inner()))
	}
	return false
}

// remove takes b out.
func (p *pane) remove(b *block) {
	for i := len(p.blocks) - 1; i >= 0; i-- {
		if p.blocks[i] != b {
			continue
		}
		if p.below > 0 && p.lowerThanView(b) {
			p.below = max(p.below-len(b.at(p.inner())), 1)
		}
		p.blocks = append(p.blocks[:i], p.blocks[i+1:]...)
		break
	}
	if p.chosen == b {
		p.chosen = nil
	}
}

// resize sets the size. What was at the bottom of the view stays there.
func (p *pane) resize(width, height int) {
	if width == p.width && height == p.height {
		return
	}
	var anchor *block
	if p.below > 0 {
		lines := 0
		for i := len(p.blocks) - 1; i >= 0; i-- {
			if lines += len(p.blocks[i].at(p.inner())); lines > p.below {
				anchor = p.blocks[i]
				break
			}
		}
	}
	p.width, p.height = width, height
	if anchor != nil {
		p.below = 0
		for i := len(p.blocks) - 1; i >= 0 && p.blocks[i] != anchor; i-- {
			p.below += len(p.blocks[i].at(p.inner()))
		}
	}
	p.clamp()
}

// scroll moves the view by lines, up if positive.
func (p *pane) scroll(lines int) {
	p.below = max(p.below+lines, 0)
	p.clamp()
}

func (p *pane) top()    { p.scroll(1 << 30) }
func (p *pane) bottom() { p.below = 0 }

// clamp keeps the view inside of what there is.
func (p *pane) clamp() {
	if p.below == 0 {
		return
	}
	want, lines := p.below+p.height, 0
	for i := len(p.blocks) - 1; i >= 0; i-- {
		if lines += len(p.blocks[i].at(p.inner())); lines >= want {
			return
		}
	}
	p.below = max(lines-p.height, 0)
}

// choose chooses the block that is by away from the chosen one, down if
// positive, among those that ok accepts, and scrolls to it. From nothing it
// goes to the newest.
func (p *pane) choose(by int, ok func(*block) bool) *block {
	at := len(p.blocks)
	for i, b := range p.blocks {
		if b == p.chosen {
			at = i
		}
	}
	for i := at + by; i >= 0 && i < len(p.blocks); i += by {
		if ok(p.blocks[i]) {
			p.reveal(p.blocks[i])
			return p.chosen
		}
	}
	return p.chosen
}

// reveal chooses b and scrolls so that it is in view.
func (p *pane) reveal(b *block) {
	p.chosen = b
	below := 0
	for i := len(p.blocks) - 1; i >= 0 && p.blocks[i] != b; i-- {
		below += len(p.blocks[i].at(p.inner()))
	}
	high := len(b.at(p.inner()))
	switch {
	case below < p.below:
		p.below = below
	case below+high > p.below+p.height:
		// Its first line, if it is higher than the view.
		p.below = below + high - p.height
	}
	p.clamp()
}

// view returns height lines, each of at most width cells, the newest last.
func (p *pane) view(mark string) []string {
	out := make([]string, p.height)
	row, skip := p.height-1, p.below
	for i := len(p.blocks) - 1; i >= 0 && row >= 0; i-- {
		b := p.blocks[i]
		lines := b.at(p.inner())
		if skip >= len(lines) {
			skip -= len(lines)
			continue
		}
		for j := len(lines) - 1 - skip; j >= 0 && row >= 0; j-- {
			lead := " "
			if b == p.chosen && lines[j] != "" {
				lead = mark
			}
			out[row] = lead + lines[j]
			row--
		}
		skip = 0
	}
	// A list that is shorter than the view begins at its top.
	if row >= 0 {
		out = append(out[row+1:], make([]string, row+1)...)
	}
	return out
}

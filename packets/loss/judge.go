package loss

import (
	"maps"
	"slices"

	"wirelab/packets"
	"wirelab/packets/tcp"
)

const (
	// maxLost is how many lost stretches of one direction are followed.
	maxLost = 64
	// maxExamples is how many of each finding are kept.
	maxExamples = 8
	// maxTruths is how many flows and directions are followed at a time.
	maxTruths = 200_000
)

// A Finding is a way in which a flag and the truth differ.
type Finding uint8

// The findings. "Here" is the place whose flag it is.
const (
	NoFinding     Finding = iota
	SentAgain             // out_of_order where it left: nothing is reordered there
	ArrivedAgain          // out_of_order where it arrived: it was sent again
	NeverAgain            // retransmission where it arrived: sent once, and overtaken on the way
	CopyNotAgain          // retransmission, out_of_order or duplicate_ack: the net made a copy
	Needless              // retransmission: all of it had arrived before
	LateNotLost           // lost_segment where it arrived: overtaken, and it came later
	NothingLost           // lost_segment where it left, or where everything arrived: the capture missed it
	SilentLoss            // data was lost, and sent again under no flag
	SilentReorder         // data was lost, and sent again under out_of_order only
	NeverResent           // data was lost, and not sent again
	SilentAck             // a segment without data was lost: no flag can show it
	LostNeedless          // data was lost that had arrived before
	findings
)

// String returns a name in snake case, as JSON has it.
func (f Finding) String() string {
	return [...]string{"", "sent_again_not_out_of_order", "arrived_again_not_out_of_order", "overtaken_not_retransmission",
		"copy_not_retransmission", "needless_retransmission", "late_not_lost", "nothing_lost",
		"loss_without_flag", "loss_as_out_of_order", "loss_never_resent", "loss_without_data", "loss_of_what_had_arrived"}[f]
}

// Words says in a sentence what a finding means.
func (f Finding) Words() string {
	return [...]string{"",
		"flagged out_of_order where it left, but nothing is reordered there: it was sent again",
		"flagged out_of_order where it arrived, but it was sent again: the first did not arrive in order or at all",
		"flagged retransmission where it arrived, but it was sent once: later ones overtook it",
		"flagged as if sent again, but the net made a copy",
		"flagged retransmission, rightly, but nothing was lost: what it carries had arrived",
		"flagged lost_segment, but what was missing was only late",
		"flagged lost_segment, but no packet was lost: the capture did not see it",
		"data lost, and no flag shows it: what was sent again has none",
		"data lost, and the only flag of what was sent again is out_of_order",
		"data lost and never sent again, so no flag can show it",
		"a segment without data lost: it is not sent again, so no flag shows it",
		"data lost that had arrived before: it was sent again needlessly, and is not missed",
	}[f]
}

// A Verdict is a finding about one packet.
type Verdict struct {
	Finding Finding
	Here    Role      // Left or Arrived: whose flag it is; of a loss, Left
	Number  int       // of the packet in the capture of that place
	Flags   tcp.Flags // that it has there
	Other   int       // with SilentLoss and SilentReorder: the packet that was sent again
}

// A Judge holds the flags of passages, in the order of sending, against what
// became of them. It is not safe for concurrent use.
type Judge struct {
	// Say is called with each finding; p is the passage that it is about.
	Say func(p *Passage, v Verdict)

	Counts    [findings]int64
	Examples  [findings][]Verdict // the first of each
	Shown     int64               // losses of data that a flag retransmission shows
	Lost      int64               // losses of data in all
	Forgotten int64               // losses that were too many to follow

	truths map[uint64]*truth
}

// A truth is what is known of one direction of a flow.
type truth struct {
	begun   bool
	max     uint32 // after the highest that was sent
	lost    []gap
	missing bool // data was lost since the last lost_segment where it arrives
	latest  int64
}

// A gap is data that was sent and did not arrive usably.
type gap struct {
	from, to uint32
	passage  Passage // that lost it
}

// Add judges a passage. Only TCP has flags.
func (j *Judge) Add(p *Passage) {
	if !p.TCP || p.SentNumber == 0 || p.Fate == OneEnd || p.Fate == Early {
		return
	}
	t := j.truth(p)
	from, size := p.Seq, uint32(p.Len)
	if p.Control&(packets.SYN|packets.FIN) != 0 {
		size++
	}
	if p.Control&packets.SYN != 0 && p.Control&packets.ACK == 0 && t.begun && p.Seq != t.max-1 && p.Flags.Has(tcp.ReusedPorts) {
		j.finish(t)
		*t = truth{}
	}
	probe := p.Flags&(tcp.KeepAlive|tcp.ZeroWindowProbe) != 0
	gone := p.Fate == Lost || p.Fate == Came && !p.Usable()
	if size == 0 || probe {
		if gone && p.Fate == Lost && !probe {
			j.say(p, Verdict{Finding: SilentAck, Here: Left, Number: p.SentNumber, Flags: p.Flags})
		}
		j.copies(p)
		return
	}
	to := from + size
	again := t.begun && int32(from-t.max) < 0
	needed := false
	if again {
		needed = j.again(t, p, from, to, gone)
	}
	if gone && again && !needed {
		j.say(p, Verdict{Finding: LostNeedless, Here: Left, Number: p.SentNumber, Flags: p.Flags})
	} else if gone {
		j.Lost++
		t.missing = true
		if len(t.lost) == maxLost {
			j.Forgotten++
			t.lost = append(t.lost[:0], t.lost[1:]...)
		}
		t.lost = append(t.lost, gap{from, to, *p})
	}
	j.left(p, again, needed)
	j.arrived(t, p, again)
	j.copies(p)
	if !t.begun || int32(to-t.max) > 0 {
		t.begun, t.max = true, to
	}
	if p.Fate == Came {
		t.latest = max(t.latest, p.Arrived.UnixNano())
	}
}

// again notes that from to to is sent once more, and reports whether any of it
// had not arrived.
func (j *Judge) again(t *truth, p *Passage, from, to uint32, gone bool) (needed bool) {
	kept := t.lost[:0]
	for _, g := range t.lost {
		if int32(g.to-from) <= 0 || int32(to-g.from) <= 0 {
			kept = append(kept, g)
			continue
		}
		needed = true
		if gone && g.passage.SentNumber != p.SentNumber { // lost again: what shows the first is this
			j.shown(&g, p)
			continue
		}
		j.shown(&g, p)
		if int32(from-g.from) > 0 {
			kept = append(kept, gap{g.from, from, Passage{}})
		}
		if int32(g.to-to) > 0 {
			kept = append(kept, gap{to, g.to, Passage{}})
		}
	}
	t.lost = kept
	return needed
}

// shown says how the loss g shows in the flags of p, which carries it again.
func (j *Judge) shown(g *gap, p *Passage) {
	if g.passage.SentNumber == 0 {
		return // the rest of one that was counted
	}
	v := Verdict{Here: Left, Number: g.passage.SentNumber, Flags: g.passage.Flags, Other: p.SentNumber}
	switch {
	case p.Flags.Has(tcp.Retransmission):
		j.Shown++
		return
	case p.Flags.Has(tcp.OutOfOrder):
		v.Finding = SilentReorder
	default:
		v.Finding = SilentLoss
	}
	j.say(&g.passage, v)
}

// left judges the flags where p left.
func (j *Judge) left(p *Passage, again, needed bool) {
	v := Verdict{Here: Left, Number: p.SentNumber, Flags: p.Flags}
	switch {
	case p.Flags.Has(tcp.OutOfOrder):
		v.Finding = SentAgain
	case p.Flags.Has(tcp.Retransmission) && again && !needed:
		v.Finding = Needless
	case p.Flags.Has(tcp.LostSegment):
		v.Finding = NothingLost
	default:
		return
	}
	j.say(p, v)
}

// arrived judges the flags where p arrived.
func (j *Judge) arrived(t *truth, p *Passage, again bool) {
	if p.ReceivedNumber == 0 {
		return
	}
	v := Verdict{Here: Arrived, Number: p.ReceivedNumber, Flags: p.ArrivedFlags}
	switch {
	case p.ArrivedFlags.Has(tcp.OutOfOrder) && again:
		v.Finding = ArrivedAgain
	case p.ArrivedFlags.Has(tcp.Retransmission) && !again:
		v.Finding = NeverAgain
	case p.ArrivedFlags.Has(tcp.LostSegment):
		switch {
		case t.missing:
			t.missing = false // rightly
		case t.latest > p.Arrived.UnixNano():
			v.Finding = LateNotLost
		default:
			v.Finding = NothingLost
		}
	}
	if v.Finding != NoFinding {
		j.say(p, v)
	}
}

// copies judges the flags of a copy that the net made.
func (j *Judge) copies(p *Passage) {
	if p.Copies > 0 && p.CopyFlags&(tcp.Retransmission|tcp.OutOfOrder|tcp.DuplicateAck) != 0 {
		j.say(p, Verdict{Finding: CopyNotAgain, Here: Arrived, Number: p.CopyNumber, Flags: p.CopyFlags})
	}
}

func (j *Judge) say(p *Passage, v Verdict) {
	if j.Counts[v.Finding]++; len(j.Examples[v.Finding]) < maxExamples {
		j.Examples[v.Finding] = append(j.Examples[v.Finding], v)
	}
	if j.Say != nil {
		j.Say(p, v)
	}
}

func (j *Judge) truth(p *Passage) *truth {
	key := uint64(p.SentFlow)<<16 | uint64(p.Link)<<1 | uint64(p.Dir)
	t := j.truths[key]
	if t == nil {
		if j.truths == nil || len(j.truths) == maxTruths {
			j.Flush()
			j.truths = map[uint64]*truth{}
		}
		t = &truth{}
		j.truths[key] = t
	}
	return t
}

// Flush says what of all that was lost was never sent again.
func (j *Judge) Flush() {
	for _, k := range slices.Sorted(maps.Keys(j.truths)) {
		j.finish(j.truths[k])
	}
	j.truths = nil
}

func (j *Judge) finish(t *truth) {
	for i := range t.lost {
		if p := &t.lost[i].passage; p.SentNumber != 0 {
			j.say(p, Verdict{Finding: NeverResent, Here: Left, Number: p.SentNumber, Flags: p.Flags})
		}
	}
	t.lost = nil
}

package ladder

import (
	"fmt"
	"slices"

	"wirelab/packets"
	"wirelab/packets/framing"
	"wirelab/packets/tcp"
)

// maxNotes is how many messages are told of one packet.
const maxNotes = 8

// A teller finds what is told of packets beside their headers: the flags of the
// TCP analysis, for each point by itself, and the messages that they completed.
type teller struct {
	points   [4]tcp.Conversation
	tracker  framing.Tracker
	all      []packets.Interface
	messages map[int][]string // by the number of the packet
}

func newTeller() *teller {
	t := &teller{messages: map[int][]string{}}
	t.tracker.Interfaces = func() []packets.Interface { return t.all }
	return t
}

// flags returns what tshark would say of a segment that was seen at a point.
func (t *teller) flags(p *packets.Packet, h *packets.Headers, way int, at point) tcp.Result {
	return t.points[at].Add(way, &tcp.Segment{Time: p.Time.UnixNano(), Seq: h.Seq, Ack: h.Ack, Len: h.PayloadLen,
		Window: h.Window, Control: h.Control, Scale: h.Options.Scale})
}

// read finds the messages that p completes.
func (t *teller) read(p *packets.Packet, h *packets.Headers, all []packets.Interface) {
	t.all = all
	for _, m := range t.tracker.Add(p, h) {
		t.tell(&m)
	}
}

func (t *teller) tell(m *framing.Message) {
	if m.Framing == "" || m.Framing == "none" || m.Framing == "auto" {
		return
	}
	text := m.Summary
	if text == "" {
		text = m.Kind
	}
	if m.Err != "" {
		text += " (" + m.Err + ")"
	}
	if n := m.Segments(); n > 1 {
		text += fmt.Sprintf(" (in %d segments)", n)
	}
	if m.Waited > 0 {
		text += ", waited " + short(m.Waited)
	}
	t.messages[m.Number] = append(t.messages[m.Number], text)
}

// end gives f the messages that its packets completed.
func (t *teller) end(f *flight) {
	for _, n := range f.Packets {
		all := t.messages[n]
		for i, s := range all {
			if i == maxNotes && len(all) > maxNotes+1 {
				f.Notes = append(f.Notes, fmt.Sprintf("and %d more", len(all)-i))
				break
			}
			f.Notes = append(f.Notes, s)
		}
	}
}

// quiet are flags of what is usual.
var quiet = [...]string{tcp.WindowUpdate.String(), tcp.DuplicateAck.String(), tcp.KeepAlive.String(), tcp.KeepAliveAck.String()}

// usual reports whether all flags are.
func usual(flags []string) bool {
	for _, f := range flags {
		if !slices.Contains(quiet[:], f) {
			return false
		}
	}
	return true
}

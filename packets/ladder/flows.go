package ladder

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"wirelab/packets"
	"wirelab/packets/flow"
)

// maxFlows is how many conversations are told apart; packets of further ones
// are counted only.
const maxFlows = 100_000

// maxPlaces is how many numbers a conversation has besides its first.
const maxPlaces = 16

// A Flow is a conversation of a capture, as a list to choose from shows it.
type Flow struct {
	Number  int // as packets flows numbers it where it was seen first
	Key     Key
	Packets int // as they left; at one point of the capture only
	Bytes   int // of payload
	Lost    int // packets that the capture says were lost
	Resent  int // segments with bytes that had left before

	also    []int     // its numbers at other places
	next    [2]uint32 // the sequence number after the highest, by way
	started [2]bool
}

// Is reports whether n is a number of f, at any place where it was seen.
func (f *Flow) Is(n int) bool { return n == f.Number || slices.Contains(f.also, n) }

// A Key names a conversation: what A sends to B and B to A.
type Key struct {
	Protocol uint8
	A, B     netip.AddrPort // A spoke first
}

// String returns "TCP 192.0.2.2:5000 → 192.0.2.1:9000".
func (k Key) String() string {
	return fmt.Sprintf("%s %s → %s", protocol(k.Protocol), k.A, k.B)
}

func protocol(p uint8) string {
	if p == packets.ProtocolUDP {
		return "UDP"
	}
	return "TCP"
}

// keyOf returns the conversation of h from the sender's view.
func keyOf(h *packets.Headers) (Key, bool) {
	if !h.TCP && !h.UDP {
		return Key{}, false
	}
	return Key{h.Protocol, netip.AddrPortFrom(h.Src, h.SrcPort), netip.AddrPortFrom(h.Dst, h.DstPort)}, true
}

// way reports which way a packet of key p goes in conversation k: 0 from A to
// B, 1 back, −1 neither.
func (k Key) way(p Key) int {
	switch p {
	case k:
		return 0
	case Key{k.Protocol, k.B, k.A}:
		return 1
	}
	return -1
}

// Flows reads a capture to its end and returns its conversations, and how many
// packets belong to those beyond the limit. An error of the capture's end comes
// with what was read before.
func Flows(r *packets.Reader) (flows []Flow, more int, err error) {
	index := map[Key]int{}
	var p packets.Packet
	var h packets.Headers
	var points points
	numbers := flow.NewTracker(flow.Config{})
	for {
		if err := r.Read(&p); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return flows, more, err
		}
		h.Decode(&p)
		key, ok := keyOf(&h)
		seen, _, _ := numbers.Add(&p, &h)
		if !ok || seen == nil {
			continue
		}
		way := 0
		i, known := index[key]
		if !known {
			if i, known = index[Key{key.Protocol, key.B, key.A}]; known {
				way = 1
			}
		}
		if !known {
			if len(flows) == maxFlows {
				more++
				continue
			}
			if h.TCP && h.Control&packets.SYN != 0 && h.Control&packets.ACK != 0 { // its request was not seen
				key, way = Key{key.Protocol, key.B, key.A}, 1
			}
			i = len(flows)
			index[key] = i
			flows = append(flows, Flow{Number: seen.Number, Key: key})
		}
		if f := &flows[i]; !f.Is(seen.Number) && len(f.also) < maxPlaces {
			f.also = append(f.also, seen.Number)
		}
		at := points.of(r.Interfaces(), p.Interface)
		flows[i].count(&p, &h, way, at)
	}
}

// count adds a packet that was seen at a point.
func (f *Flow) count(p *packets.Packet, h *packets.Headers, way int, at point) {
	if strings.HasPrefix(p.Comment, "lost") {
		f.Lost++
	}
	if at == link || at != single && p.Direction == packets.In {
		return // it was counted where it left
	}
	f.Packets++
	f.Bytes += h.PayloadLen
	if !h.TCP || h.PayloadLen == 0 {
		return
	}
	end := h.Seq + uint32(h.PayloadLen)
	if f.started[way] && int32(end-f.next[way]) <= 0 {
		f.Resent++
		return
	}
	f.started[way], f.next[way] = true, end
}

// Best returns the place in flows of the one with most to see: losses first,
// then segments sent again, then bytes.
func Best(flows []Flow) int {
	order := make([]int, len(flows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := &flows[a], &flows[b]
		return cmp.Or(cmp.Compare(y.Lost, x.Lost), cmp.Compare(y.Resent, x.Resent), cmp.Compare(y.Bytes, x.Bytes), cmp.Compare(y.Packets, x.Packets))
	})
	return order[0]
}

// A point is where packets were seen.
type point uint8

const (
	single point = iota // the only one
	near                // the host of the left lifeline
	link
	far // the server
)

// points knows the interfaces of a capture. One of a lab or a link has three for
// each recorded link: the host's, "link" and "server".
type points struct{ known []point }

// of returns the point of interface i.
func (p *points) of(all []packets.Interface, i int) point {
	if len(p.known) != len(all) {
		p.known = make([]point, len(all))
		for k := range all {
			isLink := all[k].Name == "link" || strings.HasPrefix(all[k].Name, "link ")
			if isLink && k > 0 && k+1 < len(all) {
				p.known[k-1], p.known[k], p.known[k+1] = near, link, far
			}
		}
	}
	if i < 0 || i >= len(p.known) {
		return single
	}
	return p.known[i]
}

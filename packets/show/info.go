package show

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"wirelab/internal/style"
	"wirelab/packets"
	"wirelab/packets/layer"
)

func itoa(n int) string { return strconv.Itoa(n) }

func hardware(a [6]byte) string { return net.HardwareAddr(a[:]).String() }

// tell sets the protocol, the info and, where the link alone knows them, the
// addresses.
func (e *Entry) tell(p *packets.Packet, h *packets.Headers) {
	if e.Segment != nil && (h.PayloadLen == 0 || len(h.Payload) == 0) {
		e.Protocol = "TCP"
		e.Info = e.segmentInfo(false)
		return
	}
	var layers []layer.Layer
	if h.TCP || h.UDP {
		layers = layer.Payload(p, h, &e.Context)
		if len(layers) == 0 || layers[0].Abbrev == "data" {
			layers = []layer.Layer{{Name: "UDP", Abbrev: "udp"}}
			if h.TCP {
				layers[0] = layer.Layer{Name: "TCP", Abbrev: "tcp"}
			}
		}
	} else {
		layers = layer.Tree(p, h, &e.Context)
	}
	inner, said := innermost(layers)
	if inner == nil {
		e.Protocol, e.Info = "?", "no bytes"
		return
	}
	e.Protocol = protocolName(inner)
	switch {
	case e.Segment != nil && inner.Abbrev != "tcp" && inner.Abbrev != "data":
		e.Info = said + " · " + e.segmentInfo(true)
	case e.Segment != nil:
		e.Protocol = "TCP"
		e.Info = e.segmentInfo(false)
	case inner.Abbrev == "udp" || inner.Abbrev == "data" && h.UDP:
		e.Protocol = "UDP"
		e.Info = fmt.Sprintf("%d → %d len %d", h.SrcPort, h.DstPort, h.PayloadLen)
	case h.UDP:
		e.Info = fmt.Sprintf("%s · %d → %d", said, h.SrcPort, h.DstPort)
	default:
		e.Info = said
	}
	if e.Problem != "" {
		e.Info = e.Problem + ": " + e.Info
	}
	if h.IsFragment() {
		e.Info = fmt.Sprintf("fragment of %#x, from byte %d · %s", h.ID, h.Fragment, e.Info)
	}
}

// innermost returns the layer that names a packet, and what it and its
// neighbours of the same protocol say.
func innermost(layers []layer.Layer) (inner *layer.Layer, said string) {
	for i := range layers {
		l := &layers[i]
		switch {
		case l.Abbrev == "trailer":
		case inner != nil && l.Abbrev == "data" && inner.Abbrev != "vlan" && inner.Abbrev != "eth":
		case inner != nil && l.Abbrev == inner.Abbrev && l.Abbrev != "vlan":
			said += " · " + l.Summary
		default:
			inner, said = l, l.Summary
		}
		if l.Abbrev == "quote" {
			said = layers[max(i-1, 0)].Summary + ", " + l.Summary
			inner = &layers[max(i-1, 0)]
		}
	}
	return inner, said
}

// protocolName is the name of a layer as the list shows it.
func protocolName(l *layer.Layer) string {
	switch l.Abbrev {
	case "chat":
		return "chat"
	case "ws":
		return "WS"
	case "http":
		return "HTTP"
	case "dns-tcp":
		return "DNS"
	case "eth", "vlan":
		return "Ether"
	case "ip6-ext":
		return "IPv6"
	case "data":
		return "data"
	case "sll", "sll2":
		return "SLL"
	}
	return l.Name
}

// segmentInfo is a TCP segment in a line; what differs most comes first, because the
// end may be cut. short leaves the
// options out.
func (e *Entry) segmentInfo(short bool) string {
	s := e.Segment
	var b strings.Builder
	fmt.Fprintf(&b, "[%s] seq %d", layer.Control(s.Control), s.RelSeq)
	if s.Control&packets.ACK != 0 {
		fmt.Fprintf(&b, " ack %d", s.RelAck)
	}
	fmt.Fprintf(&b, " win %d len %d", s.Window, s.Len)
	ports := fmt.Sprintf(" · %d → %d", e.SrcPort, e.DstPort)
	if short {
		return b.String() + ports
	}
	o := &s.Options
	if o.MSS > 0 {
		fmt.Fprintf(&b, " mss %d", o.MSS)
	}
	if o.Scale >= 0 {
		fmt.Fprintf(&b, " ws %d", 1<<min(o.Scale, 14))
	}
	if o.SACKOK {
		b.WriteString(" sack ok")
	}
	base := uint32(0)
	if e.Context.Base != nil {
		base = e.Context.Base.Ack
	}
	for _, k := range o.SACK[:o.SACKs] {
		fmt.Fprintf(&b, " sack %d–%d", k[0]-base, k[1]-base)
	}
	if o.Problem != "" {
		b.WriteString(" (" + style.Visible(o.Problem) + ")")
	}
	return b.String() + ports
}

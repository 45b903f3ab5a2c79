package ladder

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"wirelab/packets"
)

// A direction is what one end has sent.
type direction struct {
	base  uint32 // relative numbers count from here
	based bool
	next  uint32 // after the highest sequence number
	sent  bool
	scale int8 // of the window; −1 is none
}

// describe says what h is, in the words of the picture. back is the other
// direction.
func (d *direction) describe(a *Arrow, h *packets.Headers, back *direction) {
	a.Bytes = h.PayloadLen
	if h.UDP {
		a.Kind, a.Label = Datagram, strconv.Itoa(h.PayloadLen)+" B"
		return
	}
	syn, fin := h.Control&packets.SYN != 0, h.Control&packets.FIN != 0
	if !d.based || syn && !d.sent {
		d.base, d.based = h.Seq, true
		if !syn {
			d.base--
		}
	}
	if h.Control&packets.ACK != 0 && !back.based {
		back.base, back.based = h.Ack-1, true
	}
	size := uint32(h.PayloadLen)
	end := h.Seq + size
	if syn || fin {
		end++
	}
	again := d.sent && end != h.Seq && int32(end-d.next) <= 0
	seq, ack := h.Seq-d.base, h.Ack-back.base
	var words []string
	kind := Ack
	if syn {
		words, kind = append(words, "SYN"), Handshake
	}
	if fin {
		words, kind = append(words, "FIN"), Fin
	}
	switch {
	case h.Control&packets.RST != 0:
		words, kind = append(words, "RST"), Rst
	case again:
		kind = Retransmission
	case size > 0 && kind == Ack:
		kind = Data
	}
	a.Kind = kind
	acks := h.Control&packets.ACK != 0
	switch {
	case size > 0:
		words = append(words, fmt.Sprintf("%d:%d(%d)", seq, seq+size, size))
	case syn && acks:
		words = append(words, fmt.Sprintf("%d ack %d", seq, ack))
	case len(words) > 0:
		words = append(words, strconv.FormatUint(uint64(seq), 10))
	case acks:
		words = append(words, fmt.Sprintf("ack %d", ack))
	default:
		words = append(words, "no flags")
	}
	a.Label = strings.Join(words, " ")
	a.Detail = d.detail(h, size > 0 || fin, acks, ack)
	if syn {
		d.scale = h.Options.Scale
	}
	for i := range h.Options.SACKs {
		s := h.Options.SACK[i]
		a.Detail += fmt.Sprintf(" sack %d:%d", s[0]-back.base, s[1]-back.base)
	}
	if !d.sent || int32(end-d.next) > 0 {
		d.next, d.sent = end, true
	}
}

// detail is what a wide picture has room for.
func (d *direction) detail(h *packets.Headers, showAck, acks bool, ack uint32) string {
	var words []string
	if showAck && acks {
		words = append(words, fmt.Sprintf("ack %d", ack))
	}
	window := int(h.Window)
	if h.Control&packets.SYN == 0 && d.scale > 0 {
		window <<= min(d.scale, 14)
	}
	words = append(words, fmt.Sprintf("win %d", window))
	if h.Options.MSS > 0 {
		words = append(words, fmt.Sprintf("mss %d", h.Options.MSS))
	}
	return strings.Join(words, " ")
}

// sample takes the state of a sender from a packet's comment, such as
// "cwnd=14600 ssthresh=∞ srtt=40ms rto=240ms".
func (b *Builder) sample(p *packets.Packet, way int, at point) {
	if !strings.Contains(p.Comment, "=") || len(b.marks) == maxArrows {
		return
	}
	s := Sample{Time: p.Time, At: way}
	if at == near {
		s.At = 0
	} else if at == far {
		s.At = 1
	}
	for word := range strings.FieldsSeq(p.Comment) {
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			continue
		}
		value = strings.TrimRight(value, ",;")
		switch name {
		case "cwnd":
			s.CWND = number(value)
		case "ssthresh":
			s.SSThresh = number(value)
		case "srtt":
			s.SRTT = length(value)
		case "rto":
			s.RTO = length(value)
		}
	}
	if s.CWND == 0 && s.SSThresh == 0 && s.SRTT == 0 && s.RTO == 0 {
		return
	}
	if n := len(b.marks); n > 0 {
		last := b.marks[n-1]
		last.Time = s.Time
		if last == s {
			return // nothing new
		}
	}
	b.marks = append(b.marks, s)
}

func number(s string) int {
	if s == "∞" || s == "inf" {
		return Infinite
	}
	n, err := strconv.ParseUint(s, 10, 62)
	if err != nil || n > math.MaxInt32*1024 {
		return 0
	}
	return int(n)
}

func length(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0
	}
	return d
}

package layer

import (
	"encoding/json"
	"fmt"
	"strings"

	"wirelab/internal/wire"
)

// chatFrames takes frames from the payload's first byte on, as long as they
// follow each other.
func (d *dissection) chatFrames() {
	end := d.end
	for d.at < end {
		b := d.b[d.at:end]
		// The first is taken at its word.
		if len(b) >= wire.LengthSize+8 && !looksChat(b) && len(d.layers) > 0 && d.layers[len(d.layers)-1].Abbrev == "chat" {
			d.data("no chat frame")
			return
		}
		size := len(b)
		if len(b) >= wire.LengthSize {
			size = min(wire.LengthSize+int(min(be(b[:wire.LengthSize]), wire.MaxEnvelope)), len(b))
		}
		d.end = d.at + size
		d.chatFrame()
		d.end = end
	}
}

// chatFrame takes the frame, or the first part of one, in [d.at, d.end).
func (d *dissection) chatFrame() {
	b := d.b[d.at:d.end]
	l := Layer{Name: "Chat frame", Abbrev: "chat", OSI: 7, TCPIP: Application}
	list := wire.DissectFrame(b)
	missing := wire.LengthSize - len(b)
	if len(b) >= wire.LengthSize {
		missing = wire.LengthSize - len(b) + int(be(b[:wire.LengthSize]))
		if n := be(b[:wire.LengthSize]); n > wire.MaxEnvelope {
			missing = 0
		}
	}
	if missing > 0 {
		// Not malformed: its other bytes are in the next segment.
		if last := &list[len(list)-1]; last.Name == wire.Malformed {
			last.Name = "beginning"
			last.Value = plural(last.Len, "byte") + " of what comes next"
			if last.Len == 0 {
				list = list[:len(list)-1]
			}
		}
		l.Name = "Chat frame (first part)"
		l.Summary = kindOf(b) + ": first "
		if len(b) < wire.LengthSize {
			l.Summary += plural(len(b), "byte")
		} else {
			l.Summary += fmt.Sprintf("%d of %d bytes", len(b), len(b)+missing)
		}
		d.chat(l, list, nil)
		return
	}
	d.chat(l, list, b[min(len(b), wire.LengthSize):])
}

// kindOf names the kind of a frame that is not all there, if that is known.
func kindOf(b []byte) string {
	if len(b) > wire.LengthSize+1 && wire.Kind(b[wire.LengthSize+1]).Valid() {
		return wire.Kind(b[wire.LengthSize+1]).String()
	}
	return "frame"
}

// chatPiece takes what a segment has of a frame.
func (d *dissection) chatPiece(s Span) {
	switch {
	case s.Before == 0:
		d.chatFrame()
	default:
		name, where := "Chat frame (last part)", "last"
		if s.After > 0 {
			name, where = "Chat frame (middle part)", "next"
		}
		f := d.begin()
		f.bytes("frame continued", s.Len)
		f.value("%s", text(d.b[f.begin:f.begin+s.Len]))
		f.note("bytes %d to %d of a frame of %d", s.Before, s.Before+s.Len-1, s.Before+s.Len+s.After)
		d.add(Layer{Name: name, Abbrev: "chat", OSI: 7, TCPIP: Application,
			Summary: fmt.Sprintf("frame: %s %d of %d bytes", where, s.Len, s.Before+s.Len+s.After)}, f)
		d.layers[len(d.layers)-1].HeaderLen = 0
	}
}

// chatDatagram takes a UDP payload of the chat.
func (d *dissection) chatDatagram() {
	b := d.b[d.at:d.end]
	l := Layer{Name: "Chat datagram", Abbrev: "chat", OSI: 7, TCPIP: Application}
	h, payload, err := wire.DecodeHeader(b)
	list := wire.DissectDatagram(b)
	if err != nil {
		d.chat(l, list, nil)
		return
	}
	l.Summary = h.Type.String()
	if h.Flags&wire.DatagramReliable != 0 {
		l.Summary += fmt.Sprintf(" #%d", h.Reliable)
	}
	if h.Type == wire.TypeAck {
		l.Summary += fmt.Sprintf(" up to %d", h.Ack)
	}
	if h.Flags&wire.DatagramFragment != 0 {
		l.Summary += fmt.Sprintf(", fragment %d of %d", h.Fragment.Index+1, h.Fragment.Count)
		payload = nil
	}
	switch h.Type {
	case wire.TypeOpen:
		payload = payload[min(len(payload), wire.NonceSize+wire.CookieSize):]
	case wire.TypeAccept:
		payload = payload[min(len(payload), wire.NonceSize):]
	case wire.TypeData:
	default:
		payload = nil
	}
	d.chat(l, list, payload)
}

// chat adds the layer of a frame or datagram from its dissection. envelope is
// what the summary is made of; nil for none.
func (d *dissection) chat(l Layer, list []wire.Field, envelope []byte) {
	f := d.begin()
	at, header := d.at, -1
	for _, w := range list {
		f.list = append(f.list, Field{Name: w.Name, Value: w.Value, Off: at + w.Off, Len: w.Len})
		if w.Name == "arguments" || w.Name == "part" {
			header = w.Off
		}
		if w.Name == "flags" && w.Len > 0 {
			f.at = at + w.Off + w.Len
			f.chatFlags(w)
		}
	}
	f.at = d.end
	if e, err := wire.Decode(envelope); len(envelope) > 0 && err == nil {
		if l.Summary != "" {
			l.Summary += ": "
		}
		l.Summary += describe(&e)
	}
	if l.Summary == "" && len(list) > 0 && list[len(list)-1].Name == wire.Malformed {
		l.Summary = "malformed: " + list[len(list)-1].Value
	}
	d.add(l, f)
	if header >= 0 {
		d.layers[len(d.layers)-1].HeaderLen = header
	}
}

// chatFlags adds the bits of an envelope's or datagram's flags that are set.
func (f *fields) chatFlags(w wire.Field) {
	for i := range 8 * w.Len {
		mask := uint64(1) << i
		p := &f.list[len(f.list)-1]
		if be(f.b[p.Off:p.Off+p.Len])&mask == 0 {
			continue
		}
		name := wire.Flags(mask).String()
		if w.Group == wire.GroupDatagram {
			name = wire.DatagramFlags(mask).String()
		}
		f.bits(name, mask, set)
	}
}

// describe tells an envelope in one line: "event lobby ana: hello".
func describe(e *wire.Envelope) string {
	s := []string{e.Kind.String()}
	if e.Kind == wire.KindAck && e.Flags&wire.FlagFailed != 0 {
		s = append(s, "refused")
	}
	for _, name := range [][]byte{e.Namespace, e.Room, e.Sender} {
		if len(name) > 0 {
			s = append(s, string(name))
		}
	}
	// The usual event is what people say; others have a name.
	if name := string(e.Event); name != "" && name != "msg" {
		s = append(s, name)
	}
	line := strings.Join(s, " ")
	if said := words(e); said != "" {
		line += ": " + said
	}
	return line
}

// words are an envelope's arguments, plainly.
func words(e *wire.Envelope) string {
	switch {
	case len(e.Args) == 0:
		return ""
	case e.Flags&wire.FlagBinary != 0:
		return plural(len(e.Args), "byte")
	case e.Kind == wire.KindEvent:
		var all []any
		if json.Unmarshal(e.Args, &all) == nil {
			var s []string
			for _, a := range all {
				if t, ok := a.(string); ok {
					s = append(s, t)
					continue
				}
				b, _ := json.Marshal(a)
				s = append(s, string(b))
			}
			return strings.Join(s, ", ")
		}
	}
	return string(e.Args[:min(len(e.Args), maxShown)])
}

package view

import (
	"errors"
	"fmt"
	"io"

	"wirelab/internal/style"
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
	"wirelab/packets"
	"wirelab/packets/layer"
	"wirelab/packets/show"
)

// A packetView is one packet, by its layers or its bytes.
type packetView struct {
	entry  show.Entry
	layers []layer.Layer
	data   []byte
	hex    bool
}

// packetOf finds the packet that the sheet's expression names in the capture,
// with all that the packets before it tell of it.
func packetOf(v *sheet.View, run *measure.Run, scope *measure.Scope) (drawing, error) {
	chosen, err := v.Packet.Packet(scope)
	if err != nil {
		return nil, fmt.Errorf("packet: %w", err)
	}
	if chosen == nil {
		return nil, errors.New("packet: the run has none like that")
	}
	r, err := open(run)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	tracker := show.Tracker{Interfaces: r.Interfaces}
	var p packets.Packet
	var h packets.Headers
	for {
		if err := r.Read(&p); err != nil {
			return nil, fmt.Errorf("packet %d is not in the capture: %w", chosen.Number, err)
		}
		h.Decode(&p)
		entry := tracker.Add(&p, &h)
		if p.Number != chosen.Number {
			continue
		}
		data := append([]byte(nil), p.Data...)
		p.Data = data
		entry.Since = p.Time.Sub(began(run)) // as everywhere in a lab
		h.Decode(&p)                         // its payload is data's now
		return &packetView{entry, layer.Tree(&p, &h, &entry.Context), data, v.Kind == sheet.Hex}, nil
	}
}

func (p *packetView) text(width, _ int, palette *style.Palette) []string {
	v := show.Picture{Width: width, Palette: palette}
	lines := append(v.Head(&p.entry), "")
	if p.hex {
		return append(lines, v.Hex(p.layers, p.data)...)
	}
	return append(lines, v.Tree(p.layers, p.data)...)
}

func (p *packetView) svg() bool { return false }

func (p *packetView) markup(w io.Writer) error { return pre(w, p.text(100, 0, colourless())) }

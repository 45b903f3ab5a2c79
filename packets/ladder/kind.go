package ladder

import (
	"github.com/charmbracelet/lipgloss"

	"wirelab/internal/style"
)

// A Kind says what a packet is for. Each has a sign and a colour of its own, so
// that a picture without colours says the same.
type Kind uint8

// The kinds.
const (
	Other          Kind = iota
	Handshake           // SYN, SYN ACK
	Data                // bytes for the first time
	Ack                 // no bytes
	Retransmission      // bytes again
	Duplicate           // a copy that the network made
	Fin
	Rst
	Datagram // UDP
	kinds    // how many there are
)

// kindLooks are the name, the sign and the two colours of each kind, on light
// and on dark ground.
var kindLooks = [kinds]struct{ name, sign, light, dark string }{
	Other:          {"other", "·", "#5a5a5a", "#a3a3a3"},
	Handshake:      {"handshake", "◇", "#5b3cc4", "#b9a5ff"},
	Data:           {"data", "●", "#0a58a8", "#6cb6ff"},
	Ack:            {"ack", "○", "#5a5a5a", "#a3a3a3"},
	Retransmission: {"retransmission", "↻", "#8a4b00", "#ffb454"},
	Duplicate:      {"duplicate", "=", "#a3185f", "#ff8ec6"},
	Fin:            {"fin", "□", "#006b5b", "#4fd6be"},
	Rst:            {"rst", "■", "#b3001b", "#ff8080"},
	Datagram:       {"datagram", "▪", "#0a58a8", "#6cb6ff"},
}

// String returns the kind's name, as JSON has it.
func (k Kind) String() string { return kindLooks[k%kinds].name }

// Sign returns the kind's sign, one cell wide.
func (k Kind) Sign() string { return kindLooks[k%kinds].sign }

// lostSign marks where a packet ended.
const lostSign = "✗"

// ink returns the style of k in a terminal.
func (k Kind) ink(p *style.Palette) lipgloss.Style {
	switch k {
	case Handshake:
		return p.Field(6)
	case Data, Datagram:
		return p.Field(0)
	case Retransmission:
		return p.Field(1)
	case Duplicate:
		return p.Field(3)
	case Fin:
		return p.Field(2)
	case Rst:
		return p.Error
	}
	return p.Dim
}

// kinds returns the kinds that l has arrows of, in their order.
func (l *Ladder) kinds() (found []Kind) {
	var has [kinds]bool
	for i := range l.Arrows {
		has[l.Arrows[i].Kind%kinds] = true
	}
	for k := Handshake; k < kinds; k++ {
		if has[k] {
			found = append(found, k)
		}
	}
	if has[Other] {
		found = append(found, Other)
	}
	return found
}

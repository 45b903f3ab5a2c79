package udpchat

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"wirelab/internal/client"
	"wirelab/internal/wire"
)

// show gives the tap a copy of a datagram.
func (l *link) show(b []byte, out bool, note string) {
	if l.tap != nil {
		l.tap(client.Traffic{Time: time.Now(), Out: out, Datagram: true, Bytes: bytes.Clone(b), Note: note})
	}
}

func noteOut(h *wire.Header, again bool, err error) string {
	var notes []string
	if again {
		notes = append(notes, "retransmission")
	}
	notes = appendKind(notes, h)
	if err != nil {
		notes = append(notes, "not sent: "+err.Error())
	}
	return strings.Join(notes, ", ")
}

func noteIn(h *wire.Header, err error) string {
	notes := appendKind(nil, h)
	if err != nil {
		notes = append(notes, err.Error())
	}
	return strings.Join(notes, ", ")
}

func appendKind(notes []string, h *wire.Header) []string {
	if h.Flags&wire.DatagramFragment != 0 {
		notes = append(notes, fmt.Sprintf("fragment %d of %d", h.Fragment.Index+1, h.Fragment.Count))
	}
	switch {
	case h.Type == wire.TypeAck && h.Reliable != 0:
		notes = append(notes, fmt.Sprintf("reject: again from %d on", h.Reliable))
	case h.Type == wire.TypeAck:
		notes = append(notes, "ack only")
	}
	return notes
}

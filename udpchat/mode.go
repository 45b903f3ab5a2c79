package udpchat

import (
	"encoding/binary"
	"fmt"

	"wirelab/internal/wire"
)

// A Mode says how a UDP member's events travel. Control envelopes and requests
// to the server go through the reliable channel in every mode: what differs is
// the chat itself.
type Mode uint8

// The modes.
const (
	// Unreliable sends each event once. What the network loses is lost, what
	// it reorders comes in that order.
	Unreliable Mode = iota
	// Sequenced is Unreliable, but the receiver drops an event that is older
	// than the newest of its room.
	Sequenced
	// Queue sends events through the reliable channel. What was not handled
	// when the connection ended comes again from the room's log at resume.
	Queue
	modeEnd
)

var modeNames = [...]string{"unreliable", "sequenced", "queue"}

// String returns the mode's name.
func (m Mode) String() string {
	if m >= modeEnd {
		return fmt.Sprintf("mode %d", uint8(m))
	}
	return modeNames[m]
}

// ParseMode returns the mode of that name. The empty name is Unreliable.
func ParseMode(name string) (Mode, error) {
	for m, n := range modeNames {
		if n == name {
			return Mode(m), nil
		}
	}
	if name == "" {
		return Unreliable, nil
	}
	return 0, fmt.Errorf("udp mode %q: want unreliable, sequenced or queue", name)
}

// reliable reports whether the encoded envelope goes through the reliable
// channel. Volatile events never do: they are for now or for nobody. An event
// without a room is a request to the server, which is control. An event that
// asks for an acknowledgement is still an event: in the modes without
// reliability either the event or nothing comes, and the acknowledgement, which
// is control, tells the emitter which.
func (m Mode) reliable(envelope []byte) bool {
	if wire.Kind(envelope[1]) != wire.KindEvent {
		return true
	}
	if wire.Flags(binary.BigEndian.Uint16(envelope[2:]))&wire.FlagVolatile != 0 {
		return false
	}
	room := envelope[5]
	return m == Queue || room == 0
}

// maxRooms is how many rooms an order remembers. A session may be in 64.
const maxRooms = 256

// An order lets, for each room, only events through that were sent after all
// that it let through before. Datagram numbers tell: they are never used twice.
type order map[[2]string]*uint64

func (o *order) pass(e *wire.Envelope, number uint64) bool {
	newest := (*o)[[2]string{string(e.Namespace), string(e.Room)}]
	if newest == nil {
		if *o == nil || len(*o) >= maxRooms {
			*o = make(order)
		}
		(*o)[[2]string{string(e.Namespace), string(e.Room)}] = &number
		return true
	}
	if number <= *newest {
		return false
	}
	*newest = number
	return true
}

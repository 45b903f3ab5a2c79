package udpchat

import (
	"encoding/binary"
	"fmt"
	"strings"

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
	// StopAndWait sends a datagram and waits for its acknowledgement before the
	// next: one in flight. What the connection has not delivered when it ends is
	// lost, here as in the two modes that follow.
	StopAndWait
	// GoBackN keeps a window in flight. The receiver takes datagrams in order
	// only; after a loss the sender goes back to it and sends all since again.
	GoBackN
	// SelectiveRepeat keeps a window in flight. The receiver keeps what came too
	// early and says so; only what is missing is sent again.
	SelectiveRepeat
	// Queue is SelectiveRepeat over connections, too: what was not handled when
	// one ended comes again from the room's log at resume.
	Queue
	modeEnd
)

var modeNames = [...]string{"unreliable", "sequenced", "stop-and-wait", "go-back-n", "selective-repeat", "queue"}

// ModeNames returns the names of all modes, for people.
func ModeNames() string {
	last := len(modeNames) - 1
	return strings.Join(modeNames[:last], ", ") + " or " + modeNames[last]
}

// Reliable reports whether events are sent again when they are lost.
func (m Mode) Reliable() bool { return m >= StopAndWait }

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
	return 0, fmt.Errorf("udp mode %q: want %s", name, ModeNames())
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
	return m.Reliable() || room == 0
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

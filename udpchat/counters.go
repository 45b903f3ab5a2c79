package udpchat

import "sync/atomic"

// A counter is one of the things that a server counts.
type counter uint8

const (
	received counter = iota
	sent
	resentDatagrams
	hellos
	shortHellos
	badCookies
	malformed
	unknownSessions
	wrongAddresses
	badMACs
	replays
	refusedDatagrams
	refusedSends
	opens
	counterEnd
)

type counters [counterEnd]atomic.Uint64

func (c *counters) add(k counter, n int) { c[k].Add(uint64(n)) }

// ServerStats counts what a server saw since it was made. Nothing of what it
// refused was answered, but for datagrams of unknown sessions.
type ServerStats struct {
	Sessions        int    // now
	Received        uint64 // datagrams
	Sent            uint64 // datagrams but for the handshake's
	Resent          uint64 // of those, retransmissions
	Hellos          uint64 // answered with a cookie
	Opens           uint64 // with a good cookie
	ShortHellos     uint64 // below wire.MinHello: dropped
	BadCookies      uint64 // false, too old, or for another address
	Malformed       uint64 // no header of ours, or a type that no client sends
	UnknownSessions uint64 // answered with a reset, up to a rate
	WrongAddresses  uint64 // a session without MACs, from elsewhere
	BadMACs         uint64 // false or missing
	Replays         uint64 // datagrams that came before, or are too old to tell
	Refused         uint64 // for another reason: false acks, fragments beyond the caps, not an envelope, older than the newest
	SendErrors      uint64 // datagrams that the system refused to send
}

// Stats returns the counts. Any goroutine may call it.
func (s *Server) Stats() ServerStats {
	c := &s.counters
	return ServerStats{
		Sessions:        int(s.sessions.Load()),
		Received:        c[received].Load(),
		Sent:            c[sent].Load(),
		Resent:          c[resentDatagrams].Load(),
		Hellos:          c[hellos].Load(),
		Opens:           c[opens].Load(),
		ShortHellos:     c[shortHellos].Load(),
		BadCookies:      c[badCookies].Load(),
		Malformed:       c[malformed].Load(),
		UnknownSessions: c[unknownSessions].Load(),
		WrongAddresses:  c[wrongAddresses].Load(),
		BadMACs:         c[badMACs].Load(),
		Replays:         c[replays].Load(),
		Refused:         c[refusedDatagrams].Load(),
		SendErrors:      c[refusedSends].Load(),
	}
}

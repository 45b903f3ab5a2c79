package relay

import (
	"sync"

	"wirelab/internal/impair"
	"wirelab/internal/pcapng"
	"wirelab/internal/vnet"
)

// A tap counts the packets of the link, and hands them to the capture.
type tap struct {
	capture *capture // nil: nobody records

	mu     sync.Mutex
	diary  vnet.Diary // of what is captured
	sides  [2]Side    // up, down
	newest [2]uint64  // the largest number of a packet that arrived
	// By the client's port: never more than there are ports. A port that is
	// used again begins anew.
	ways map[uint16]*[2]sender
}

func newTap(c *capture) *tap { return &tap{capture: c, ways: map[uint16]*[2]sender{}} }

// packet takes in a packet at one of the three points of the link. The network
// calls it in order, one at a time.
func (t *tap) packet(p *vnet.Packet) {
	if p.Host != clientName {
		return
	}
	way := 0
	if p.Direction == vnet.Down {
		way = 1
	}
	t.mu.Lock()
	s := &t.sides[way]
	switch p.Vantage {
	case vnet.Sent:
		s.Sent.Packets++
		s.Sent.Bytes += uint64(len(p.Data))
		if g, ok := parseSegment(p.Data); ok && t.sender(g, way).sent(g) {
			s.Resent++
		}
	case vnet.Carried:
		t.carried(s, p, way)
	case vnet.Received:
		s.Received.Packets++
		s.Received.Bytes += uint64(len(p.Data))
		if p.Reason != "" {
			s.Refused++
		}
		// RFC 4737, section 3.3: it is reordered if a later one came before.
		if p.Number < t.newest[way] {
			s.Reordered++
		}
		t.newest[way] = max(t.newest[way], p.Number)
	}
	t.mu.Unlock()
	if t.capture != nil {
		t.record(p)
	}
}

// sender returns the state of who sent g. The caller has the lock.
func (t *tap) sender(g segment, way int) *sender {
	port := g.source
	if way == 1 {
		port = g.dest
	}
	return t.at(port, way)
}

func (t *tap) at(port uint16, way int) *sender {
	both := t.ways[port]
	if both == nil {
		both = &[2]sender{}
		t.ways[port] = both
	}
	return &both[way]
}

// carried takes in what the link did to a packet. The caller has the lock.
func (t *tap) carried(s *Side, p *vnet.Packet, way int) {
	o := &p.Outcome
	if o.Cause != impair.Carried {
		s.Lost[o.Cause]++
		if g, ok := parseSegment(p.Data); ok {
			t.sender(g, way).lost++
		}
		return
	}
	if len(o.Arrivals) > 1 {
		s.Duplicated++
	}
	for _, a := range o.Arrivals {
		if a.Bit >= 0 {
			s.Corrupted++
			break
		}
	}
}

// record files a packet.
func (t *tap) record(p *vnet.Packet) {
	out := pcapng.Packet{Time: p.Time, Data: p.Data, Direction: pcapng.Out}
	near, far := atClient, atServer
	if p.Direction == vnet.Down {
		near, far = far, near
	}
	switch p.Vantage {
	case vnet.Sent:
		out.Interface = near
		t.mu.Lock()
		out.Comment = t.diary.Note(p.Data)
		t.mu.Unlock()
	case vnet.Carried:
		out.Interface, out.Direction = atLink, pcapng.NoDirection
		out.Comment = p.Outcome.Note
		if p.Outcome.Cause != impair.Carried {
			out.Comment = "lost: " + p.Outcome.Cause.String()
			if p.Outcome.Note != "" {
				out.Comment += ", " + p.Outcome.Note
			}
		}
	case vnet.Received:
		out.Interface, out.Direction = far, pcapng.In
		if p.Reason != "" {
			out.Comment = "not taken: " + p.Reason
		}
	}
	t.capture.add(&out)
}

// state takes in what a host's stack knows of a connection.
func (t *tap) state(s *vnet.State) {
	port, way := s.Local.Port(), 0
	if s.Host == serverName {
		port, way = s.Remote.Port(), 1
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.capture != nil {
		t.diary.Take(s)
	}
	t.at(port, way).control = Control{
		Known: true, Cwnd: s.Cwnd, Ssthresh: s.Ssthresh, Outstanding: s.Outstanding,
		SRTT: s.SRTT, RTTVar: s.RTTVar, RTO: s.RTO, Recovery: s.Recovery,
	}
}

// read adds what the packets showed.
func (t *tap) read(s *Snapshot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Up, s.Down = t.sides[0], t.sides[1]
	for i := range s.Conns {
		c := &s.Conns[i]
		both := t.ways[c.Port]
		if both == nil {
			continue
		}
		for way, h := range []*Half{&c.Up, &c.Down} {
			h.Resent, h.Lost, h.Sender = both[way].resent, both[way].lost, both[way].control
		}
	}
}

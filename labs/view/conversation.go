package view

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"wirelab/labs/measure"
	"wirelab/packets"
	"wirelab/packets/flow"
	"wirelab/packets/ladder"
)

// A place is the three interfaces that a capture has for one recorded link.
type place struct {
	host            string
	near, link, far int
	addresses       map[netip.Addr]bool // of the host
}

// has reports whether interface i is one of the link's.
func (p *place) has(i int) bool { return i == p.near || i == p.link || i == p.far }

// A conversation is what two ends said to each other over one link, as each end
// of it saw it; nil if an end saw nothing.
type conversation struct {
	near, far *flow.Flow
}

// flow returns it as it was seen at all.
func (c *conversation) flow() *flow.Flow {
	if c.near != nil {
		return c.near
	}
	return c.far
}

// open reads the run's capture from its begin.
func open(run *measure.Run) (*packets.Reader, error) {
	if len(run.Capture) == 0 {
		return nil, errors.New("the run has no capture")
	}
	return packets.NewReader(bytes.NewReader(run.Capture))
}

// each calls do for each packet of the run's capture.
func each(run *measure.Run, do func(*packets.Packet, []packets.Interface)) error {
	r, err := open(run)
	if err != nil {
		return err
	}
	defer r.Close()
	var p packets.Packet
	for {
		if err := r.Read(&p); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		do(&p, r.Interfaces())
	}
}

// places returns the recorded links of a capture.
func places(all []packets.Interface) (list []*place) {
	for i := 1; i+1 < len(all); i++ {
		if isLink(&all[i]) {
			list = append(list, &place{host: all[i-1].Name, near: i - 1, link: i, far: i + 1, addresses: map[netip.Addr]bool{}})
		}
	}
	return list
}

func isLink(i *packets.Interface) bool { return i.Name == "link" || strings.HasPrefix(i.Name, "link ") }

// conversations returns those of the link of a host, or of the first that was
// recorded, in the order in which they began.
func conversations(run *measure.Run, host string) (*place, []conversation, error) {
	var known []packets.Interface
	// The numbers are those that packages plot and ladder give, which do not
	// count what the link saw as flows.
	tracker := flow.NewTracker(flow.Config{})
	spoke := map[int]map[netip.Addr]bool{} // by interface
	err := each(run, func(p *packets.Packet, all []packets.Interface) {
		known = all
		if p.Interface < len(all) && isLink(&all[p.Interface]) {
			return
		}
		var h packets.Headers
		h.Decode(p)
		tracker.Add(p, &h)
		if p.Direction == packets.Out && h.Src.IsValid() {
			if spoke[p.Interface] == nil {
				spoke[p.Interface] = map[netip.Addr]bool{}
			}
			spoke[p.Interface][h.Src] = true
		}
	})
	if err != nil {
		return nil, nil, err
	}
	where, err := placeOf(places(known), host)
	if err != nil {
		return nil, nil, err
	}
	where.addresses = spoke[where.near]
	var list []conversation
	flows := tracker.Flows()
	for _, f := range flows {
		if f.Interface == where.near {
			list = append(list, conversation{near: f})
		}
	}
	for _, f := range flows {
		if f.Interface == where.far {
			list = join(list, f)
		}
	}
	slices.SortStableFunc(list, func(a, b conversation) int { return cmp.Compare(a.flow().First, b.flow().First) })
	return where, list, nil
}

// placeOf returns the link of a host, or the first.
func placeOf(list []*place, host string) (*place, error) {
	var names []string
	for _, p := range list {
		if host == "" || p.host == host {
			return p, nil
		}
		names = append(names, p.host)
	}
	if len(names) == 0 {
		return nil, errors.New("no link was recorded")
	}
	return nil, fmt.Errorf("link of %q: not recorded, want that of %s", host, strings.Join(names, " or "))
}

// join puts what the far end saw beside what the near one did. Of connections
// that used the same ports it is the one with the most time in common.
func join(list []conversation, f *flow.Flow) []conversation {
	best, common := -1, int64(0)
	for i := range list {
		g := list[i].near
		if g == nil || list[i].far != nil || g.Protocol != f.Protocol || !(g.A == f.A && g.B == f.B || g.A == f.B && g.B == f.A) {
			continue
		}
		if d := int64(min(f.Last, g.Last) - max(f.First, g.First)); best < 0 || d > common {
			best, common = i, d
		}
	}
	if best < 0 {
		return append(list, conversation{far: f})
	}
	list[best].far = f
	return list
}

// choose returns the n-th conversation from 1, or, if n is 0, that with the
// highest worth; one that is worth less than 0 is none to show.
func choose(list []conversation, n int, worth func(*conversation) int64) (*conversation, error) {
	if n > 0 {
		if n > len(list) {
			return nil, fmt.Errorf("flow %d: the link has %s", n, plural(len(list), "conversation"))
		}
		return &list[n-1], nil
	}
	best, most := -1, int64(-1)
	for i := range list {
		if w := worth(&list[i]); w > most {
			best, most = i, w
		}
	}
	if best < 0 {
		return nil, errors.New("the link carried no conversation that can be drawn")
	}
	return &list[best], nil
}

// drawable reports whether a ladder can be drawn of c.
func (c *conversation) drawable() bool {
	f := c.flow()
	return (f.Protocol == packets.ProtocolTCP || f.Protocol == packets.ProtocolUDP) && (f.A.Port() != 0 || f.B.Port() != 0)
}

// key names c with the link's host first.
func (c *conversation) key(where *place) ladder.Key {
	f := c.flow()
	if where.addresses[f.B.Addr()] && !where.addresses[f.A.Addr()] {
		return ladder.Key{Protocol: f.Protocol, A: f.B, B: f.A}
	}
	return ladder.Key{Protocol: f.Protocol, A: f.A, B: f.B}
}

// span is when c was seen first and last, in nanoseconds since 1970.
func (c *conversation) span() (first, last int64) {
	first, last = int64(c.flow().First), int64(c.flow().Last)
	if c.far != nil {
		first, last = min(first, int64(c.far.First)), max(last, int64(c.far.Last))
	}
	return first, last
}

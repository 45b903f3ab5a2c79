package chat

import (
	"slices"
	"strings"
	"time"

	"wirelab/internal/wire"
)

// A connection that does not connect costs its maker nothing and takes a place
// from somebody. So when the places are all taken, whoever holds most pays:
// a host cannot lock others out, and one that shares its address with the
// culprit waits for enoughTime at most.

// enoughTime is how long a connection may be half-open before another of the
// same host may have its place: to connect takes a few round trips.
const enoughTime = 2 * time.Second

// waits notes that c is half-open. Hub.mu is held.
func (h *Hub) waits(c *Conn) {
	if len(h.opening) >= 2*h.halfOpen+64 {
		h.opening = slices.DeleteFunc(h.opening, func(c *Conn) bool { return !c.halfOpen() })
	}
	h.opening = append(h.opening, c)
}

// halfOpen reports whether c has still to connect. Hub.mu is held.
func (c *Conn) halfOpen() bool { return c.sess == nil && !c.off }

// crowdOut returns the half-open connection whose place the new one gets, nil
// if none is to go. It is not returned twice. Hub.mu is held.
func (h *Hub) crowdOut(c *Conn) *Conn {
	h.opening = slices.DeleteFunc(h.opening, func(c *Conn) bool { return !c.halfOpen() })
	count := make(map[string]int)
	most := ""
	for _, o := range h.opening {
		host := hostOf(o.info.Remote)
		if count[host]++; count[host] > count[most] {
			most = host
		}
	}
	own := hostOf(c.info.Remote)
	unfair := count[most] > count[own]+1
	for i, o := range h.opening {
		if host := hostOf(o.info.Remote); host == most && unfair || !unfair && host == own && c.opened.Sub(o.opened) >= enoughTime {
			h.opening = slices.Delete(h.opening, i, i+1)
			return o
		}
	}
	return nil
}

// turnOut ends a connection that crowdOut returned.
func (h *Hub) turnOut(c *Conn) {
	h.faults.add("half_open")
	const why = "others wait for this place: connect at once"
	c.Fault(&wire.Fault{Code: "busy", Message: why, Hint: "try again later", RetryMS: 2000})
	c.end()
	c.Detach(why)
}

// hostOf cuts the port off an address.
func hostOf(remote string) string {
	return remote[:max(strings.LastIndexByte(remote, ':'), 0)]
}

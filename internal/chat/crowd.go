package chat

import (
	"cmp"
	"net/netip"
	"slices"

	"wirelab/internal/wire"
)

// A kept session that is away costs its maker nothing and takes a place, and a
// name, for as long as SessionTTL. So when the places are all taken, whoever
// holds most of them pays, as with half-open connections.

// forgetSome makes room for new sessions: of the host that most absent
// sessions came from it ends those that were away longest, a hundredth of all
// places at once, since looking for them costs the same for one. It reports
// whether there were any. Hub.mu is held.
func (h *Hub) forgetSome(post *hooks) bool {
	away := make(map[string][]*Session)
	most := ""
	for _, s := range h.sessions {
		if s.conn != nil {
			continue
		}
		host := hostOf(s.info.Remote)
		away[host] = append(away[host], s)
		if len(away[host]) > len(away[most]) {
			most = host
		}
	}
	old := away[most]
	slices.SortFunc(old, func(a, b *Session) int {
		return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.id, b.id))
	})
	for _, s := range old[:min(len(old), 1+h.cfg.MaxSessions/100)] {
		h.endSession(s, "room for others was needed", post)
	}
	return len(old) > 0
}

// reserved refuses an operator's name to connections from other machines: a
// name belongs to whoever takes it first, and this one may kick and ban.
func (h *Hub) reserved(name string, info Info) *wire.Fault {
	if len(h.cfg.Operators) == 0 || onThisMachine(info.Remote) {
		return nil
	}
	skel := skeleton(name)
	for _, op := range h.cfg.Operators {
		if skeleton(op) == skel {
			return &wire.Fault{Code: "reserved_name", Message: "the name " + quote(name) + " is an operator's",
				Hint: "operators join from the machine that the server runs on"}
		}
	}
	return nil
}

// onThisMachine reports whether the peer's address is a loopback address, or
// none of IP at all: a network within the program.
func onThisMachine(remote string) bool {
	addr, err := netip.ParseAddrPort(remote)
	return err != nil || addr.Addr().Unmap().IsLoopback()
}

package relay

func (r *Relay) refuse(f *flow) { r.unreachable(f) }

func (r *Relay) unreachable(f *flow) {
	r.flows.mu.Lock()
	r.flows.totals.Unreachable++
	h := r.flows.herald
	r.flows.mu.Unlock()
	h.unreachable(f.client)
}

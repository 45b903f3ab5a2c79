package udpchat

import "time"

// goBackN acknowledges what came in order and nothing else. Its receiver keeps
// nothing that came early, and so its sender, when one is lost, sends that again
// and all that it sent after it.
//
// The receiver rejects once for each number that is missing, as HDLC does with
// REJ (ISO/IEC 13239). If every early parcel were answered, the sender could not
// tell the answers to what it had sent before it went back from those that say
// that the repair is lost, too, and would go back for each. When the reject is
// lost, or the repair, the timer finds it.
type goBackN struct{}

func (goBackN) acknowledged(*sender, []uint64) {}

func (goBackN) rejected(s *sender, now time.Time, number uint64) {
	if number == s.returned {
		return // late: it is on its way again
	}
	s.congested(s.at(number).order)
	s.loseAll()
	s.timer = now.Add(s.rto()) // it is for the repair from here on
}

func (goBackN) early(r *receiver, now time.Time, _ parcel) verdict {
	if r.rejected != r.next {
		r.rejected, r.reject, r.ackAt = r.next, true, now
	}
	return early
}

package text

import "bytes"

// MaxLine caps a line that comes in, in bytes. What is longer is dropped, and
// the sender is told.
const MaxLine = 4096

// Telnet commands (RFC 854). They cannot occur in UTF-8.
const (
	telnetSE   = 240 // end of a subnegotiation
	telnetSB   = 250 // begin of one
	telnetWILL = 251 // the first of four that are followed by an option
	telnetIAC  = 255 // introduces a command
)

// A splitter cuts a byte stream into lines. Lines end with LF or CR LF; what
// telnet negotiates on the way is left out, and so are NULs (telnet sends CR
// NUL for a CR). It may be fed in pieces of any size.
type splitter struct {
	line   []byte
	over   bool // the line is too long: dropped up to its end
	telnet telnetState
}

type telnetState uint8

const (
	plain  telnetState = iota
	iac                // after IAC
	option             // before the option of WILL, WON'T, DO, DON'T
	sub                // inside a subnegotiation
	subIAC             // inside one, after IAC
)

// feed cuts b and calls line for each whole line, without its end; it must
// not be kept. With over set the line was too long and is not there.
func (s *splitter) feed(b []byte, line func(line []byte, over bool)) {
	for _, c := range b {
		if s.command(c) || c == 0 {
			continue
		}
		switch {
		case c == '\n':
			s.end(line)
		case len(s.line) >= MaxLine:
			s.over = true
		default:
			s.line = append(s.line, c)
		}
	}
	if len(s.line) == 0 && cap(s.line) > 512 {
		s.line = nil // an idle member holds nothing
	}
}

// end ends the line at hand, if there is one: for a datagram, which needs no LF.
func (s *splitter) end(line func(line []byte, over bool)) {
	l, over := bytes.TrimSuffix(s.line, []byte("\r")), s.over
	s.line, s.over = s.line[:0], false
	line(l, over)
}

// command reports whether c belongs to a telnet command.
func (s *splitter) command(c byte) bool {
	switch s.telnet {
	case plain:
		if c != telnetIAC {
			return false
		}
		s.telnet = iac
	case iac:
		switch {
		case c == telnetSB:
			s.telnet = sub
		case c >= telnetWILL && c < telnetIAC:
			s.telnet = option
		default:
			s.telnet = plain
		}
	case option:
		s.telnet = plain
	case sub:
		if c == telnetIAC {
			s.telnet = subIAC
		}
	case subIAC:
		s.telnet = sub
		if c == telnetSE {
			s.telnet = plain
		}
	}
	return true
}

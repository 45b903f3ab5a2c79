package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Action is what a statement does.
type Action string

// The actions.
const (
	Wait       Action = "wait"
	Until      Action = "until"
	Note       Action = "note"
	Listen     Action = "listen"
	Accept     Action = "accept"
	Serve      Action = "serve"
	Connect    Action = "connect"
	Send       Action = "send"
	Request    Action = "request"
	Receive    Action = "receive"
	Echo       Action = "echo"
	Shutdown   Action = "shutdown"
	Close      Action = "close"
	Abort      Action = "abort"
	KeepAlive  Action = "keepalive"
	UDPSocket  Action = "udp"
	SendTo     Action = "sendto"
	ARQSend    Action = "arq send"
	ARQReceive Action = "arq receive"
)

// Modes of ARQ, and of Serve.
const (
	StopAndWait     = "stop-and-wait"
	GoBackN         = "go-back-n"
	SelectiveRepeat = "selective-repeat"
	Sink            = "sink" // reads and throws away
	EchoAll         = "echo" // sends back what it reads
)

// A Statement is one thing that a program does. Its text is one of
//
//	wait D                                  for so long
//	until T                                 until so long after the workload began
//	note WORDS                              an event, to find the instant by
//	listen PORT as L
//	accept L as C
//	serve L sink|echo [SIZE at a time] [every D]
//	connect HOST:PORT as C [from PORT] [within D]
//	send C SIZE|"TEXT" [x N] [every D] [until T]
//	request C SIZE [x N] [every D] [within D] [until T]
//	receive C [SIZE at a time] [every D] [N times] [N bytes] [until closed|T]
//	echo C
//	shutdown C     close C     abort C
//	keepalive C D [count N]
//	udp PORT as S
//	sendto S HOST:PORT SIZE|"TEXT" [x N] [every D] [until T]
//	request S HOST:PORT SIZE …              over UDP
//	arq send S HOST:PORT MODE [window W] timeout D frames N size SIZE
//	arq receive S MODE [window W] [frames N]
//
// A name of a socket that is not there yet is waited for: another program of the
// host may open it.
type Statement struct {
	Do   Action
	Sock string // the socket that it is about
	As   string // the socket that it opens
	Peer string // the host it is for
	Port int    // of the peer, or to listen at

	Size  int    // bytes: of a message, of a read ("at a time"), of a frame's IP packet
	Text  string // instead of so many bytes; or of a note
	From  int    // port to connect from; 0: any
	Times int    // how often; 0: not said
	Bytes int    // to receive; 0: not said
	Every time.Duration
	For   time.Duration // wait, within, keepalive, timeout
	Until time.Duration // an instant; 0: not said
	Mode  string
	// Window and Frames are of ARQ.
	Window, Frames int
}

// peer reads HOST:PORT.
func (w *words) peer(s *Statement) {
	word := w.next("HOST:PORT, such as bo:7000")
	host, port, ok := strings.Cut(word, ":")
	n, err := strconv.Atoi(port)
	if !ok || err != nil || n < 1 || n > 65_535 || checkName(host) != nil {
		w.fail("%q: want HOST:PORT, such as bo:7000", word)
	}
	s.Peer, s.Port = host, n
}

// content reads SIZE or "TEXT".
func (w *words) content(s *Statement) {
	if w.more() && strings.HasPrefix(w.list[w.at], `"`) {
		text, err := strconv.Unquote(w.next("a text"))
		if err != nil || text == "" || len(text) > MaxSize {
			w.fail("%s: want a text of 1 to %d bytes in quotes, as Go writes it", w.list[w.at-1], MaxSize)
		}
		s.Text = text
		return
	}
	s.Size = w.size("a size, such as 1000 or 64KiB, or a text in quotes", MaxVolume)
}

// options reads what may follow in any order, each once.
func (w *words) options(s *Statement, allowed ...string) {
	seen := make(map[string]bool)
	for w.more() {
		word := w.list[w.at]
		name := word
		if s.Do == Receive || s.Do == Serve {
			switch {
			case w.at+1 < len(w.list) && (w.list[w.at+1] == "times" || w.list[w.at+1] == "bytes"):
				name = w.list[w.at+1]
			case w.at+1 < len(w.list) && w.list[w.at+1] == "at":
				name = "at a time"
			}
		}
		if !slices.Contains(allowed, name) {
			w.fail("%q: want one of %s, or nothing", word, strings.Join(allowed, ", "))
			return
		}
		if seen[name] {
			w.fail("%q is there twice", name)
			return
		}
		seen[name] = true
		switch name {
		case "times":
			s.Times = w.number("how often", 1, MaxTimes)
			w.take("times")
			continue
		case "bytes":
			if s.Bytes = w.size("how many bytes", MaxVolume); s.Bytes == 0 {
				w.fail("0 bytes: want 1 or more")
			}
			w.take("bytes")
			continue
		case "at a time":
			if s.Size = w.size("the bytes of a read", MaxBuffer); s.Size == 0 {
				w.fail("0 at a time: want 1 or more")
			}
			for _, word := range []string{"at", "a", "time"} {
				w.expect(word, "1000 at a time")
			}
			continue
		}
		w.at++
		switch name {
		case "x":
			s.Times = w.number("how often, such as x 10", 1, MaxTimes)
		case "every":
			s.Every = w.duration("how long from one to the next, such as every 10ms", 1)
		case "within":
			s.For = w.duration("how long at most, such as within 20s", 1)
		case "until":
			if s.Do == Receive && w.take("closed") {
				continue
			}
			s.Until = w.duration("an instant, such as until 10s", 1)
		case "from":
			s.From = w.number("a port, such as from 5000", 1, 65_535)
		case "count":
			s.Times = w.number("how many probes, such as count 3", 1, 100)
		case "window":
			s.Window = w.number("how many frames, such as window 35", 1, MaxWindow)
		case "timeout":
			s.For = w.duration("how long, such as timeout 45ms", 1)
		case "frames":
			s.Frames = w.number("how many, such as frames 1000", 1, MaxFrames)
		case "size":
			s.Size = w.size("the bytes of a frame's IP packet, such as size 1500", 65_535)
		}
	}
}

// ParseStatement reads a statement's text. Whether hosts and sockets exist is
// for Scenario.Validate to say.
func ParseStatement(text string) (Statement, error) {
	list, err := split(text)
	if err != nil {
		return Statement{}, err
	}
	return parseStatement(list)
}

func parseStatement(list []string) (Statement, error) {
	w := &words{list: list}
	var s Statement
	s.Do = Action(w.next("a statement"))
	switch s.Do {
	case Wait:
		s.For = w.duration("how long, such as wait 10ms", 0)
	case Until:
		s.Until = w.duration("an instant, such as until 2s", 0)
	case Note:
		s.Text = strings.Join(list[1:], " ")
		if w.at = len(list); s.Text == "" || len(s.Text) > 200 || strings.Contains(s.Text, `"`) {
			w.fail("want a note of 1 to 200 bytes without quotes")
		}
	case Listen, UDPSocket:
		s.Port = w.number("a port", 1, 65_535)
		w.expect("as", string(s.Do)+" 7000 as a")
		s.As = w.name("a name for the socket")
	case Accept:
		s.Sock = w.name("the name of a listening socket")
		w.expect("as", "accept door as a")
		s.As = w.name("a name for the socket")
	case Serve:
		s.Sock = w.name("the name of a listening socket")
		if s.Mode = w.next("sink or echo"); s.Mode != Sink && s.Mode != EchoAll {
			w.fail("%q: want sink or echo", s.Mode)
		}
		w.options(&s, "at a time", "every")
	case Connect:
		w.peer(&s)
		w.expect("as", "connect bo:7000 as c")
		s.As = w.name("a name for the socket")
		w.options(&s, "from", "within")
	case Send, SendTo, Request:
		s.Sock = w.name("the name of a socket")
		if s.Do == SendTo || s.Do == Request && w.more() && strings.Contains(w.list[w.at], ":") {
			w.peer(&s)
		}
		w.content(&s)
		if s.Do == Request {
			w.options(&s, "x", "every", "within", "until")
		} else {
			w.options(&s, "x", "every", "until")
		}
	case Receive:
		s.Sock = w.name("the name of a socket")
		w.options(&s, "at a time", "every", "times", "bytes", "until")
	case Echo, Shutdown, Close, Abort:
		s.Sock = w.name("the name of a socket")
	case KeepAlive:
		s.Sock = w.name("the name of a socket")
		s.For = w.duration("how long, such as keepalive c 5s", time.Second)
		w.options(&s, "count")
	case "arq":
		w.arq(&s)
	case "":
	default:
		w.fail("%q is unknown: want one of %s", s.Do, actionNames())
	}
	if w.more() {
		w.fail("%q is one word too many", w.list[w.at])
	}
	if w.err != nil {
		return Statement{}, fmt.Errorf("%s: %w", strings.Join(list, " "), w.err)
	}
	return s, nil
}

func (w *words) arq(s *Statement) {
	s.Do = Action("arq " + w.next("send or receive"))
	if s.Do != ARQSend && s.Do != ARQReceive {
		w.fail("%q: want arq send or arq receive", s.Do)
	}
	s.Sock = w.name("the name of a UDP socket")
	if s.Do == ARQSend {
		w.peer(s)
	}
	s.Mode = w.next("stop-and-wait, go-back-n or selective-repeat")
	if !slices.Contains([]string{StopAndWait, GoBackN, SelectiveRepeat}, s.Mode) {
		w.fail("%q: want stop-and-wait, go-back-n or selective-repeat", s.Mode)
	}
	if s.Do == ARQSend {
		w.options(s, "window", "timeout", "frames", "size")
	} else {
		w.options(s, "window", "frames")
	}
}

func actionNames() string {
	return "wait, until, note, listen, accept, serve, connect, send, request, receive, echo, shutdown, close, abort, keepalive, udp, sendto, arq"
}

// opens returns the name of the socket that the statement opens, or "".
func (s *Statement) opens() string { return s.As }

func (s *Statement) validate(hosts []string, sockets map[string]bool) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%v: %w", s, fmt.Errorf(format, args...))
	}
	if s.Sock != "" && !sockets[s.Sock] {
		return fail("nothing opens a socket %q here, want one of %s", s.Sock, strings.Join(slices.Sorted(maps.Keys(sockets)), ", "))
	}
	if s.Peer != "" && !slices.Contains(hosts, s.Peer) {
		return fail("no host is named %q, want one of %s", s.Peer, strings.Join(hosts, ", "))
	}
	switch s.Do {
	case Send, SendTo, Request:
		size := max(s.Size, len(s.Text))
		if volume := size * max(s.Times, 1); volume > MaxVolume {
			return fail("%d bytes, want at most %d", volume, MaxVolume)
		}
	case ARQSend:
		if s.For == 0 || s.Frames == 0 || s.Size < MinFrame || s.Size > MaxMTU {
			return fail("want a timeout, frames and a size from %d, such as timeout 45ms frames 1000 size 1500", MinFrame)
		}
		if s.Mode == StopAndWait && s.Window > 1 {
			return fail("a window of %d: stop-and-wait has 1", s.Window)
		}
		if s.Mode != StopAndWait && s.Window == 0 {
			return fail("want a window, such as window 35")
		}
		if volume := s.Size * s.Frames; volume > MaxVolume {
			return fail("%d bytes, want at most %d", volume, MaxVolume)
		}
	}
	return nil
}

// MinFrame is the smallest frame of ARQ: IPv4's and UDP's headers and a tag.
const MinFrame = 28 + MinSize

// String returns the statement's text.
func (s Statement) String() string {
	var b strings.Builder
	b.WriteString(string(s.Do))
	add := func(format string, args ...any) { fmt.Fprintf(&b, " "+format, args...) }
	option := func(set bool, format string, args ...any) {
		if set {
			add(format, args...)
		}
	}
	if s.Sock != "" {
		add("%s", s.Sock)
	}
	if s.Peer != "" {
		add("%s:%d", s.Peer, s.Port)
	}
	switch s.Do {
	case Wait:
		add("%v", s.For)
	case Until:
		add("%v", s.Until)
	case Note:
		add("%s", s.Text)
	case Listen, UDPSocket:
		add("%d", s.Port)
	case Serve:
		add("%s", s.Mode)
		option(s.Size > 0, "%d at a time", s.Size)
		option(s.Every > 0, "every %v", s.Every)
	case Send, SendTo, Request:
		if s.Text != "" {
			add("%s", strconv.Quote(s.Text))
		} else {
			add("%d", s.Size)
		}
		option(s.Times > 0, "x %d", s.Times)
		option(s.Every > 0, "every %v", s.Every)
		option(s.For > 0, "within %v", s.For)
		option(s.Until > 0, "until %v", s.Until)
	case Receive:
		option(s.Size > 0, "%d at a time", s.Size)
		option(s.Every > 0, "every %v", s.Every)
		option(s.Times > 0, "%d times", s.Times)
		option(s.Bytes > 0, "%d bytes", s.Bytes)
		option(s.Until > 0, "until %v", s.Until)
	case KeepAlive:
		add("%v", s.For)
		option(s.Times > 0, "count %d", s.Times)
	case ARQSend, ARQReceive:
		add("%s", s.Mode)
		option(s.Window > 0, "window %d", s.Window)
		option(s.For > 0, "timeout %v", s.For)
		option(s.Frames > 0, "frames %d", s.Frames)
		option(s.Size > 0, "size %d", s.Size)
	}
	if s.As != "" {
		add("as %s", s.As)
	}
	if s.Do == Connect {
		option(s.From > 0, "from %d", s.From)
		option(s.For > 0, "within %v", s.For)
	}
	return b.String()
}

// MarshalText implements encoding.TextMarshaler.
func (s Statement) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Statement) UnmarshalText(b []byte) error {
	v, err := ParseStatement(string(b))
	*s = v
	return err
}

package text

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// A port is a hub with a line port on real loopback sockets.
type port struct {
	t        *testing.T
	hub      *chat.Hub
	tcp, udp string
}

func open(t *testing.T, cfg chat.Config) *port {
	t.Helper()
	queue, err := missed.Open(missed.Config{Store: missed.NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Queue = queue
	hub, err := chat.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{Hub: hub, Key: cfg.Key}
	served := make(chan error, 2)
	go func() { served <- s.Serve(ctx, ln) }()
	go func() { served <- s.ServePacket(ctx, pc) }()
	t.Cleanup(func() {
		hub.Close("the test is over")
		cancel()
		for range 2 {
			if err := <-served; err != nil {
				t.Errorf("Serve: %v", err)
			}
		}
		queue.Close()
	})
	return &port{t: t, hub: hub, tcp: ln.Addr().String(), udp: pc.LocalAddr().String()}
}

// A person is somebody with nc.
type person struct {
	t     *testing.T
	nc    net.Conn
	lines chan string
}

func (p *port) person(network string, first ...string) *person {
	p.t.Helper()
	addr := p.tcp
	if network == "udp" {
		addr = p.udp
	}
	nc, err := net.Dial(network, addr)
	if err != nil {
		p.t.Fatal(err)
	}
	who := &person{t: p.t, nc: nc, lines: make(chan string, 10_000)}
	for _, line := range first {
		who.say(line)
	}
	go func() {
		r := bufio.NewReaderSize(nc, 1<<20)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				close(who.lines)
				return
			}
			who.lines <- strings.TrimSuffix(line, "\n")
		}
	}()
	p.t.Cleanup(func() { nc.Close() })
	return who
}

func (w *person) say(line string) {
	w.t.Helper()
	if _, err := w.nc.Write([]byte(line + "\n")); err != nil {
		w.t.Fatal(err)
	}
}

// expect reads up to a line that starts so, and returns what came before it.
func (w *person) expect(start string) []string {
	w.t.Helper()
	var before []string
	deadline := time.After(10 * time.Second)
	for {
		select {
		case line, ok := <-w.lines:
			if !ok {
				w.t.Fatalf("closed; want %q after %q", start, before)
			}
			if strings.HasPrefix(line, start) {
				return before
			}
			before = append(before, line)
		case <-deadline:
			w.t.Fatalf("no %q after %q", start, before)
		}
	}
}

// end expects the connection to be closed.
func (w *person) end() []string {
	w.t.Helper()
	var before []string
	deadline := time.After(10 * time.Second)
	for {
		select {
		case line, ok := <-w.lines:
			if !ok {
				return before
			}
			before = append(before, line)
		case <-deadline:
			w.t.Fatal("not closed")
		}
	}
}

func TestChatInLines(t *testing.T) {
	for _, key := range []string{"", "open sesame"} {
		p := open(t, chat.Config{Key: []byte(key)})
		tina := p.person("tcp", "/name tina")
		tina.expect("* wirelab: type to chat")
		tina.expect("* you are tina, in lobby")
		ulla := p.person("udp", "/name ulla")
		ulla.expect("* wirelab: type to chat")
		ulla.expect("* you are ulla, in lobby")
		tina.expect("* ulla joined lobby over text udp")
		tina.say("hello from a stream")
		ulla.expect("[lobby] tina: hello from a stream")
		ulla.say("hello from a datagram")
		if before := tina.expect("[lobby] ulla: hello from a datagram"); len(before) > 0 {
			t.Errorf("tina also read %q", before)
		}
	}
}

func TestCommands(t *testing.T) {
	p := open(t, chat.Config{})
	ana := p.person("tcp", "/name ana")
	ana.expect("* you are ana, in lobby")
	bob := p.person("tcp", "/name bob")
	bob.expect("* you are bob, in lobby")
	ana.expect("* bob joined lobby over text tcp")
	for _, tt := range []struct{ say, want string }{
		{"/help", "* /name NAME"},
		{"/who", "* in lobby: ana (text tcp), bob (text tcp)"},
		{"/who nowhere", `* /who: not a member of "nowhere"`},
		{"/who", "* in lobby"},
		{"/join den", "* you are in den, and write to it"},
		{"/rooms", "* rooms: den (1), lobby (2)"},
		{"/join lobby", "* you write to lobby now"},
		{"/leave", "* you left lobby, and write to den"},
		{"/leave den", "* you left den; /join ROOM to enter another"},
		{"into the void", "* you are in no room: /join ROOM first"},
		{"/join lobby", "* you are in lobby, and write to it"},
		{"/join @bob", "* /join: room"},
		{"/name bob", `* /name: the name "bob" is taken`},
		{"/name Ana Maria", "* you are Ana Maria now"},
		{"/nick", "* /nick: which name?"},
		{"/msg bob psst", "* sent to bob"},
		{"/msg bob", "* /msg NAME TEXT"},
		{"/msg nobody hi", `* /msg: nobody is called "nobody"`},
		{"/dance \x1b[31m", "* no such command: /dance"},
	} {
		ana.say(tt.say)
		ana.expect(tt.want)
	}
	bob.expect("* ana left lobby")
	bob.expect("* ana is now Ana Maria")
	bob.expect("[@] Ana Maria: psst")
	ana.say("//tmp is full")
	bob.expect("[lobby] Ana Maria: /tmp is full")
	ana.say("/quit")
	if got := ana.end(); len(got) != 1 || got[0] != "* goodbye" {
		t.Errorf("after /quit: %q", got)
	}
	bob.expect("* Ana Maria left lobby")
}

// An insider is a member that emits whatever it likes, without a socket.
type insider struct {
	t    *testing.T
	conn *chat.Conn
}

func (insider) Wake()           {}
func (insider) Close()          {}
func (insider) Info() chat.Info { return chat.Info{Transport: "test"} }

func (p *port) insider(name string) *insider {
	p.t.Helper()
	i := &insider{t: p.t}
	var err error
	if i.conn, err = p.hub.Attach(i, nil); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { i.conn.Detach("over") })
	i.receive(&wire.Envelope{Kind: wire.KindConnect, Args: wire.EncodeBody(wire.Connect{Name: name, Rooms: []wire.RoomCursor{{Room: "lobby"}}})})
	return i
}

func (i *insider) receive(e *wire.Envelope) {
	i.t.Helper()
	if err := i.conn.Receive(e); err != nil {
		i.t.Fatal(err)
	}
	i.conn.Flush()
	i.conn.Next(nil, 1<<20)
}

func (i *insider) emit(event string, args []byte) {
	i.t.Helper()
	i.receive(&wire.Envelope{Kind: wire.KindEvent, Room: []byte("lobby"), Event: []byte(event), Args: args})
}

// Events other than chat lines are named as such.
func TestOtherEvents(t *testing.T) {
	p := open(t, chat.Config{})
	tina := p.person("tcp", "/name tina")
	tina.expect("* you are tina")
	eve := p.insider("eve")
	tina.expect("* eve joined")
	for _, tt := range []struct{ event, args, want string }{
		{"move", `[1,"a\u001b"]`, `[lobby] eve emits move [1,"a\u001b"]`},
		{"a: b", `[]`, `[lobby] eve emits "a: b" []`},
		{"msg", `["two",2]`, `[lobby] eve emits msg ["two",2]`},
		{"member_left", `["tina","left"]`, `[lobby] eve emits member_left ["tina","left"]`},
	} {
		eve.emit(tt.event, []byte(tt.args))
		if before := tina.expect(tt.want); len(before) > 0 {
			t.Errorf("%s is shown as %.80q, want %.80q", tt.event, before, tt.want)
		}
	}
}

// Somebody who only listens is a guest after a second.
func TestGuest(t *testing.T) {
	p := open(t, chat.Config{})
	quiet := p.person("tcp")
	quiet.expect("* you are guest-")
	named := p.person("tcp", "hello")
	named.expect("* you are guest-")
	quiet.expect("[lobby] guest-")
	udp := p.person("udp", "hi")
	udp.expect("* you are guest-")
	quiet.expect("[lobby] guest-")
	taken := p.person("tcp", "/name -- no; name --")
	taken.expect(`* name "-- no; name --"`)
	taken.expect("* you are guest-")
}

// No text can pass for a line of the program or of somebody else, or reach the
// terminal's controls.
func TestHostileText(t *testing.T) {
	p := open(t, chat.Config{})
	tina := p.person("tcp", "/name tina")
	tina.expect("* you are tina")
	eve := p.insider("eve")
	tina.expect("* eve joined")
	for _, tt := range []struct{ text, want string }{
		{"a\n* you are removed", "[lobby] eve: a␊* you are removed"},
		{"a\r[lobby] bob: hi", "[lobby] eve: a␍[lobby] bob: hi"},
		{"\x1b[2J\x1b]0;title\x07", "[lobby] eve: ␛[2J␛]0;title␇"},
		{"abc\u202edef", "[lobby] eve: abc‹U+202E›def"},
		{"\u009b31m", "[lobby] eve: ‹U+009B›31m"},
		{strings.Repeat("é", 3000), "[lobby] eve: " + strings.Repeat("é", 2048) + "… (1904 bytes more)"},
	} {
		eve.emit(textEvent, array(tt.text))
		if before := tina.expect(tt.want); len(before) > 0 {
			t.Errorf("%.40q is shown as %.80q, want %.80q", tt.text, before, tt.want)
		}
	}
}

func TestLongLine(t *testing.T) {
	p := open(t, chat.Config{})
	for _, network := range []string{"tcp", "udp"} {
		who := p.person(network, "/name "+network)
		who.expect("* you are " + network)
		who.say(strings.Repeat("x", MaxLine+1))
		who.expect("* that line was longer than 4096 bytes: it was dropped")
	}
}

// Random bytes on either port end nothing but, at worst, their own connection.
func TestRandomBytes(t *testing.T) {
	p := open(t, chat.Config{})
	tina := p.person("tcp", "/name tina")
	tina.expect("* you are tina")
	for i := range 20 {
		b := make([]byte, 3000)
		x := uint64(i)*2862933555777941757 + 3037000493
		for j := range b {
			x = x*6364136223846793005 + 1442695040888963407
			b[j] = byte(x >> 56)
		}
		for _, network := range []string{"tcp", "udp"} {
			w := p.person(network)
			w.nc.Write(b)
			if network == "tcp" {
				w.nc.Close()
			}
		}
	}
	tina.say("/who")
	tina.expect("* in lobby:")
}

// On UDP a minute of silence ends a member; there is no other way to know.
func TestSilenceEndsAMember(t *testing.T) {
	queue, err := missed.Open(missed.Config{Store: missed.NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close()
	hub, err := chat.New(chat.Config{Queue: queue})
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close("")
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	ulla, err := net.Dial("udp", pc.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer ulla.Close()
	v := &packets{server: &Server{Hub: hub}, conn: pc, peers: make(map[string]*peer), more: make(chan struct{}, 1)}
	p, fresh := v.peer(ulla.LocalAddr())
	if p == nil || !fresh {
		t.Fatal("no member")
	}
	p.m.line([]byte("/name ulla"), false)
	v.flush()
	v.expire(p.heard.Add(silence - 1))
	v.flush()
	if len(v.peers) != 1 {
		t.Error("gone too early")
	}
	v.expire(p.heard.Add(silence))
	v.flush()
	if len(v.peers) != 0 {
		t.Error("still there after a minute of silence")
	}
	buf := make([]byte, 2000)
	ulla.SetReadDeadline(time.Now().Add(10 * time.Second))
	var all string
	for !strings.Contains(all, "goodbye") {
		n, err := ulla.Read(buf)
		if err != nil {
			t.Fatalf("%v after %q", err, all)
		}
		all += string(buf[:n])
	}
	if s := hub.Snapshot(); len(s.Members) != 0 {
		t.Errorf("members = %+v, want none", s.Members)
	}
}

func TestRefusesOtherThanLoopback(t *testing.T) {
	pc, err := net.ListenPacket("udp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := (&Server{}).ServePacket(t.Context(), pc); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("ServePacket() = %v, want a refusal", err)
	}
}

// Somebody who stops reading delays nobody.
func TestStoppedReader(t *testing.T) {
	p := open(t, chat.Config{Rate: -1})
	stuck, err := net.Dial("tcp", p.tcp)
	if err != nil {
		t.Fatal(err)
	}
	defer stuck.Close()
	stuck.(*net.TCPConn).SetReadBuffer(4096) // it is full soon
	stuck.Write([]byte("/name stuck\n"))
	tina := p.person("tcp", "/name tina")
	tina.expect("* you are tina")
	ana := p.person("tcp", "/name ana")
	ana.expect("* you are ana")
	text := strings.Repeat("x", 4000)
	for i := range 500 {
		ana.say(fmt.Sprint(i, text))
	}
	for i := range 500 {
		tina.expect(fmt.Sprintf("[lobby] ana: %d", i))
	}
}

package dissector_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wirelab/internal/wire"
)

// same fails unless the layers, by stream or packet as key says, are the frames.
func same(t *testing.T, got []layer, key func(*layer) int, frames map[int][][]byte, dissect func([]byte) []wire.Field) {
	t.Helper()
	n := 0
	next := make(map[int]int)
	for i := range got {
		l := &got[i]
		k := key(l)
		j := next[k]
		next[k]++
		if j >= len(frames[k]) {
			t.Errorf("packet %d (%d): one more than the %d that were sent", l.packet, k, len(frames[k]))
			continue
		}
		b := frames[k][j]
		if diff := cmp.Diff(want(t, b, dissect(b)), l.lines()); diff != "" {
			t.Fatalf("packet %d (%d, number %d), %.60x (-ours +tshark):\n%s", l.packet, k, j, b, diff)
		}
		n++
	}
	for k, all := range frames {
		if next[k] != len(all) {
			t.Errorf("%d: %d of %d", k, next[k], len(all))
		}
	}
	if n == 0 {
		t.Error("nothing was compared")
	}
}

func byPort(l *layer) int   { return l.port }
func byPacket(l *layer) int { return l.packet }

func join(all ...[]byte) []byte { return bytes.Join(all, nil) }

func frame(t *testing.T, e *wire.Envelope) []byte {
	t.Helper()
	b, err := wire.AppendFrame(nil, e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func steps(from, to, by int) (cuts []int) {
	for i := from; i < to; i += by {
		cuts = append(cuts, i)
	}
	return cuts
}

// However a stream was cut, each frame is there once, field by field.
func TestSegments(t *testing.T) {
	t.Parallel()
	names, all := vectors(t, "frame/")
	c := newCapture(t)
	frames := make(map[int][][]byte)
	port := uint16(20000)
	begin := func(all ...[]byte) (uint16, []byte) {
		port++
		frames[int(port)] = all
		return port, join(all...)
	}
	var good [][]byte
	for _, name := range names {
		if !strings.Contains(name, "/bad/") {
			good = append(good, all[name])
		}
	}
	for _, to := range []uint16{9000, 7777} { // known, and recognised
		src, b := begin(good...)
		c.stream(src, to, b, steps(1400, len(b), 1400)...)
		for _, g := range good {
			src, b := begin(g)
			c.stream(src, to, b, steps(1400, len(b), 1400)...)
		}
		src, b = begin(all["frame/ping"], all["frame/event"], all["frame/bye"])
		c.stream(src, to, b) // three in one
	}
	event := all["frame/event"]
	for cut := 1; cut < len(event); cut++ {
		src, b := begin(event, all["frame/pong"])
		c.stream(src, 9000, b, cut)
	}
	src, b := begin(event, all["frame/ping"])
	c.stream(src, 9000, b, steps(1, len(b), 1)...)
	src, b = begin(all["frame/utf8"], event, all["frame/ping"])
	for range 2 { // all but the last, twice
		c.stream(src, 9000, b[:len(b)-10], 50, 90)
	}
	c.tcp(src, 9000, len(b)-10, b[len(b)-10:])
	long := &wire.Envelope{Kind: wire.KindEvent, Flags: wire.FlagBinary, Room: bytes.Repeat([]byte("r"), 64), Namespace: bytes.Repeat([]byte("n"), 64),
		Sender: bytes.Repeat([]byte("s"), 64), Event: bytes.Repeat([]byte("e"), 64), Args: bytes.Repeat([]byte{0, 255, 7}, wire.MaxArguments/3+1)[:wire.MaxArguments]}
	src, b = begin(frame(t, long), event)
	c.stream(src, 9000, b, steps(1400, len(b), 1400)...)
	src, b = begin(frame(t, long), event)
	for _, at := range []int{0, 3000, 1000, 2000} { // out of order
		c.tcp(src, 9000, at, b[at:at+1000])
	}
	c.tcp(src, 9000, 4000, b[4000:40000])
	c.tcp(src, 9000, 40000, b[40000:])
	same(t, layers(t, c.b.Bytes(), "-o", "tcp.reassemble_out_of_order:TRUE"), byPort, frames, wire.DissectFrame)
}

// Without a look at the port, a stream that begins in the middle of a header is
// not recognised; "Decode As" says what it is.
func TestDecodeAs(t *testing.T) {
	t.Parallel()
	_, all := vectors(t, "frame/")
	c := newCapture(t)
	c.stream(20000, 7000, all["frame/event"], 3)
	if got := layers(t, c.b.Bytes()); len(got) != 0 {
		t.Errorf("3 bytes were enough: %+v", got)
	}
	same(t, layers(t, c.b.Bytes(), "-d", "tcp.port==7000,wirelab"), byPort, map[int][][]byte{20000: {all["frame/event"]}}, wire.DissectFrame)
}

func TestDatagrams(t *testing.T) {
	t.Parallel()
	names, all := vectors(t, "datagram/")
	c := newCapture(t)
	frames := make(map[int][][]byte)
	whole := make(map[int]bool)
	for i, name := range names {
		b := all[name]
		if len(b) > 0 {
			frames[c.udp(uint16(20000+i), 9000, b)] = [][]byte{b}
		}
		if !strings.Contains(name, "/bad/") {
			frames[c.udp(uint16(30000+i), uint16(40000+i), b)] = [][]byte{b}
		}
		whole[c.n] = true
	}
	// What a bad MAC or number means, a dissector cannot know.
	same(t, layers(t, c.b.Bytes()), byPacket, frames, wire.DissectDatagram)
}

// fragments cuts an envelope as a sender does.
func fragments(h wire.Header, e []byte, size int, before ...byte) (all [][]byte) {
	h.Flags |= wire.DatagramFragment
	h.Fragment.Count = uint16((len(e) + size - 1) / size)
	for i := 0; i < len(e); i += size {
		h.Fragment.Index = uint16(i / size)
		h.Number++
		all = append(all, append(append(wire.AppendHeader(nil, &h), before...), e[i:min(i+size, len(e))]...))
	}
	return all
}

// In whatever order the parts come, the envelope stands in the packet of the
// last, and all parts name that packet; a second pass says the same.
func TestFragments(t *testing.T) {
	t.Parallel()
	c := newCapture(t)
	r := rand.New(rand.NewPCG(1, 2))
	parts := make(map[int][][]byte)  // by packet
	wholes := make(map[int][]byte)   // envelopes by the packet that completes them
	completed := make(map[int][]int) // the packets that the parts came in, by index
	var of uint32
	send := func(src, dst uint16, h wire.Header, order func(n int) []int, before ...byte) {
		of++
		if h.Type == wire.TypeData {
			h.Fragment.Of = of
		}
		e := frame(t, &wire.Envelope{Kind: wire.KindEvent, ID: uint64(of), Room: []byte("lobby"), Args: []byte(`["` + strings.Repeat("x", 3000+int(of)) + `"]`)})[wire.LengthSize:]
		all := fragments(h, e, 1000, before...)
		came := make(map[int]int)
		for _, i := range order(len(all)) {
			n := c.udp(src, dst, all[i])
			parts[n] = [][]byte{all[i]}
			if _, again := came[i]; again {
				continue
			}
			if came[i] = n; len(came) == len(all) {
				wholes[n] = e
				for j := range all {
					completed[n] = append(completed[n], came[j])
				}
			}
		}
	}
	straight := func(n int) []int { return steps(0, n, 1) }
	data := wire.Header{Type: wire.TypeData, Session: 7, Ack: 3}
	send(20000, 9000, data, straight)
	send(20000, 9000, data, func(n int) []int { return []int{3, 2, 1, 0} })
	send(20000, 9000, data, func(n int) []int { return []int{0, 0, 1, 1, 3, 2, 2, 0} })
	send(20000, 9000, data, func(n int) []int { return []int{0, 1, 3} }) // one is lost
	for range 20 {
		send(20000, 9000, data, r.Perm)
	}
	sealed := data
	sealed.Flags = wire.DatagramMAC | wire.DatagramReliable
	send(9000, 20000, sealed, straight)
	of-- // the other direction has the same number
	send(20001, 9000, sealed, straight)
	nonce := bytes.Repeat([]byte{9}, wire.NonceSize)
	send(9000, 20002, wire.Header{Type: wire.TypeAccept, Session: 8}, straight, nonce...)
	send(20002, 9000, wire.Header{Type: wire.TypeOpen}, straight, append(nonce, make([]byte, wire.CookieSize)...)...)
	send(20003, 7777, data, straight) // recognised by its header
	// A count that differs is another envelope, and both wait.
	for _, count := range []int{2, 3} {
		h := wire.Header{Type: wire.TypeData, Flags: wire.DatagramFragment, Session: 70, Fragment: wire.Fragment{Of: 1, Index: uint16(count - 2), Count: uint16(count)}}
		b := append(wire.AppendHeader(nil, &h), "part"...)
		parts[c.udp(20000, 9000, b)] = [][]byte{b}
	}

	for _, args := range [][]string{nil, {"-2"}} {
		got := layers(t, c.b.Bytes(), args...)
		var outer []layer
		inner := 0
		for i, l := range got {
			if i == 0 || got[i-1].packet != l.packet {
				outer = append(outer, l)
				var from []int
				for _, f := range l.all("wirelab.udp.fragment.from") {
					var n int
					fmt.Sscan(f.Show, &n)
					from = append(from, n)
				}
				if !slices.Equal(from, completed[l.packet]) {
					t.Errorf("packet %d: parts from %v, want %v", l.packet, from, completed[l.packet])
				}
				continue
			}
			inner++
			e := wholes[l.packet]
			if diff := cmp.Diff(want(t, e, wire.DissectEnvelope(e)), l.lines()); diff != "" {
				t.Errorf("packet %d, put together (-ours +tshark):\n%s", l.packet, diff)
			}
		}
		if inner != len(wholes) {
			t.Errorf("%v: %d envelopes put together, want %d", args, inner, len(wholes))
		}
		same(t, outer, byPacket, parts, wire.DissectDatagram)
		if args == nil {
			continue
		}
		// With two passes the earlier parts know, too, where the whole is.
		for _, l := range outer {
			for whole, from := range completed {
				if slices.Contains(from, l.packet) && l.packet != whole {
					if in := l.all("wirelab.udp.fragment.in"); len(in) != 1 || in[0].Show != fmt.Sprint(whole) {
						t.Errorf("packet %d: whole in %v, want %d", l.packet, in, whole)
					}
				}
			}
		}
	}
}

// A snap length cuts packets; what is there is shown, and that it is not all.
func TestSnapLength(t *testing.T) {
	t.Parallel()
	_, all := vectors(t, "datagram/")
	b := all["datagram/event"]
	c := newCapture(t)
	whole := datagram(20000, 9000, b)
	for n := 29; n < len(whole); n++ {
		c.write(whole[:n], len(whole))
	}
	got := layers(t, c.b.Bytes())
	if len(got) != len(b)-1 {
		t.Fatalf("%d layers, want %d", len(got), len(b)-1)
	}
	for i, l := range got {
		if len(l.all("wirelab.cut")) != 1 || len(l.all("wirelab.malformed")) != 0 {
			t.Errorf("%d bytes kept: not called cut: %v", i+1, l.lines())
		}
	}
}

// mutate changes b as a fault or an enemy might.
func mutate(r *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	for range 1 + r.IntN(3) {
		if len(b) == 0 {
			return []byte{byte(r.Uint32())}
		}
		i := r.IntN(min(len(b), 70))
		switch r.IntN(6) {
		case 0:
			b[i] ^= 1 << r.IntN(8)
		case 1:
			b[i] = byte(r.Uint32())
		case 2:
			b[i] = []byte{0, 1, 64, 65, 127, 128, 255}[r.IntN(7)]
		case 3:
			b = b[:r.IntN(len(b)+1)]
		case 4:
			b = slices.Insert(b, i, byte(r.Uint32()))
		case 5:
			if i+8 <= len(b) {
				binary.BigEndian.PutUint64(b[i:], []uint64{0, 1 << 63, 1<<63 - 1, ^uint64(0), r.Uint64()}[r.IntN(5)])
			}
		}
	}
	return b
}

// Whatever comes, tshark shows what our decoder shows, and Lua makes no error.
func TestMutated(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(4, 0))
	names, all := vectors(t, "")
	names = slices.DeleteFunc(names, func(s string) bool { return len(all[s]) == 0 || len(all[s]) > 4000 })
	c, elsewhere := newCapture(t), newCapture(t)
	datagrams, streams := make(map[int][][]byte), make(map[int][]byte)
	for i := range 2000 {
		name := names[r.IntN(len(names))]
		b := mutate(r, all[name])
		if len(b) == 0 {
			continue
		}
		elsewhere.udp(uint16(10000+i), uint16(40000+i), b)
		elsewhere.tcp(uint16(10000+i), uint16(40000+i), 0, b)
		if strings.HasPrefix(name, "datagram/") {
			datagrams[c.udp(uint16(10000+i), 9000, b)] = [][]byte{b}
		} else {
			streams[c.tcp(uint16(10000+i), 9000, 0, b)] = b
		}
	}
	if out := run(t, elsewhere.b.Bytes(), "-Y", "_ws.lua.error"); len(out) > 0 {
		t.Errorf("errors in Lua: %.500s", out)
	}
	var ofDatagrams, firsts []layer
	last := 0
	for _, l := range layers(t, c.b.Bytes()) {
		if _, ok := datagrams[l.packet]; ok {
			ofDatagrams = append(ofDatagrams, l)
		} else if l.packet != last {
			firsts = append(firsts, l)
		}
		last = l.packet
	}
	same(t, ofDatagrams, byPacket, datagrams, wire.DissectDatagram)
	frames := make(map[int][][]byte)
	waits := 0
	for n, b := range streams {
		raw, rest, err := wire.SplitFrame(b)
		if err == nil && raw == nil {
			// It waits for more, unless what is there is wrong already.
			if i := slices.IndexFunc(firsts, func(l layer) bool { return l.packet == n }); i < 0 {
				waits++
				continue
			}
		} else if raw != nil {
			if _, err := wire.Decode(raw); err == nil {
				b = b[:len(b)-len(rest)]
			}
		}
		frames[n] = [][]byte{b}
	}
	same(t, firsts, byPacket, frames, wire.DissectFrame)
	t.Logf("%d datagrams, %d frames, %d of which wait for more", len(datagrams), len(streams), waits)
}

// Other protocols on other ports are left alone.
func TestStrangers(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 0))
	names, all := vectors(t, "")
	c := newCapture(t)
	strangers := [][]byte{
		[]byte("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"), []byte("W\x01"), make([]byte, 100), bytes.Repeat([]byte{255}, 100),
		append([]byte{0, 0, 0, 96, 1, 5}, bytes.Repeat([]byte{1}, 94)...), append([]byte("W\x01\x05\x00"), make([]byte, 100)...),
		append([]byte("W\x01\x06\x00"), make([]byte, 41)...), append([]byte{0, 0, 0, 12, 0, 1, 2, 3}, make([]byte, 92)...),
	}
	for _, name := range names {
		if strings.Contains(name, "/bad/") && !strings.HasSuffix(name, "/cut") {
			strangers = append(strangers, all[name])
		}
	}
	for range 1500 {
		b := make([]byte, r.IntN(200))
		for i := range b {
			b[i] = byte(r.Uint32() >> r.IntN(8)) // small numbers are likely, too
		}
		strangers = append(strangers, b)
	}
	for i, b := range strangers {
		c.udp(uint16(20000+i), uint16(50000+i), b)
		c.tcp(uint16(20000+i), uint16(50000+i), 0, b)
	}
	for _, l := range layers(t, c.b.Bytes(), "-Y", "wirelab") {
		t.Errorf("claimed: %v", l.lines())
	}
}

// The Info column: short, all messages of a packet, and no control characters.
func TestInfo(t *testing.T) {
	t.Parallel()
	msg := func(room, sender, event, args string, flags wire.Flags) []byte {
		return frame(t, &wire.Envelope{Kind: wire.KindEvent, Flags: flags, Room: []byte(room), Sender: []byte(sender), Event: []byte(event), Args: []byte(args)})
	}
	hello := msg("lobby", "ana", "msg", `["hello"]`, 0)
	ack := frame(t, &wire.Envelope{Kind: wire.KindAck, Flags: wire.FlagFailed, Room: []byte("lobby"), Args: []byte(`[{"code":"rate"}]`)})
	cursor := frame(t, &wire.Envelope{Kind: wire.KindCursor, Seq: 1<<64 - 1, Prev: 17, Room: []byte("lobby"), Args: []byte(`{}`)})
	connect := frame(t, &wire.Envelope{Kind: wire.KindConnect, Args: []byte(`{"name":"ana","session":"none"}`)})
	c := newCapture(t)
	var wants []string
	tcp := func(want string, all ...[]byte) {
		c.tcp(uint16(20000+len(wants)), 9000, 0, join(all...))
		wants = append(wants, want)
	}
	udp := func(want string, h wire.Header, payload []byte) {
		c.udp(uint16(20000+len(wants)), 9000, append(wire.AppendHeader(nil, &h), payload...))
		wants = append(wants, want)
	}
	tcp("event lobby/ana: hello", hello)
	tcp("event lobby/ana: hello; ack lobby failed: [{\"code\":\"rate\"}]; cursor lobby 17 to 18446744073709551615", hello, ack, cursor)
	tcp("connect ana", connect)
	tcp("event lobby/ana join: "+strings.Repeat("é", 30)+"…", msg("lobby", "ana", "join", `["`+strings.Repeat("é", 300)+`"]`, 0))
	tcp("event a.b\ufffd/c.d: .[2J", msg("a\x00b\xc3", "c\u202ed", "msg", "[\"\x1b[2J\"]", 0))
	tcp("event lobby/ana: 3 bytes", msg("lobby", "ana", "msg", "\x01\x02\x03", wire.FlagBinary))
	tcp("malformed: frame length 0, want 40 to 65832", make([]byte, 20))
	udp("data 5 reliable 2: event lobby/ana: hello", wire.Header{Type: wire.TypeData, Flags: wire.DatagramReliable, Number: 5, Reliable: 2}, hello[wire.LengthSize:])
	udp("ack 6: ack 9", wire.Header{Type: wire.TypeAck, Number: 6, Ack: 9}, nil)
	out := run(t, c.b.Bytes(), "-T", "fields", "-e", "_ws.col.Info")
	if diff := cmp.Diff(strings.Join(wants, "\n")+"\n", string(out)); diff != "" {
		t.Errorf("Info (-want +tshark):\n%s", diff)
	}
}

package show

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"wirelab/internal/pcapng"
	"wirelab/internal/wire"
	"wirelab/packets"
)

// A capturer writes a capture of raw IP.
type capturer struct {
	t   testing.TB
	b   bytes.Buffer
	w   *pcapng.Writer
	now time.Time
}

func newCapturer(t testing.TB, interfaces ...string) *capturer {
	t.Helper()
	c := &capturer{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	var err error
	if c.w, err = pcapng.NewWriter(&c.b); err != nil {
		t.Fatal(err)
	}
	for _, name := range interfaces {
		if _, err := c.w.Describe(pcapng.Interface{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// put writes a packet 10 ms after the one before it.
func (c *capturer) put(at int, comment string, data []byte) {
	c.t.Helper()
	c.now = c.now.Add(10 * time.Millisecond)
	if err := c.w.Write(&pcapng.Packet{Interface: at, Time: c.now, Comment: comment, Data: data}); err != nil {
		c.t.Fatal(err)
	}
}

// ip returns an IPv4 packet between two hosts; back is from the second.
func ip(protocol byte, back bool, body []byte) []byte {
	b := make([]byte, 20, 20+len(body))
	b[0], b[8], b[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(body)))
	copy(b[12:], []byte{192, 0, 2, 2, 192, 0, 2, 1})
	if back {
		copy(b[12:], []byte{192, 0, 2, 1, 192, 0, 2, 2})
	}
	return append(b, body...)
}

// tcpSegment returns a TCP segment between ports 40000 and port.
func tcpSegment(back bool, port uint16, seq, ack uint32, control byte, payload []byte) []byte {
	b := make([]byte, 20, 20+len(payload))
	src, dst := uint16(40000), port
	if back {
		src, dst = dst, src
	}
	binary.BigEndian.PutUint16(b, src)
	binary.BigEndian.PutUint16(b[2:], dst)
	binary.BigEndian.PutUint32(b[4:], seq)
	binary.BigEndian.PutUint32(b[8:], ack)
	b[12], b[13] = 0x50, control
	binary.BigEndian.PutUint16(b[14:], 8192)
	return ip(packets.ProtocolTCP, back, append(b, payload...))
}

func frame(t testing.TB, said string) []byte {
	t.Helper()
	b, err := wire.AppendFrame(nil, &wire.Envelope{Kind: wire.KindEvent, Room: []byte("lobby"), Sender: []byte("ana"),
		Event: []byte("msg"), Args: fmt.Appendf(nil, "[%q]", said)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// lesson has what the chat's capture has not: three interfaces, a lost packet
// that is sent again, a frame over two segments, UDP, and WebSocket.
func lesson(t testing.TB) []byte {
	c := newCapturer(t, "ana", "link", "server")
	long := frame(t, "this takes two segments")
	for at := range 3 {
		c.put(at, "", tcpSegment(false, 9000, 99, 0, packets.SYN, nil))
	}
	c.put(2, "", tcpSegment(true, 9000, 499, 100, packets.SYN|packets.ACK, nil))
	c.put(0, "", tcpSegment(true, 9000, 499, 100, packets.SYN|packets.ACK, nil))
	c.put(0, "", tcpSegment(false, 9000, 100, 500, packets.ACK, nil))
	c.put(0, "", tcpSegment(false, 9000, 100, 500, packets.ACK|packets.PSH, long[:30]))
	c.put(1, "lost: random", tcpSegment(false, 9000, 100, 500, packets.ACK|packets.PSH, long[:30]))
	c.put(0, "", tcpSegment(false, 9000, 130, 500, packets.ACK|packets.PSH, append(append([]byte{}, long[30:]...), frame(t, "hello")...)))
	c.put(0, "", tcpSegment(false, 9000, 100, 500, packets.ACK|packets.PSH, long[:30]))
	udp := append([]byte{0x9c, 0x40, 0x23, 0x28, 0, 52, 0, 0}, wire.AppendHeader(nil, &wire.Header{Type: wire.TypeAck, Session: 5, Number: 9, Ack: 7})...)
	c.put(2, "", ip(packets.ProtocolUDP, false, udp))
	c.put(0, "", tcpSegment(false, 8080, 1, 1, packets.ACK, []byte("GET /chat HTTP/1.1\r\nHost: lab\r\nUpgrade: websocket\r\n\r\n")))
	c.put(0, "", tcpSegment(true, 8080, 1, 54, packets.ACK, []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\r\n")))
	c.put(0, "", tcpSegment(true, 8080, 58, 54, packets.ACK, []byte("\x81\x05hello\x81\x7e\x00\xc8and this one is lo")))
	return c.b.Bytes()
}

// hostile has texts that would move a cursor.
func hostile(t testing.TB) []byte {
	c := newCapturer(t, "a\x1b[2Jb\u202e")
	const remark = "\x1b]0;x\x07\r\n\u202egnp\u0301\u0301\u0301\u0301\u0301\u200d\u009b2J"
	const evil = "\x1b]0;x\x07\r\n\u202egnp\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u200d\xff\u009b2J"
	c.put(0, remark, tcpSegment(false, 9000, 1, 1, packets.ACK, frame(t, evil)))
	c.put(0, remark, tcpSegment(false, 9001, 1, 1, packets.ACK, []byte("GET /"+evil+" HTTP/1.1\r\n"+evil+": "+evil+"\r\n\r\n"+evil)))
	c.put(0, remark, ip(packets.ProtocolUDP, false, append([]byte{0, 53, 0, 53, 0, 0, 0, 0}, "\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07\x1b[2J\u202e\x00\x00\x01\x00\x01"...)))
	c.put(0, remark, tcpSegment(false, 9002, 1, 1, packets.ACK, []byte(evil)))
	c.put(0, remark, []byte(evil))
	c.put(0, remark, nil)
	return c.b.Bytes()
}

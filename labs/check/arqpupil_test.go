package check

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// arqProgram does what the ARQ labs ask for, with one mistake. It was written
// from the labs' text, not from the checker.
func arqProgram(addr, mode, mistake string) {
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	p := &arqEnd{c: c.(*net.UDPConn), mistake: mistake, window: 8, wrap: 1 << 30, kept: map[int]string{}, sent: map[int]time.Time{}, acked: map[int]bool{}, timeout: 200 * time.Millisecond}
	if mode == "stop-and-wait" {
		p.window, p.wrap = 1, 2
	}
	switch mistake {
	case "sometimes":
		f, _ := os.OpenFile("starts", os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
		f.Write([]byte("x"))
		info, _ := f.Stat()
		if p.mistake = "none"; info.Size()%2 == 0 {
			p.mistake = "delivers-twice"
		}
	case "wide":
		p.window = 16
	case "narrow":
		p.window = 1
	case "hasty":
		p.timeout = 40 * time.Millisecond
	case "sluggish":
		p.timeout = 3 * time.Second
	}
	buf := make([]byte, 65535)
	for {
		p.c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		n, from, err := p.c.ReadFromUDPAddrPort(buf)
		if err == nil {
			p.to = net.UDPAddrFromAddrPort(from)
			p.take(strings.SplitN(string(buf[:n]), " ", 3))
		}
		p.send()
	}
}

type arqEnd struct {
	c       *net.UDPConn
	to      *net.UDPAddr
	mistake string
	window  int
	wrap    int
	timeout time.Duration

	next int            // of what comes
	kept map[int]string // out of order

	queue []string
	base  int
	sent  map[int]time.Time
	acked map[int]bool
}

func (p *arqEnd) write(text string) { p.c.WriteToUDP([]byte(text), p.to) }

func (p *arqEnd) deliver(text string) {
	if p.mistake != "small" {
		text = strings.ToUpper(text)
	}
	p.queue = append(p.queue, text)
}

func (p *arqEnd) take(words []string) {
	wire, _ := strconv.Atoi(words[1])
	if words[0] == "ACK" {
		// The number that is out there and looks like that on the wire.
		for n := p.base; n < p.base+p.window && n < len(p.queue); n++ {
			if n%p.wrap == wire || p.mistake == "any-ack" {
				p.acked[n] = true
				if p.mistake != "any-ack" {
					break
				}
			}
		}
		for p.acked[p.base] {
			p.base++
		}
		return
	}
	n := wire
	if p.wrap == 2 {
		if n = p.next; n%2 != wire {
			n-- // a copy
		}
	}
	switch {
	case n < p.next && p.mistake == "acks-once":
		return
	case n > p.next && p.mistake == "keeps-nothing":
		return
	}
	if p.mistake == "wrong-ack" {
		wire = 1 - wire
	}
	p.write(fmt.Sprintf("ACK %d", wire))
	switch {
	case n < p.next:
		if p.mistake == "delivers-twice" {
			p.deliver(words[2])
		}
	case p.mistake == "out-of-order":
		if _, ok := p.kept[n]; !ok {
			p.deliver(words[2])
		}
		p.kept[n] = words[2]
		for _, ok := p.kept[p.next]; ok; _, ok = p.kept[p.next] {
			p.next++
		}
	default:
		p.kept[n] = words[2]
		for text, ok := p.kept[p.next]; ok; text, ok = p.kept[p.next] {
			p.deliver(text)
			delete(p.kept, p.next)
			p.next++
		}
	}
}

func (p *arqEnd) send() {
	late := false
	for n := p.base; n < min(p.base+p.window, len(p.queue)); n++ {
		at, was := p.sent[n]
		late = late || was && !p.acked[n] && time.Since(at) >= p.timeout
	}
	for n := p.base; n < min(p.base+p.window, len(p.queue)); n++ {
		at, was := p.sent[n]
		switch {
		case !was:
		case p.mistake == "never-again":
			continue
		case p.mistake == "all-again" && late: // go-back-n
		case p.acked[n] || time.Since(at) < p.timeout:
			continue
		}
		p.sent[n] = time.Now()
		p.write(fmt.Sprintf("DATA %d %s", n%p.wrap, p.queue[n]))
	}
	if p.mistake == "chatters" && p.base > 0 && time.Since(p.sent[p.base-1]) > 150*time.Millisecond {
		p.sent[p.base-1] = time.Now()
		p.write(fmt.Sprintf("DATA %d %s", (p.base-1)%p.wrap, p.queue[p.base-1]))
	}
}

package show

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"wirelab/internal/cells"
	"wirelab/packets"
	"wirelab/packets/layer"
)

// builtIn is a capture of one packet: "hello", said in a real chat over TCP
// between two network namespaces, with Ethernet.
//
//go:embed testdata/message.pcap
var builtIn []byte

// BuiltIn returns a capture of one real message, for a Card without another.
func BuiltIn() io.Reader { return bytes.NewReader(builtIn) }

// A Card is the reference card of the layers, with one real message.
type Card struct {
	Name    string // of the capture; empty for the built-in one
	Entry   Entry
	Layers  []layer.Layer
	Data    []byte
	Message int // bytes of Data that are the message itself
}

// maxSearched is how many packets are looked through for a message.
const maxSearched = 1_000_000

// errNoMessage is the error of a capture that has nothing to fill a card with.
var errNoMessage = errors.New("no packet with a message in it")

// NewCard takes the first chat event of a capture, else the first payload of
// TCP, else of UDP, from among its first million packets. An error of the
// reader after one was found is none.
func NewCard(name string, r *packets.Reader) (*Card, error) {
	t := Tracker{Interfaces: r.Interfaces}
	var (
		p      packets.Packet
		h      packets.Headers
		best   Card
		better = -1
	)
	for range maxSearched {
		err := r.Read(&p)
		if err != nil {
			if better < 0 && !errors.Is(err, io.EOF) {
				return nil, err
			}
			break
		}
		h.Decode(&p)
		e := t.Add(&p, &h)
		rank := -1
		switch {
		case h.PayloadLen == 0:
		case e.Protocol == "chat" && strings.HasPrefix(e.Info, "event") || e.Protocol == "chat" && strings.Contains(e.Info, ": event"):
			rank = 2
		case h.TCP:
			rank = 1
		case h.UDP:
			rank = 0
		}
		if rank > better {
			q := p.Clone()
			best = Card{Name: name, Entry: e, Layers: layer.Tree(&q, nil, &e.Context), Data: q.Data}
			better = rank
		}
		if better == 2 {
			break
		}
	}
	if better < 0 {
		return nil, errNoMessage
	}
	for i := range best.Layers {
		best.Message += unclaimed(&best.Layers[i])
	}
	return &best, nil
}

// A reference is what the card says of a layer of OSI.
type reference struct {
	OSI      int    `json:"osi"`
	Name     string `json:"name"`
	TCPIP    string `json:"tcpip"`
	Purpose  string `json:"purpose"`
	Unit     string `json:"unit"`
	Address  string `json:"address"`
	Examples string `json:"examples"`
}

// references are the layers from 7 down. TCP/IP has no sessions and no
// presentation of its own: programs do that, here the chat.
func references() []reference {
	return []reference{
		{7, osiNames[7], layer.Application, "what programs say to each other, and what it means", "message", "name, URL, room", "HTTP, DNS, the chat's events"},
		{6, osiNames[6], layer.Application, "how it is written: characters, encoding, encryption", "message", "none", "UTF-8, JSON, TLS"},
		{5, osiNames[5], layer.Application, "who talks with whom, and going on after a break", "message", "session id", "WebSocket, the chat's sessions"},
		{4, osiNames[4], layer.Transport, "from program to program; TCP also repeats what was lost and keeps the order", "segment (TCP), datagram (UDP)", "port", "TCP, UDP"},
		{3, osiNames[3], layer.Internet, "from host to host, over many networks; what gets lost stays lost", "packet", "IP address", "IPv4, IPv6, ICMP"},
		{2, osiNames[2], layer.Link, "from station to station on one network", "frame", "MAC address", "Ethernet, Wi-Fi, ARP"},
		{1, osiNames[1], layer.Link, "bits as voltage, light or radio", "bit", "none", "copper, fibre, air"},
	}
}

// Text returns the card as lines.
func (c *Card) Text(v Picture) []string {
	lines := []string{v.Palette.Name.Render(v.cut("The layers of a network: OSI has seven, TCP/IP four", v.width())), ""}
	room := v.width() - leftWidth
	for _, r := range references() {
		head := v.label(r.OSI)
		body := cells.Wrap(r.Purpose, room, room)
		more := fmt.Sprintf("unit %s · address %s · %s", r.Unit, r.Address, r.Examples)
		n := len(body)
		body = append(body, cells.Wrap(more, room, room)...)
		for i, s := range body {
			if i >= n {
				s = v.Palette.Dim.Render(s)
			}
			if i > 0 {
				head = v.between(r.OSI)
			}
			lines = append(lines, head+s)
		}
	}
	from := "a real one, from a chat in a lab"
	if c.Name != "" {
		from = "the first one in " + c.Name
	}
	lines = append(lines, "", v.Palette.Name.Render(v.cut("One message: "+from, v.width())))
	lines = append(lines, v.Head(&c.Entry)...)
	lines = append(lines, "")
	lines = append(lines, v.Stairs(c.Layers)...)
	lines = append(lines, "")
	lines = append(lines, v.Overhead(c.Layers, len(c.Data))...)
	lines = append(lines, "")
	return append(lines, v.Hex(c.Layers, c.Data)...)
}

// between is what stands at the left of a further line of a row.
func (v Picture) between(osi int) string {
	bar := ""
	if osi == 7 || osi == 6 || osi == 2 {
		bar = "│"
	}
	return strings.Repeat(" ", osiWidth) + cells.Pad(bar, tcpWidth)
}

// A jsonCard is a Card as JSON has it.
type jsonCard struct {
	Layers  []reference `json:"layers"`
	Message jsonMessage `json:"message"`
}

type jsonMessage struct {
	Capture  string          `json:"capture"`
	Packet   json.RawMessage `json:"packet"`
	Payload  int             `json:"payload_bytes"`
	Overhead int             `json:"overhead_bytes"`
	Percent  float64         `json:"overhead_percent"`
}

// JSON returns the card as one JSON object and a line break.
func (c *Card) JSON() ([]byte, error) {
	p, err := AppendJSON(nil, &c.Entry, c.Layers, c.Data)
	if err != nil {
		return nil, err
	}
	m := jsonMessage{Capture: c.Name, Packet: p, Payload: c.Message, Overhead: len(c.Data) - c.Message}
	m.Percent = 100 * float64(m.Overhead) / float64(max(len(c.Data), 1))
	b, err := json.MarshalIndent(jsonCard{references(), m}, "", "  ")
	return append(b, '\n'), err
}

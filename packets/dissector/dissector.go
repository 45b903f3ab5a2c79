// Package dissector writes a Wireshark dissector of the chat protocol, in Lua:
// frames over TCP with reassembly, datagrams over UDP, their fragments put
// together, and the envelopes in both. Kinds, flags, types, sizes and caps in it
// are those of package wire, so that the two cannot drift apart.
//
// The protocol's filter name is wirelab. Its fields are stable:
//
//	wirelab.length                                    of a frame over TCP
//	wirelab.version .kind .flags .flags.NAME          NAME is a flag, such as ack
//	wirelab.namespace.length .room.length .sender.length .event.length
//	wirelab.seq .prev .id .time.us .time              .time only where there is one, as a date
//	wirelab.namespace .room .sender .event            only where not empty
//	wirelab.args .args.bytes                          text, or bytes with flag binary
//	wirelab.udp.magic .version .type .flags .flags.NAME
//	wirelab.udp.session .number .reliable .ack .ackbits .mac
//	wirelab.udp.fragment.of .index .count .part       .part is the piece of the envelope
//	wirelab.udp.fragment.in .from                     the frame where it is whole; those it came in
//	wirelab.udp.nonce .padding                        of the handshake
//	wirelab.udp.cookie.stamp .cookie.nonce .cookie.proof
//	wirelab.rest                                      bytes after the end
//	wirelab.malformed                                 expert info, an error: not of the format
//	wirelab.cut                                       expert info, a warning: not all of it is in the capture
//
// It does not check MACs, for it knows no key, nor JSON. Tested with Wireshark
// 4.0, whose Lua is 5.2; it keeps to what Lua 5.4 has, too.
package dissector

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"strings"
	"text/template"

	"wirelab/internal/wire"
)

// DefaultPort is where the chat server listens unless told otherwise, over TCP
// and UDP.
const DefaultPort = 9000

// A Config says which ports are the chat's without a look at what they carry.
// On all others a conversation is recognised by its first whole header.
type Config struct {
	TCPPorts []uint16 // if nil, DefaultPort; empty for none
	UDPPorts []uint16 // if nil, DefaultPort; empty for none
}

// The template in two parts: how to install it, the fields and the envelope; then
// streams, datagrams and how they are recognised.
var (
	//go:embed envelope.lua.tmpl
	envelope string
	//go:embed transport.lua.tmpl
	transport string
)

// A named is a number of the format and its name.
type named struct {
	Value uint64
	Name  string
}

// A text is what the template is filled with.
type text struct {
	TCPPorts, UDPPorts                                  []uint16
	Kinds, Flags, Types, DatagramFlags                  []named
	Kind, Type                                          map[string]uint64
	Magic, Version                                      int
	LengthSize, HeaderSize, MaxName, MaxArguments       int
	MaxEnvelope                                         int
	DatagramHeader, MACSize, FragmentSize, MaxFragments int
	MinHello, NonceSize, CookieSize                     int
}

// Write writes the dissector to w.
func Write(w io.Writer, c Config) error {
	t, err := template.New("wirelab.lua").Option("missingkey=error").Parse(envelope + transport)
	if err != nil {
		return fmt.Errorf("dissector: %w", err)
	}
	b := bufio.NewWriter(w)
	if err := t.Execute(b, fill(c)); err != nil {
		return fmt.Errorf("dissector: %w", err)
	}
	return b.Flush()
}

func fill(c Config) *text {
	t := &text{
		TCPPorts: c.TCPPorts, UDPPorts: c.UDPPorts,
		Kind: map[string]uint64{}, Type: map[string]uint64{},
		Magic: int(wire.AppendHeader(nil, &wire.Header{})[0]), Version: wire.Version,
		LengthSize: wire.LengthSize, HeaderSize: wire.HeaderSize, MaxName: wire.MaxName,
		MaxArguments: wire.MaxArguments, MaxEnvelope: wire.MaxEnvelope,
		DatagramHeader: wire.DatagramHeader, MACSize: wire.MACSize, FragmentSize: wire.FragmentSize, MaxFragments: wire.MaxFragments,
		MinHello: wire.MinHello, NonceSize: wire.NonceSize, CookieSize: wire.CookieSize,
	}
	if t.TCPPorts == nil {
		t.TCPPorts = []uint16{DefaultPort}
	}
	if t.UDPPorts == nil {
		t.UDPPorts = []uint16{DefaultPort}
	}
	for k := wire.Kind(1); k.Valid(); k++ {
		t.Kinds = append(t.Kinds, named{uint64(k), k.String()})
		t.Kind[k.String()] = uint64(k)
	}
	for d := wire.DatagramType(1); d.Valid(); d++ {
		t.Types = append(t.Types, named{uint64(d), d.String()})
		t.Type[d.String()] = uint64(d)
	}
	t.Flags = flags(16, func(f uint64) string { return wire.Flags(f).String() })
	t.DatagramFlags = flags(8, func(f uint64) string { return wire.DatagramFlags(f).String() })
	return t
}

// flags returns the bits that have a name. They are the lowest.
func flags(bits int, name func(uint64) string) []named {
	var all []named
	for i := range bits {
		f := uint64(1) << i
		if strings.HasPrefix(name(f), "0x") {
			break
		}
		all = append(all, named{f, name(f)})
	}
	return all
}

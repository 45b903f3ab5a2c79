package filter

import (
	"errors"
	"slices"
)

// A parser goes through the words of an expression once, from the left, since a
// vlan moves the offsets of what is behind it.
type parser struct {
	expr  string
	words []word
	at    int // the next word
	depth int
	link  link
}

// A qualifier is what stands before a value: tcp src port. An and or an or hands
// it to a bare value behind it.
type qualifier struct {
	valid bool
	proto word // empty text is none
	dir   direction
	kind  word // host, net, port, portrange or proto; empty text is host
}

type direction uint8

const (
	eitherWay direction = iota
	source
	destination
	bothWays
)

// parse reads the whole expression.
func (p *parser) parse() (*node, error) {
	var err error
	if p.words, err = words(p.expr); err != nil {
		return nil, err
	}
	if p.peek().text == "" {
		return &node{kind: always}, nil
	}
	n, _, err := p.expression(qualifier{})
	if err != nil {
		return nil, err
	}
	if w := p.peek(); w.text != "" {
		return nil, p.refuse(w, "want and, or, or the end")
	}
	return n, nil
}

func (p *parser) peek() word { return p.words[p.at] }

// next returns the next word and goes on; it stays at the end.
func (p *parser) next() word {
	w := p.words[p.at]
	if p.at < len(p.words)-1 {
		p.at++
	}
	return w
}

// is reports whether the next word is the keyword or sign text.
func (p *parser) is(text string) bool {
	w := p.peek()
	return w.text == text && !w.escaped
}

// take goes over the next word if it is one of texts, and returns it.
func (p *parser) take(texts ...string) string {
	for _, t := range texts {
		if p.is(t) {
			p.next()
			return t
		}
	}
	return ""
}

func (p *parser) refuse(w word, format string, args ...any) error {
	return complain(p.expr, w, format, args...)
}

// deeper counts what is inside one another; the caller takes it back.
func (p *parser) deeper() error {
	if p.depth++; p.depth > maxDepth {
		return p.refuse(p.peek(), "more than %d parentheses and nots inside one another", maxDepth)
	}
	return nil
}

// joiner takes an and or an or.
func (p *parser) joiner() func(*node, ...*node) *node {
	switch p.take("and", "&&", "or", "||") {
	case "and", "&&":
		return and
	case "or", "||":
		return or
	}
	return nil
}

// expression reads operands with and and or between them, which have one rank.
func (p *parser) expression(q qualifier) (*node, qualifier, error) {
	n, q, err := p.operand(q)
	for err == nil {
		join := p.joiner()
		if join == nil {
			break
		}
		var m *node
		if m, q, err = p.operand(q); err == nil {
			n = join(n, m)
		}
	}
	return n, q, err
}

// operand reads one operand. q is the qualifier for a bare value; the one that is
// returned is for the operand behind.
func (p *parser) operand(q qualifier) (*node, qualifier, error) {
	w := p.peek()
	switch {
	case w.text == "":
		return nil, q, p.refuse(w, "want a condition, such as tcp port 80")
	case p.is("not") || p.is("!"):
		if err := p.deeper(); err != nil {
			return nil, q, err
		}
		p.next()
		n, q, err := p.operand(q)
		p.depth--
		if err != nil {
			return nil, q, err
		}
		return not(n), q, nil
	case p.is("("):
		n, failed := p.tryRelation()
		if n != nil {
			return n, qualifier{}, nil
		}
		if err := p.deeper(); err != nil {
			return nil, q, err
		}
		p.next()
		n, _, err := p.expression(q)
		p.depth--
		if err == nil && p.take(")") == "" {
			err = p.refuse(p.peek(), "want and, or, or )")
		}
		return n, q, farther(err, failed)
	case isNumber(w) || p.is("-"):
		n, failed := p.tryRelation()
		if n != nil {
			return n, qualifier{}, nil
		}
		if behind := p.words[min(p.at+1, len(p.words)-1)]; !q.valid && !w.sign && (!behind.sign || behind.text == ")") {
			return nil, q, p.refuse(w, "a number wants port, portrange, net or proto before it, or a comparison behind it")
		}
		if !q.valid || w.sign {
			return nil, q, failed
		}
	case p.is("len") || p.isProtocol() && p.words[p.at+1].text == "[":
		n, err := p.relation()
		return n, qualifier{}, err
	case p.isKeyword():
		return p.primitive()
	}
	if !q.valid {
		return nil, q, p.refuse(w, "%s", unknown(w))
	}
	n, err := p.value(q)
	return n, q, err
}

// tryRelation reads a comparison, or nothing: then it says why not.
func (p *parser) tryRelation() (*node, error) {
	at, depth := p.at, p.depth
	n, err := p.relation()
	if err != nil {
		p.at, p.depth = at, depth
		return nil, err
	}
	return n, nil
}

// farther returns the error that is farther on, if there is an err.
func farther(err, other error) error {
	var a, b *Error
	if errors.As(err, &a) && errors.As(other, &b) && b.Column > a.Column {
		return other
	}
	return err
}

// protocols are the words that qualify, or are conditions of their own.
var protocols = []string{"ip", "ip6", "arp", "rarp", "icmp", "icmp6", "tcp", "udp", "sctp", "ether"}

// kinds are the words that say what a value is.
var kinds = []string{"host", "net", "port", "portrange", "proto"}

func (p *parser) isProtocol() bool {
	w := p.peek()
	return !w.escaped && slices.Contains(protocols, w.text)
}

func (p *parser) isKeyword() bool {
	w := p.peek()
	return !w.escaped && (p.isProtocol() || slices.Contains(kinds, w.text) ||
		slices.Contains([]string{"src", "dst", "broadcast", "multicast", "less", "greater", "vlan"}, w.text))
}

// unknown says what to do about a word that begins nothing.
func unknown(w word) string {
	switch {
	case w.sign:
		return "want a condition before it, such as tcp port 80"
	case isAddress(w.text):
		return "an address wants host, src, dst or net before it"
	case slices.Contains(foreign, w.text):
		return "of tcpdump's language, but not of the part that is known here"
	}
	return "not known; conditions begin with ip, ip6, arp, rarp, icmp, icmp6, tcp, udp, sctp, ether, host, net, port, portrange, proto, src, dst, vlan, broadcast, multicast, less, greater or len"
}

// foreign are words of pcap-filter(7) that are left out.
var foreign = []string{
	"gateway", "protochain", "igmp", "igrp", "pim", "vrrp", "carp", "ah", "esp", "fddi", "tr", "wlan", "link", "ppp", "slip",
	"atalk", "aarp", "decnet", "lat", "sca", "moprc", "mopdl", "iso", "clnp", "esis", "isis", "stp", "ipx", "netbeui", "llc",
	"inbound", "outbound", "ifindex", "ifname", "on", "rnr", "rulenum", "reason", "rset", "ruleset", "srnr", "subrulenum",
	"action", "type", "subtype", "dir", "addr1", "addr2", "addr3", "addr4", "ra", "ta", "mpls", "pppoed", "pppoes", "geneve",
	"vxlan", "batadv", "lane", "metac", "bcc", "sc", "ilmic", "connectmsg", "metaconnect", "vpi", "vci", "byte", "radio",
}

// primitive reads a condition that begins with a keyword.
func (p *parser) primitive() (*node, qualifier, error) {
	none := qualifier{}
	first := p.peek()
	switch p.take("less", "greater", "vlan") {
	case "less", "greater":
		n, err := p.length(first)
		return n, none, err
	case "vlan":
		n, err := p.vlan(first)
		return n, none, err
	}
	q := qualifier{valid: true}
	if p.isProtocol() {
		q.proto = p.next()
	}
	directed := p.direction(&q)
	w := p.peek()
	switch {
	case slices.Contains(kinds, w.text) && !w.escaped:
		q.kind = p.next()
		if directed && w.text == "proto" {
			return nil, none, p.refuse(w, "has no direction: want it without src and dst")
		}
	case directed:
	case p.is("broadcast") || p.is("multicast"):
		n, err := p.cast(q.proto, p.next())
		return n, none, err
	default: // a protocol alone
		if q.proto.text == "ether" {
			return nil, none, p.refuse(w, "want host, src, dst, proto, broadcast, multicast or [ behind ether")
		}
		return p.link.protocol(q.proto.text), none, nil
	}
	n, err := p.values(q)
	return n, q, err
}

// direction takes src, dst, and the two with and or or between them.
func (p *parser) direction(q *qualifier) bool {
	first := p.take("src", "dst")
	if first == "" {
		return false
	}
	q.dir = source
	other := "dst"
	if first == "dst" {
		q.dir, other = destination, "src"
	}
	if behind := p.at + 1; behind < len(p.words) && p.words[behind].text == other && !p.words[behind].escaped {
		switch p.take("or", "||", "and", "&&") {
		case "or", "||":
			q.dir = eitherWay
			p.next()
		case "and", "&&":
			q.dir = bothWays
			p.next()
		}
	}
	return true
}

// values reads a value, or several in parentheses.
func (p *parser) values(q qualifier) (*node, error) {
	if p.is("not") || p.is("!") || p.is("(") {
		if err := p.deeper(); err != nil {
			return nil, err
		}
		defer func() { p.depth-- }()
	}
	if p.take("not", "!") != "" {
		n, err := p.values(q)
		if err != nil {
			return nil, err
		}
		return not(n), nil
	}
	if p.take("(") == "" {
		return p.value(q)
	}
	n, err := p.values(q)
	for err == nil {
		join := p.joiner()
		if join == nil {
			break
		}
		var m *node
		if m, err = p.values(q); err == nil {
			n = join(n, m)
		}
	}
	if err == nil && p.take(")") == "" {
		err = p.refuse(p.peek(), "want and, or, or )")
	}
	return n, err
}

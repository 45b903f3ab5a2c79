package filter

import (
	"slices"
	"strconv"

	"golang.org/x/net/bpf"
)

// A term is a number that is worked out: its code leaves it in A. The guards are
// what must hold before, for the headers that it reads to be there.
type term struct {
	code     []instruction
	constant bool
	value    uint32 // of a constant
	guards   []*node
	scratch  int // words of M that the code uses
}

func constant(v uint32) term {
	return term{code: []instruction{{op: loadConstant, k: v}}, constant: true, value: v}
}

// relation reads a comparison of two terms.
func (p *parser) relation() (*node, error) {
	left, err := p.term()
	if err != nil {
		return nil, err
	}
	by := p.peek()
	if p.take("=", "==", "!=", "<", "<=", ">", ">=") == "" {
		return nil, p.refuse(by, "want an operator, or a comparison by =, !=, <, <=, > or >=")
	}
	right, err := p.term()
	if err != nil {
		return nil, err
	}
	jump := instruction{op: jumpK, test: bpf.JumpEqual, k: right.value}
	switch by.text {
	case ">", "<=":
		jump.test = bpf.JumpGreaterThan
	case ">=", "<":
		jump.test = bpf.JumpGreaterOrEqual
	}
	n := &node{kind: test, code: left.code, jump: jump}
	if !right.constant {
		code, err := p.beside(by, left, right)
		if err != nil {
			return nil, err
		}
		n.code = code.code
		n.jump.op = jumpX
	}
	if by.text == "!=" || by.text == "<" || by.text == "<=" {
		n = not(n)
	}
	guards := slices.Concat(left.guards, right.guards)
	if len(guards) > 0 {
		n = and(guards[0], append(guards[1:], n)...)
	}
	return n, nil
}

// beside returns the code that leaves left in A and right in X. The side that
// needs more words of M goes first, and waits in one that the other does not use:
// so 16 words are enough for all that an expression's length allows.
func (p *parser) beside(w word, left, right term) (term, error) {
	// Like libpcap's, a calculation forgets what its right side asks for.
	t := term{guards: left.guards}
	if left.scratch > right.scratch {
		slot := uint32(right.scratch)
		t.scratch = max(left.scratch, right.scratch+1)
		t.code = slices.Concat(left.code, []instruction{{op: storeScratch, k: slot}}, right.code,
			[]instruction{{op: transfer}, {op: loadScratch, k: slot}})
	} else {
		slot := uint32(left.scratch)
		t.scratch = max(right.scratch, left.scratch+1)
		t.code = slices.Concat(right.code, []instruction{{op: storeScratch, k: slot}}, left.code,
			[]instruction{{op: loadScratchX, k: slot}})
	}
	if len(t.code) > MaxInstructions {
		return t, p.refuse(w, "the calculation is too long")
	}
	if t.scratch > 16 {
		return t, p.refuse(w, "more than 16 numbers wait for one another: use fewer parentheses")
	}
	return t, nil
}

// rank is how tight an operator binds. % and ^ have none in libpcap, which groups
// them with whatever stands to their right.
func rank(sign string) int {
	switch sign {
	case "|":
		return 1
	case "&":
		return 2
	case "<<", ">>":
		return 3
	case "+", "-":
		return 4
	case "*", "/":
		return 5
	case "%", "^":
		return 6
	}
	return 0
}

var operators = map[string]bpf.ALUOp{
	"|": bpf.ALUOpOr, "&": bpf.ALUOpAnd, "<<": bpf.ALUOpShiftLeft, ">>": bpf.ALUOpShiftRight, "+": bpf.ALUOpAdd,
	"-": bpf.ALUOpSub, "*": bpf.ALUOpMul, "/": bpf.ALUOpDiv, "%": bpf.ALUOpMod, "^": bpf.ALUOpXor,
}

// term reads a calculation.
func (p *parser) term() (term, error) {
	start := p.at
	negative := p.is("-")
	t, err := p.terms(1)
	if err != nil {
		return t, err
	}
	// Operators of this calculation that are not in parentheses or brackets.
	var alone word
	depth, count := 0, 0
	for i := start; i < p.at; i++ {
		w := p.words[i]
		if !w.sign {
			continue
		}
		switch w.text {
		case "(", "[":
			depth++
		case ")", "]":
			depth--
		default:
			if depth > 0 {
				continue
			}
			count++
			if rank(w.text) == 6 && alone.text == "" {
				alone = w
			}
		}
	}
	if alone.text != "" && (count > 1 || negative) {
		return t, p.refuse(alone, "beside another operator wants parentheses that say what belongs together")
	}
	return t, nil
}

// terms reads operators of a rank or more.
func (p *parser) terms(least int) (term, error) {
	left, err := p.factor()
	for err == nil {
		w := p.peek()
		r := rank(w.text)
		if !w.sign || r < least {
			break
		}
		p.next()
		var right term
		if right, err = p.terms(r + 1); err == nil {
			left, err = p.operate(w, left, right)
		}
	}
	return left, err
}

// operate returns left op right.
func (p *parser) operate(w word, left, right term) (term, error) {
	op := operators[w.text]
	if right.constant {
		if right.value == 0 && (op == bpf.ALUOpDiv || op == bpf.ALUOpMod) {
			return left, p.refuse(w, "a division by zero")
		}
		if shift(op) && right.value > 31 {
			return left, p.refuse(w, "a shift by %d bits, want at most 31", right.value)
		}
		if left.constant {
			return constant(operate(op, left.value, right.value)), nil
		}
		if len(left.code) > MaxInstructions {
			return left, p.refuse(w, "the calculation is too long")
		}
		left.code = append(slices.Clip(left.code), instruction{op: operateK, alu: op, k: right.value})
		return left, nil
	}
	if shift(op) {
		return left, p.refuse(w, "a shift by what is in a packet, want a number")
	}
	t, err := p.beside(w, left, right)
	t.code = append(t.code, instruction{op: operateX, alu: op})
	return t, err
}

func shift(op bpf.ALUOp) bool { return op == bpf.ALUOpShiftLeft || op == bpf.ALUOpShiftRight }

// factor reads a number, len, a name, bytes of a header, or parentheses.
func (p *parser) factor() (term, error) {
	w := p.peek()
	switch {
	case p.is("-") || p.is("("):
		if err := p.deeper(); err != nil {
			return term{}, err
		}
		defer func() { p.depth-- }()
		p.next()
		if w.text == "-" {
			t, err := p.factor()
			if err != nil {
				return t, err
			}
			return p.operate(w, constant(0), t)
		}
		t, err := p.term()
		if err == nil && p.take(")") == "" {
			err = p.refuse(p.peek(), "want an operator or )")
		}
		return t, err
	case p.is("len"):
		p.next()
		return term{code: []instruction{{op: loadLength}}}, nil
	case p.isProtocol():
		p.next()
		return p.bytes(w)
	case isNumber(w):
		p.next()
		v, err := p.number(w, 1<<32-1)
		return constant(v), err
	}
	if v, ok := fields[w.text]; ok && !w.sign {
		p.next()
		return constant(v), nil
	}
	if !w.sign && w.text != "" && w.text[0] >= '0' && w.text[0] <= '9' {
		return term{}, p.refuse(w, "not a number; a minus between two numbers wants blanks around it")
	}
	return term{}, p.refuse(w, "want a number, len, bytes such as tcp[13], or a name such as tcp-syn")
}

// maxIndex is the farthest byte that can be asked for.
const maxIndex = 65535

// bytes reads the brackets behind a protocol: [index] or [index:size].
func (p *parser) bytes(proto word) (term, error) {
	if p.take("[") == "" {
		return term{}, p.refuse(p.peek(), "want [ behind %s, as in %s[0]", proto.text, proto.text)
	}
	if err := p.deeper(); err != nil {
		return term{}, err
	}
	defer func() { p.depth-- }()
	at := p.peek()
	index, err := p.term()
	if err != nil {
		return index, err
	}
	if index.constant && index.value > maxIndex {
		return index, p.refuse(at, "byte %d of a header, want 0 to %d", int32(index.value), maxIndex)
	}
	size := uint32(1)
	if p.take(":") != "" {
		w := p.next()
		if size, err = p.number(w, 4); err != nil || size != 1 && size != 2 && size != 4 {
			return index, p.refuse(w, "want 1, 2 or 4 bytes")
		}
	}
	if p.take("]") == "" {
		return index, p.refuse(p.peek(), "want an operator, a size behind a colon, or ]")
	}
	l := p.link
	base, header := l.payload, false
	var guards []*node
	switch proto.text {
	case "ether":
		if !l.ethernet() {
			return index, p.refuse(proto, "there is no Ethernet on this link")
		}
		base = 0
		guards = index.guards
	case "ip", "ip6", "arp", "rarp":
		guards = append(slices.Clip(index.guards), l.protocol(proto.text))
	case "icmp6":
		base += 40
		guards = append(slices.Clip(index.guards), l.is(typeIPv6), compare(l.payload+6, 1, 58))
	default:
		header = true
		guards = append([]*node{l.is(typeIPv4)}, index.guards...)
		guards = append(guards, l.protocol(proto.text), l.first())
	}
	t := term{guards: guards, scratch: index.scratch}
	load := instruction{op: loadAbsolute, size: uint8(size), k: base}
	switch {
	case index.constant:
		load.k += index.value
		if header {
			load.op = loadIndirect
			t.code = append(t.code, instruction{op: loadHeader, k: l.payload})
		}
	default:
		load.op = loadIndirect
		t.code = slices.Clone(index.code)
		if header {
			t.code = append(t.code, instruction{op: loadHeader, k: l.payload}, instruction{op: operateX, alu: bpf.ALUOpAdd})
		}
		t.code = append(t.code, instruction{op: transfer})
	}
	t.code = append(t.code, load)
	return t, nil
}

// fields are the names that stand for numbers in calculations.
var fields = map[string]uint32{
	"tcpflags": 13, "tcp-fin": 1, "tcp-syn": 2, "tcp-rst": 4, "tcp-push": 8, "tcp-ack": 16, "tcp-urg": 32, "tcp-ece": 64, "tcp-cwr": 128,
	"icmptype": 0, "icmpcode": 1,
	"icmp-echoreply": 0, "icmp-unreach": 3, "icmp-sourcequench": 4, "icmp-redirect": 5, "icmp-echo": 8, "icmp-routeradvert": 9,
	"icmp-routersolicit": 10, "icmp-timxceed": 11, "icmp-paramprob": 12, "icmp-tstamp": 13, "icmp-tstampreply": 14, "icmp-ireq": 15,
	"icmp-ireqreply": 16, "icmp-maskreq": 17, "icmp-maskreply": 18,
	"icmp6type": 0, "icmp6code": 1,
	"icmp6-destinationunreach": 1, "icmp6-packettoobig": 2, "icmp6-timeexceeded": 3, "icmp6-parameterproblem": 4, "icmp6-echo": 128,
	"icmp6-echoreply": 129, "icmp6-routersolicit": 133, "icmp6-routeradvert": 134, "icmp6-neighborsolicit": 135,
	"icmp6-neighboradvert": 136, "icmp6-redirect": 137,
}

// isNumber reports whether a word is a number, as C writes them.
func isNumber(w word) bool {
	if w.sign || w.escaped || w.text == "" || w.text[0] < '0' || w.text[0] > '9' {
		return false
	}
	_, err := parseNumber(w.text)
	return err == nil || isRange(err)
}

func isRange(err error) bool {
	n, ok := err.(*strconv.NumError)
	return ok && n.Err == strconv.ErrRange
}

// parseNumber reads a decimal number, a hexadecimal one behind 0x or an octal one
// behind 0.
func parseNumber(s string) (uint64, error) {
	switch {
	case len(s) > 2 && (s[:2] == "0x" || s[:2] == "0X"):
		return strconv.ParseUint(s[2:], 16, 32)
	case len(s) > 1 && s[0] == '0':
		return strconv.ParseUint(s[1:], 8, 32)
	}
	return strconv.ParseUint(s, 10, 32)
}

// number returns the number that w is.
func (p *parser) number(w word, most uint32) (uint32, error) {
	v, err := parseNumber(w.text)
	if w.sign || w.escaped || err != nil || v > uint64(most) {
		return 0, p.refuse(w, "want a number from 0 to %d", most)
	}
	return uint32(v), nil
}

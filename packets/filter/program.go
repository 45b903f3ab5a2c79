package filter

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/net/bpf"
)

// An opcode is a step of the machine that BPF describes: an accumulator A, an
// index X and sixteen words M.
type opcode uint8

const (
	loadConstant opcode = iota // A = k
	loadAbsolute               // A = packet[k:k+size]
	loadIndirect               // A = packet[X+k:X+k+size]
	loadLength                 // A = bytes on the wire
	loadHeader                 // X = 4 * (packet[k] & 15), the length of an IPv4 header
	loadScratch                // A = M[k]
	loadScratchX               // X = M[k]
	storeScratch               // M[k] = A
	transfer                   // X = A
	operateK                   // A = A op k
	operateX                   // A = A op X
	jumpK                      // on A against k
	jumpX                      // on A against X
	giveBack                   // return k
)

// An instruction is one step. A jump goes on at yes or no, which are labels until
// emit has placed everything and indices after it; lower keeps to BPF's eight bits.
type instruction struct {
	op      opcode
	size    uint8 // of a load: 1, 2 or 4 bytes
	alu     bpf.ALUOp
	test    bpf.JumpTest // JumpEqual, JumpGreaterThan, JumpGreaterOrEqual or JumpBitsSet
	k       uint32
	yes, no int
}

// A node is a condition: kind tells which fields count.
type node struct {
	kind        nodeKind
	left, right *node         // of both and either; left of negation
	code        []instruction // of a test: what comes before its jump
	jump        instruction   // of a test
}

type nodeKind uint8

const (
	always nodeKind = iota
	never
	test
	both
	either
	negation
)

func and(a *node, more ...*node) *node {
	for _, b := range more {
		a = &node{kind: both, left: a, right: b}
	}
	return a
}

func or(a *node, more ...*node) *node {
	for _, b := range more {
		a = &node{kind: either, left: a, right: b}
	}
	return a
}

func not(a *node) *node { return &node{kind: negation, left: a} }

// emitter places conditions one behind the other: every jump goes forward, and
// so all jumps to a label are known when it is placed. That tells what is in A
// there, and a load of the same again is left out.
type emitter struct {
	out    []instruction
	labels []label
	known  *instruction // the load that A is from; nil is anything
}

// A label is a place that jumps go to.
type label struct {
	at      int          // index of the instruction
	known   *instruction // what A is from at all jumps so far
	reached bool         // there is a jump
}

func (e *emitter) label() int {
	e.labels = append(e.labels, label{})
	return len(e.labels) - 1
}

// place puts a label before the next instruction.
func (e *emitter) place(l int) {
	e.labels[l].at = len(e.out)
	e.known = e.labels[l].known
}

// jump appends a jump.
func (e *emitter) jump(j instruction) {
	e.out = append(e.out, j)
	for _, to := range []int{j.yes, j.no} {
		l := &e.labels[to]
		if !l.reached {
			l.reached, l.known = true, e.known
		} else if l.known != nil && (e.known == nil || *l.known != *e.known) {
			l.known = nil
		}
	}
}

// emit returns the program of a condition.
func emit(root *node) ([]instruction, error) {
	var e emitter
	yes, no := e.label(), e.label()
	e.node(root, yes, no)
	e.labels[yes].at = len(e.out)
	e.labels[no].at = len(e.out) + 1
	e.out = append(e.out, instruction{op: giveBack, k: Accept}, instruction{op: giveBack})
	if len(e.out) > MaxInstructions {
		return nil, fmt.Errorf("filter: the expression makes %d instructions, want at most %d: make it shorter", len(e.out), MaxInstructions)
	}
	for i := range e.out {
		if in := &e.out[i]; in.op == jumpK || in.op == jumpX {
			in.yes, in.no = e.labels[in.yes].at, e.labels[in.no].at
		}
	}
	return e.out, nil
}

func (e *emitter) node(n *node, yes, no int) {
	switch n.kind {
	case always, never:
		if n.kind == never {
			yes = no
		}
		e.jump(instruction{op: jumpK, test: bpf.JumpEqual, yes: yes, no: yes})
	case test:
		j := n.jump
		j.yes, j.no = yes, no
		code := n.code
		load := code[0].op == loadAbsolute || code[0].op == loadLength
		if load && e.known != nil && *e.known == code[0] {
			code = code[1:]
		}
		e.out = append(e.out, code...)
		e.known = nil
		if load && len(n.code) == 1 {
			e.known = &n.code[0]
		}
		e.jump(j)
	case negation:
		e.node(n.left, no, yes)
	case both:
		next := e.label()
		e.node(n.left, next, no)
		e.place(next)
		e.node(n.right, yes, no)
	case either:
		next := e.label()
		e.node(n.left, yes, next)
		e.place(next)
		e.node(n.right, yes, no)
	}
}

// run executes a program. It is our own machine because that of x/net/bpf knows
// no length but that of the bytes kept, and takes several times as long.
func run(program []instruction, data []byte, length uint32) bool {
	var a, x uint32
	var m [16]uint32
	for pc := 0; pc < len(program); {
		in := &program[pc]
		pc++
		switch in.op {
		case loadConstant:
			a = in.k
		case loadAbsolute, loadIndirect:
			at := uint64(in.k)
			if in.op == loadIndirect {
				at += uint64(x)
			}
			if at+uint64(in.size) > uint64(len(data)) {
				return false
			}
			switch b := data[at:]; in.size {
			case 1:
				a = uint32(b[0])
			case 2:
				a = uint32(binary.BigEndian.Uint16(b))
			default:
				a = binary.BigEndian.Uint32(b)
			}
		case loadLength:
			a = length
		case loadHeader:
			if uint64(in.k) >= uint64(len(data)) {
				return false
			}
			x = uint32(data[in.k]&15) * 4
		case loadScratch:
			a = m[in.k&15]
		case loadScratchX:
			x = m[in.k&15]
		case storeScratch:
			m[in.k&15] = a
		case transfer:
			x = a
		case operateK, operateX:
			v := in.k
			if in.op == operateX {
				v = x
			}
			if v == 0 && (in.alu == bpf.ALUOpDiv || in.alu == bpf.ALUOpMod) {
				return false
			}
			a = operate(in.alu, a, v)
		case jumpK, jumpX:
			v := in.k
			if in.op == jumpX {
				v = x
			}
			var yes bool
			switch in.test {
			case bpf.JumpEqual:
				yes = a == v
			case bpf.JumpGreaterThan:
				yes = a > v
			case bpf.JumpGreaterOrEqual:
				yes = a >= v
			default:
				yes = a&v != 0
			}
			if yes {
				pc = in.yes
			} else {
				pc = in.no
			}
		case giveBack:
			return in.k != 0
		}
	}
	return false
}

// operate returns a op v; v is not 0 in a division.
func operate(op bpf.ALUOp, a, v uint32) uint32 {
	switch op {
	case bpf.ALUOpAdd:
		return a + v
	case bpf.ALUOpSub:
		return a - v
	case bpf.ALUOpMul:
		return a * v
	case bpf.ALUOpDiv:
		return a / v
	case bpf.ALUOpMod:
		return a % v
	case bpf.ALUOpAnd:
		return a & v
	case bpf.ALUOpOr:
		return a | v
	case bpf.ALUOpXor:
		return a ^ v
	case bpf.ALUOpShiftLeft:
		return a << v
	default:
		return a >> v
	}
}

// lower writes a program in BPF's instructions. A conditional jump of BPF reaches
// 255 instructions; one that must go further hops over an unconditional jump that
// is put behind it. Adding those moves others apart, so it is repeated until no
// more are needed, which ends because they are never taken away.
func lower(program []instruction) []bpf.Instruction {
	farYes, farNo := make([]bool, len(program)), make([]bool, len(program))
	place := make([]int, len(program)+1)
	for again := true; again; {
		again = false
		for i := range program {
			place[i+1] = place[i] + 1
			if farYes[i] {
				place[i+1]++
			}
			if farNo[i] {
				place[i+1]++
			}
		}
		for i, in := range program {
			if in.op != jumpK && in.op != jumpX {
				continue
			}
			if !farYes[i] && place[in.yes]-place[i]-1 > 255 {
				farYes[i], again = true, true
			}
			if !farNo[i] && place[in.no]-place[i]-1 > 255 {
				farNo[i], again = true, true
			}
		}
	}
	out := make([]bpf.Instruction, 0, place[len(program)])
	for i, in := range program {
		if in.op != jumpK && in.op != jumpX {
			out = append(out, in.lower())
			continue
		}
		from := place[i] + 1
		yes, no := place[in.yes]-from, place[in.no]-from
		var hops []bpf.Instruction
		if farYes[i] {
			hops = append(hops, bpf.Jump{Skip: uint32(yes - 1)})
			yes = 0
		}
		if farNo[i] {
			n := len(hops)
			hops = append(hops, bpf.Jump{Skip: uint32(no - n - 1)})
			no = n
		}
		if in.op == jumpX {
			out = append(out, bpf.JumpIfX{Cond: in.test, SkipTrue: uint8(yes), SkipFalse: uint8(no)})
		} else {
			out = append(out, bpf.JumpIf{Cond: in.test, Val: in.k, SkipTrue: uint8(yes), SkipFalse: uint8(no)})
		}
		out = append(out, hops...)
	}
	return out
}

// lower returns the BPF instruction of a step that is no jump.
func (in instruction) lower() bpf.Instruction {
	switch in.op {
	case loadConstant:
		return bpf.LoadConstant{Dst: bpf.RegA, Val: in.k}
	case loadAbsolute:
		return bpf.LoadAbsolute{Off: in.k, Size: int(in.size)}
	case loadIndirect:
		return bpf.LoadIndirect{Off: in.k, Size: int(in.size)}
	case loadLength:
		return bpf.LoadExtension{Num: bpf.ExtLen}
	case loadHeader:
		return bpf.LoadMemShift{Off: in.k}
	case loadScratch:
		return bpf.LoadScratch{Dst: bpf.RegA, N: int(in.k)}
	case loadScratchX:
		return bpf.LoadScratch{Dst: bpf.RegX, N: int(in.k)}
	case storeScratch:
		return bpf.StoreScratch{Src: bpf.RegA, N: int(in.k)}
	case transfer:
		return bpf.TAX{}
	case operateK:
		return bpf.ALUOpConstant{Op: in.alu, Val: in.k}
	case operateX:
		return bpf.ALUOpX{Op: in.alu}
	}
	return bpf.RetConstant{Val: in.k}
}

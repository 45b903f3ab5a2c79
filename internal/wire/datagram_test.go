package wire

import (
	"fmt"
	"testing"
)

func TestSealerDetectsEveryFlippedBit(t *testing.T) {
	b := AppendHeader(nil, &Header{Type: TypeData, Flags: DatagramMAC | DatagramFragment, Session: 1, Number: 2, Fragment: Fragment{Of: 1, Index: 0, Count: 2}})
	b = append(b, "payload"...)
	s := NewSealer([]byte("key"))
	s.Seal(b)
	if !s.Verify(b) {
		t.Fatal("Verify after Seal = false")
	}
	for i := range 8 * len(b) {
		b[i/8] ^= 1 << (i % 8)
		if s.Verify(b) {
			t.Errorf("Verify = true with bit %d of byte %d flipped", i%8, i/8)
		}
		b[i/8] ^= 1 << (i % 8)
	}
	if NewSealer([]byte("kez")).Verify(b) {
		t.Error("Verify = true under another key")
	}
	for n := range b {
		if s.Verify(b[:n]) {
			t.Errorf("Verify = true for the first %d bytes", n)
		}
	}
}

// A datagram sent back to its sender must not pass for one of the other end.
func TestSealersRefuseReflection(t *testing.T) {
	client, server := NewSealers([]byte("session key"))
	b := AppendHeader(nil, &Header{Type: TypeAck, Flags: DatagramMAC, Number: 1})
	client.Seal(b)
	if !client.Verify(b) || server.Verify(b) {
		t.Error("the client's datagram should verify as the client's and not as the server's")
	}
}

func TestSealerAndHeaderAllocateNothing(t *testing.T) {
	h := &Header{Type: TypeData, Flags: DatagramMAC, Session: 1, Number: 2}
	buf := make([]byte, 0, MaxDatagram)
	s := NewSealer([]byte("key"))
	if n := testing.AllocsPerRun(100, func() {
		b := append(AppendHeader(buf, h), "payload"...)
		s.Seal(b)
		if !s.Verify(b) {
			t.Fatal("Verify after Seal = false")
		}
		if _, _, err := DecodeHeader(b); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a sealed datagram there and back, want 0", n)
	}
}

// The server must not answer an unproven address with more than it was sent.
func TestHandshakeDoesNotAmplify(t *testing.T) {
	if cookie := DatagramHeader + NonceSize + CookieSize; cookie > MinHello/10 {
		t.Errorf("a cookie of %d bytes for a hello of %d", cookie, MinHello)
	}
}

// The largest envelope must fit into the fragments that are allowed.
func TestLargestEnvelopeFitsItsFragments(t *testing.T) {
	h := Header{Flags: DatagramMAC | DatagramFragment}
	if n := (MaxEnvelope + MaxDatagram - h.Overhead() - 1) / (MaxDatagram - h.Overhead()); n > MaxFragments {
		t.Errorf("%d fragments, at most %d", n, MaxFragments)
	}
}

func BenchmarkSealedDatagram(b *testing.B) {
	h := &Header{Type: TypeData, Flags: DatagramMAC | DatagramReliable, Session: 1, Number: 2}
	buf := make([]byte, 0, MaxDatagram)
	payload := make([]byte, 152)
	s := NewSealer([]byte("key"))
	b.SetBytes(int64(h.Overhead() + len(payload)))
	for b.Loop() {
		d := append(AppendHeader(buf, h), payload...)
		s.Seal(d)
		if !s.Verify(d) {
			b.Fatal("Verify = false")
		}
	}
}

func BenchmarkDecodeHeader(b *testing.B) {
	d := append(AppendHeader(nil, &Header{Type: TypeData, Flags: DatagramReliable, Session: 1, Number: 2}), make([]byte, 152)...)
	b.SetBytes(int64(len(d)))
	for b.Loop() {
		if _, _, err := DecodeHeader(d); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleAppendHeader() {
	b := AppendHeader(nil, &Header{Type: TypeAck, Session: 0x1122334455667788, Number: 8, Ack: 9, AckBits: 0b101})
	fmt.Printf("%x\n", b)
	// Output: 5701060011223344556677880000000000000008000000000000000000000000000000090000000000000005
}

func ExampleSealer() {
	client, _ := NewSealers([]byte("session key"))
	b := AppendHeader(nil, &Header{Type: TypeAck, Flags: DatagramMAC, Number: 1})
	client.Seal(b)
	fmt.Printf("%x %t\n", b[DatagramHeader:], client.Verify(b))
	b[15]++
	fmt.Println(client.Verify(b))
	// Output:
	// 8d285736012aada7d23c9e27a883252b true
	// false
}

func ExampleReplay() {
	var r Replay
	for _, n := range []uint64{1, 3, 2, 2, 900, 3} {
		if r.Check(n) { // then verify the MAC
			r.Mark(n)
			fmt.Print(n, " ")
		}
	}
	// Output: 1 3 2 900
}

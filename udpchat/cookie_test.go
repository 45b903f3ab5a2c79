package udpchat

import (
	"net/netip"
	"testing"
	"time"

	"wirelab/internal/wire"
)

func TestCookie(t *testing.T) {
	here := netip.MustParseAddrPort("192.0.2.1:1234")
	nonce := [wire.NonceSize]byte{1, 2, 3}
	j := newJar(epoch, true)
	cookie := j.bake(epoch, here, nonce)
	if !needsKey(cookie[:]) {
		t.Error("the cookie does not tell that a key is wanted")
	}
	if plain := newJar(epoch, false).bake(epoch, here, nonce); needsKey(plain[:]) {
		t.Error("the cookie of a server without key tells that one is wanted")
	}
	other := nonce
	other[15]++
	for _, test := range []struct {
		name  string
		after time.Duration
		from  string
		nonce [wire.NonceSize]byte
		flip  int // bit of the cookie; -1: none
		want  bool
	}{
		{"at once", 0, "192.0.2.1:1234", nonce, -1, true},
		{"at the last moment", cookieLife, "192.0.2.1:1234", nonce, -1, true},
		{"too late", cookieLife + time.Second, "192.0.2.1:1234", nonce, -1, false},
		{"from the future", -2 * time.Second, "192.0.2.1:1234", nonce, -1, false},
		{"other address", 0, "192.0.2.2:1234", nonce, -1, false},
		{"other port", 0, "192.0.2.1:1235", nonce, -1, false},
		{"other nonce", 0, "192.0.2.1:1234", other, -1, false},
		{"key no more wanted", 0, "192.0.2.1:1234", nonce, 0, false},
		{"other time", 0, "192.0.2.1:1234", nonce, 63, false},
		{"other HMAC", 0, "192.0.2.1:1234", nonce, 64, false},
		{"other end of the HMAC", 0, "192.0.2.1:1234", nonce, 319, false},
	} {
		c := cookie
		if test.flip >= 0 {
			c[test.flip/8] ^= 0x80 >> (test.flip % 8)
		}
		if got := j.check(epoch.Add(test.after), netip.MustParseAddrPort(test.from), test.nonce, c[:]); got != test.want {
			t.Errorf("%s: check = %v, want %v", test.name, got, test.want)
		}
	}
	if j.check(epoch, here, nonce, cookie[:39]) || j.check(epoch, here, nonce, nil) {
		t.Error("a short cookie is good")
	}
	if newJar(epoch, true).check(epoch, here, nonce, cookie[:]) {
		t.Error("another server's cookie is good")
	}
}

// TestCookieRotation: a cookie outlives the replacement of the secret, but not two.
func TestCookieRotation(t *testing.T) {
	here := netip.MustParseAddrPort("[2001:db8::1]:1234")
	var nonce [wire.NonceSize]byte
	j := newJar(epoch, false)
	late := epoch.Add(secretPeriod - time.Second)
	cookie := j.bake(late, here, nonce)
	now := epoch.Add(secretPeriod)
	fresh := j.bake(now, here, nonce)
	if !j.check(now, here, nonce, cookie[:]) || !j.check(now, here, nonce, fresh[:]) {
		t.Error("a cookie of the secret before, or of the new one, is not good")
	}
	if string(serverNonce(cookie[:])) == string(serverNonce(fresh[:])) {
		t.Error("two cookies hold the same server nonce")
	}
	j.rotate(now)
	if j.check(now, here, nonce, cookie[:]) {
		t.Error("a cookie of the secret before the one before is good")
	}
}

// TestCookieIsSmaller than the hello that asks for it.
func TestCookieIsSmaller(t *testing.T) {
	if answer := wire.DatagramHeader + handshakeSize; answer >= wire.MinHello {
		t.Errorf("cookie answer of %d bytes, hello of %d", answer, wire.MinHello)
	}
}

package udpchat

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"net/netip"
	"time"

	"wirelab/internal/wire"
)

const (
	cookieLife   = 10 * time.Second // from the answer to the hello until the open
	secretPeriod = time.Minute      // a cookie's secret is replaced after that; the one before still counts
	cookieNonce  = 8                // where in the cookie the server's nonce is
	keyWanted    = 1 << 63          // in the cookie's time: the server wants a join key
)

// A jar bakes cookies: proof that a client receives what is sent to the address
// it claims, for which the server keeps nothing (RFC 9000, section 8.1.2). A
// cookie is 8 bytes of time in whole seconds, then an HMAC-SHA-256 of that, the
// client's address and its nonce. The highest bit of the time is not time: it
// tells the client to prove that it has the join key.
//
// The first 16 bytes of the HMAC serve as the server's nonce: they are as good
// as random to everybody else, and differ for each address, nonce and second.
//
// Use it from one goroutine.
type jar struct {
	flag    uint64
	now     hash.Hash // keyed with the newest secret
	before  hash.Hash // and the one before; nil at first
	rotated time.Time
}

func newJar(now time.Time, needsKey bool) *jar {
	j := &jar{}
	if needsKey {
		j.flag = keyWanted
	}
	j.rotate(now)
	return j
}

func (j *jar) rotate(now time.Time) {
	secret := make([]byte, sha256.Size)
	rand.Read(secret) // never fails: crypto/rand ends the program instead
	j.before, j.now, j.rotated = j.now, hmac.New(sha256.New, secret), now
}

// bake returns the cookie for a client.
func (j *jar) bake(now time.Time, client netip.AddrPort, nonce [wire.NonceSize]byte) (cookie [wire.CookieSize]byte) {
	if now.Sub(j.rotated) >= secretPeriod {
		j.rotate(now)
	}
	binary.BigEndian.PutUint64(cookie[:], uint64(now.Unix())|j.flag)
	sum := cookieSum(j.now, cookie[:8], client, nonce)
	copy(cookie[8:], sum[:])
	return cookie
}

// check reports whether a cookie was baked for that client a short while ago.
func (j *jar) check(now time.Time, client netip.AddrPort, nonce [wire.NonceSize]byte, cookie []byte) bool {
	if len(cookie) != wire.CookieSize {
		return false
	}
	stamp := binary.BigEndian.Uint64(cookie)
	age := now.Unix() - int64(stamp&^keyWanted)
	if age < 0 || age > int64(cookieLife/time.Second) {
		return false
	}
	for _, secret := range []hash.Hash{j.now, j.before} {
		if secret == nil {
			continue
		}
		if sum := cookieSum(secret, cookie[:8], client, nonce); hmac.Equal(sum[:], cookie[8:]) {
			return true
		}
	}
	return false
}

func cookieSum(mac hash.Hash, stamp []byte, client netip.AddrPort, nonce [wire.NonceSize]byte) (sum [sha256.Size]byte) {
	mac.Reset()
	mac.Write(stamp)
	ip := client.Addr().As16()
	mac.Write(ip[:])
	mac.Write(binary.BigEndian.AppendUint16(nil, client.Port()))
	mac.Write([]byte(client.Addr().Zone()))
	mac.Write([]byte{0})
	mac.Write(nonce[:])
	mac.Sum(sum[:0])
	return sum
}

// serverNonce returns the nonce that is part of a cookie.
func serverNonce(cookie []byte) []byte {
	return cookie[cookieNonce : cookieNonce+wire.NonceSize]
}

// needsKey reports what the server told with a cookie.
func needsKey(cookie []byte) bool { return binary.BigEndian.Uint64(cookie)&keyWanted != 0 }

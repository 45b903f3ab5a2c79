package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
)

// The bodies of control envelopes are JSON objects in Args, so that a client
// in any language, and a person in the x-ray pane, can read them.

// A Challenge is the body of KindChallenge.
type Challenge struct {
	Nonce  string `json:"nonce"` // NonceSize bytes in hex
	Key    bool   `json:"key"`   // a join key is required
	Server string `json:"server,omitempty"`
}

// What a client asks for in Connect.Session.
const (
	SessionNone   = "none"   // no session: what passes while away is gone
	SessionNew    = "new"    // a session with the missed-message queue
	SessionResume = "resume" // go on with the session that Secret opens
)

// A Connect is the body of KindConnect. The first on a connection carries the
// name and so on; one for a further namespace carries nothing.
type Connect struct {
	Name    string       `json:"name,omitempty"`
	Nonce   string       `json:"nonce,omitempty"` // the client's NonceSize bytes in hex
	Proof   string       `json:"proof,omitempty"` // Prove(key, ProveClient, server nonce, client nonce) in hex
	Session string       `json:"session,omitempty"`
	ID      string       `json:"id,omitempty"`     // at resume: the session's public id
	Secret  string       `json:"secret,omitempty"` // SecretSize bytes in hex
	Mode    string       `json:"mode,omitempty"`   // UDP: unreliable, sequenced, stop-and-wait, go-back-n, selective-repeat or queue
	Rooms   []RoomCursor `json:"rooms,omitempty"`  // rooms to be in; at resume, what the client has consumed
}

// A RoomCursor is a client's place in one room.
type RoomCursor struct {
	Namespace string `json:"namespace,omitempty"`
	Room      string `json:"room"`
	Epoch     Epoch  `json:"epoch"`
	Seq       uint64 `json:"seq"`
}

// A Connected is the body of KindConnected.
type Connected struct {
	Socket    string   `json:"socket"`            // this connection in this namespace, ephemeral
	Name      string   `json:"name"`              // the identity, as the server spells it
	Session   string   `json:"session,omitempty"` // the session's public id
	Secret    string   `json:"secret,omitempty"`  // opens the session at the next resume, once
	Resumed   bool     `json:"resumed,omitempty"`
	Rooms     []string `json:"rooms,omitempty"` // at resume: rooms that the session is in
	PingMS    int64    `json:"ping_ms"`         // the server's heartbeat interval
	TimeoutMS int64    `json:"timeout_ms"`      // an answer that is later than this is none
	Proof     string   `json:"proof,omitempty"` // Prove(key, ProveServer, client nonce, server nonce) in hex
}

// A Fault is the body of KindError, and the element of a failed KindAck.
type Fault struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	RetryMS int64  `json:"retry_ms,omitempty"` // try again after this
}

// Error returns the message with the code.
func (f *Fault) Error() string { return f.Message + " (" + f.Code + ")" }

// A Position is the body of KindCursor: the member stands at the envelope's
// Seq now and stood at Prev before.
type Position struct {
	Epoch       Epoch  `json:"epoch"`
	Head        uint64 `json:"head"`                  // the newest sequence number in the room
	Lost        uint64 `json:"lost,omitempty"`        // messages between Prev and Seq that are gone
	Reason      string `json:"reason,omitempty"`      // of Lost, or of Recovered being false: epoch, expired, overflow, ended
	Hidden      bool   `json:"hidden,omitempty"`      // what lies between was not for this member
	Redelivered uint64 `json:"redelivered,omitempty"` // up to here it may have been delivered before
	Recovered   *bool  `json:"recovered,omitempty"`   // at resume: nothing is missing
}

// An Epoch is a log's random number, in JSON 16 hex digits: a number of 64
// bits does not survive every JSON reader.
type Epoch uint64

// MarshalText writes 16 hex digits.
func (e Epoch) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%016x", uint64(e)), nil }

// UnmarshalText reads up to 16 hex digits.
func (e *Epoch) UnmarshalText(b []byte) error {
	n, err := strconv.ParseUint(string(b), 16, 64)
	if err != nil {
		return fmt.Errorf("wire: epoch %q: want 16 hex digits", b)
	}
	*e = Epoch(n)
	return nil
}

// SecretSize is the size of a resume secret in bytes.
const SecretSize = 32

// What a proof is for: it keeps one from standing for the other.
const (
	ProveClient = "wirelab connect"
	ProveServer = "wirelab accept"
	ProveMAC    = "wirelab datagram" // derives the key of a UDP session's MACs
)

// Prove returns HMAC-SHA-256 (RFC 2104) of purpose, first and second under the
// join key: it shows that its maker has the key without sending it.
func Prove(key []byte, purpose string, first, second []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(purpose))
	mac.Write(first)
	mac.Write(second)
	return mac.Sum(nil)
}

// Hex16 spells a 64-bit id as the protocol does: 16 hex digits.
func Hex16(n uint64) string { return fmt.Sprintf("%016x", n) }

// DecodeBody reads the JSON object of a control envelope into v. An empty body
// leaves v as it is.
func DecodeBody(args []byte, v any) error {
	if len(args) == 0 {
		return nil
	}
	if err := json.Unmarshal(args, v); err != nil {
		return fmt.Errorf("wire: control body: %w", err)
	}
	return nil
}

// EncodeBody returns v as the JSON object of a control envelope.
func EncodeBody(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("wire: a control body must be encodable: " + err.Error())
	}
	return b
}

// DecodeHex reads exactly size bytes of hex, and reports whether s was that.
func DecodeHex(s string, size int) ([]byte, bool) {
	b, err := hex.DecodeString(s)
	return b, err == nil && len(b) == size
}

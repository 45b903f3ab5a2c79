package client

// A Cursor is a place in a room's log: everything up to Seq was handled. The
// epoch names the log; the two move as a pair.
type Cursor struct {
	Epoch uint64 `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

// A State is what a client must remember to come back as who it was, and to
// be sent what it missed. It holds a secret: keep it as you keep a password.
type State struct {
	Server    string      `json:"server"` // the address it belongs to
	Name      string      `json:"name"`
	Namespace string      `json:"namespace,omitempty"`
	Session   string      `json:"session"`
	Secret    string      `json:"secret"` // good for one resume; the server replaces it
	Rooms     []RoomState `json:"rooms"`
}

// A RoomState is a room that the client is in, and how far it handled it.
type RoomState struct {
	Namespace string `json:"namespace,omitempty"`
	Room      string `json:"room"`
	Cursor
}

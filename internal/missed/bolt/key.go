package bolt

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"wirelab/internal/missed"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// roomKey encodes a room's name: the length of the namespace in a byte, the
// namespace, the room.
func roomKey(k missed.Key) []byte {
	b := make([]byte, 0, 1+len(k.Namespace)+len(k.Room))
	b = append(b, byte(len(k.Namespace)))
	b = append(b, k.Namespace...)
	return append(b, k.Room...)
}

func parseRoomKey(b []byte) (missed.Key, error) {
	if len(b) == 0 || int(b[0]) > len(b)-1 {
		return missed.Key{}, fmt.Errorf("room name %x: %w", b, missed.ErrDamaged)
	}
	n := 1 + int(b[0])
	return missed.Key{Namespace: string(b[1:n]), Room: string(b[n:])}, nil
}

// seqKey encodes the number of a block's first event, so that keys sort.
func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// parseSeqKey returns 0 if b is no block's key.
func parseSeqKey(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// recordKey is where a room's bucket has its record: after all blocks, so that
// it is written to the same page as the newest one.
var recordKey = []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// A room record is a check of 4 bytes, which also covers the room's name, then
// epoch, first and last, 8 bytes each, then why the events before first are gone.
const recordSize = 4 + 3*8 + 1

func appendRecord(dst []byte, r *missed.Room) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint64(dst, r.Epoch)
	dst = binary.BigEndian.AppendUint64(dst, r.First)
	dst = binary.BigEndian.AppendUint64(dst, r.Last)
	dst = append(dst, byte(r.Gone))
	binary.BigEndian.PutUint32(dst[at:], check(roomKey(r.Key), dst[at+4:]))
	return dst
}

func parseRecord(k missed.Key, b []byte) (missed.Room, error) {
	if len(b) != recordSize || binary.BigEndian.Uint32(b) != check(roomKey(k), b[4:]) {
		return missed.Room{}, fmt.Errorf("room %v: record %x: %w", k, b, missed.ErrDamaged)
	}
	return missed.Room{
		Key:   k,
		Epoch: binary.BigEndian.Uint64(b[4:]),
		First: binary.BigEndian.Uint64(b[12:]),
		Last:  binary.BigEndian.Uint64(b[20:]),
		Gone:  missed.Reason(b[28]),
	}, nil
}

// entryKey encodes the place of an entry: the length of the table's name in a
// byte, the table, the key.
func entryKey(table, key string) ([]byte, error) {
	if len(table) > 255 {
		return nil, fmt.Errorf("table name of %d bytes, at most 255", len(table))
	}
	b := make([]byte, 0, 1+len(table)+len(key))
	b = append(b, byte(len(table)))
	b = append(b, table...)
	return append(b, key...), nil
}

// appendEntry encodes an entry's value: a check of 4 bytes, which also covers
// the key, and the value.
func appendEntry(dst, key, value []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, check(key, value))
	return append(dst, value...)
}

func parseEntry(key, b []byte) (missed.Entry, error) {
	if len(b) < 4 || binary.BigEndian.Uint32(b) != check(key, b[4:]) || len(key) == 0 || int(key[0]) > len(key)-1 {
		return missed.Entry{}, fmt.Errorf("entry %q: %w", key, missed.ErrDamaged)
	}
	n := 1 + int(key[0])
	// A copy that is never nil: nil would mean that there is none.
	return missed.Entry{Table: string(key[1:n]), Key: string(key[n:]), Value: append([]byte{}, b[4:]...)}, nil
}

func check(name, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(name, castagnoli), castagnoli, value)
}

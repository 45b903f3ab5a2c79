package missed

import (
	"bytes"
	"maps"
	"slices"
)

// Put keeps a small record: sessions, bans. It replaces what the table had
// under key; a nil value deletes. The record is durable with the next commit,
// which Put alone does not start: After does, and Expire within its period.
// After Close it does nothing.
func (q *Queue) Put(table, key string, value []byte) {
	t := &q.todo
	value = bytes.Clone(value)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closing {
		return
	}
	t.set(slot{table, key}, value)
	if q.durable {
		t.put(slot{table, key}, value)
		return
	}
	if err := q.store.Commit(&Change{Puts: []Entry{{table, key, value}}}); err != nil {
		q.logger.Error("missed: record not kept", "table", table, "key", key, "err", err)
	}
}

// set updates the table in memory. mu is held.
func (t *todo) set(s slot, value []byte) {
	if value == nil {
		delete(t.tables[s.table], s.key)
		return
	}
	if t.tables[s.table] == nil {
		t.tables[s.table] = make(map[string][]byte)
	}
	t.tables[s.table][s.key] = value
}

// Each calls fn for the records of a table as they are now, stored or not yet,
// by key in order, until fn returns an error, which it returns. fn must not
// change value.
func (q *Queue) Each(table string, fn func(key string, value []byte) error) error {
	q.todo.mu.Lock()
	records := maps.Clone(q.todo.tables[table])
	q.todo.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(records)) {
		if err := fn(key, records[key]); err != nil {
			return err
		}
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"context"
	"encoding/json"
	"iter"
	"time"
)

// StoredValue is one value of a record's history.
type StoredValue struct {
	RecordName string          `json:"record_name"`
	Value      json.RawMessage `json:"value"`
	StoredAt   uint64          `json:"stored_at"` // Unix milliseconds
}

// Backend stores and queries the history of records. All methods may be called from any number of
// goroutines at once, and honour the cancellation of their context.
type Backend interface {
	// Store adds one value to the history of recordName at timestamp (Unix ms). When it returns nil
	// the value is as durable as the backend promises, and every later Query sees it. When it
	// returns ErrInvalidName, ErrInvalidValue, ErrValueTooLarge, ErrTimestampRange, ErrReadOnly,
	// ErrClosed, ErrNoSpace or the context's error, nothing was stored; after any other error, such
	// as ErrFailed, opening again may show the value. The backend does not keep value after it
	// returns.
	Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error

	// Query returns the values of all records that recordPattern matches, as params says, from one
	// consistent snapshot: ordered by record name (bytewise ascending), then by time in
	// params.Order. No match is an empty result, not an error. The caller owns the result; several
	// of its values may share one allocation, so copy a value that is kept long after the rest.
	// Errors: ErrInvalidPattern, ErrInvalidParams, ErrCorrupt, ErrClosed.
	Query(ctx context.Context, recordPattern string, params QueryParams) ([]StoredValue, error)

	// Initialize prepares the backend for use. It is idempotent, and a no-op where opening did it.
	Initialize(ctx context.Context) error

	// Cleanup deletes every value with StoredAt < olderThan (Unix ms) and returns how many it
	// deleted, exactly. Interrupted, it has deleted a part, returns that part's count with the
	// error, and the same call finishes the work.
	Cleanup(ctx context.Context, olderThan uint64) (deleted uint64, err error)
}

// BatchStorer is a Backend that stores many values at once.
type BatchStorer interface {
	// StoreBatch stores all of values or none of them, in one durable commit, in the order given:
	// with equal record and time, the later element counts as inserted later. An invalid element
	// is reported with its index. An empty batch stores nothing and returns nil.
	StoreBatch(ctx context.Context, values []StoredValue) error
}

// Scanner is a Backend that streams results.
type Scanner interface {
	// Scan yields what Query would return, in the same order and from one snapshot taken when the
	// iteration starts, without ever holding the whole result. An error is yielded once, as the
	// last element. The caller may keep what it is given; several values may share one allocation.
	// Whether the loop may store into the same backend is the backend's to say.
	Scan(ctx context.Context, recordPattern string, params QueryParams) iter.Seq2[StoredValue, error]
}

// RecordInfo describes one record's history.
type RecordInfo struct {
	RecordName string `json:"record_name"`
	Count      uint64 `json:"count"`  // number of values
	Bytes      uint64 `json:"bytes"`  // total length of the values' JSON, in bytes
	Oldest     uint64 `json:"oldest"` // least StoredAt, Unix ms
	Newest     uint64 `json:"newest"` // greatest StoredAt, Unix ms
}

// RecordLister is a Backend that knows its records.
type RecordLister interface {
	// Records yields the records that recordPattern matches, by name, bytewise ascending. A record
	// without values does not exist. An error is yielded once, as the last element.
	Records(ctx context.Context, recordPattern string, syntax PatternSyntax) iter.Seq2[RecordInfo, error]
}

// PruneParams says what Prune deletes. OlderThan and MaxPerRecord are independent, and MaxBytes is for what they leave; a
// zero one deletes nothing.
type PruneParams struct {
	// Syntax is how the record pattern is read.
	Syntax PatternSyntax
	// OlderThan deletes values with StoredAt < OlderThan (Unix ms). 0: nothing is deleted by age.
	OlderThan uint64
	// MaxPerRecord deletes all but the newest MaxPerRecord values of each record. 0: no limit;
	// negative: ErrInvalidParams.
	MaxPerRecord int
	// MaxBytes deletes the oldest values of all the records together, until those that are left take at most MaxBytes bytes
	// of JSON; of the same millisecond those that were stored first. 0: no limit.
	MaxBytes uint64
	// KeepNewest spares the newest KeepNewest values of each record from deletion by age, and for MaxBytes, which may then
	// not be reached. 0: spares none; negative, or more than a positive MaxPerRecord: ErrInvalidParams.
	KeepNewest int
	// Except spares the records that one of these patterns matches. A malformed one: ErrInvalidPattern.
	Except []Pattern
}

// Pattern is a record pattern and how it is read.
type Pattern struct {
	Text   string
	Syntax PatternSyntax
}

// Pruner is a Backend that deletes by pattern, by age, by count and by size.
type Pruner interface {
	// Prune deletes from the records that recordPattern matches, but those of params.Except, and returns how many values it
	// deleted, exactly. Interrupted, it behaves as Backend.Cleanup does.
	Prune(ctx context.Context, recordPattern string, params PruneParams) (deleted uint64, err error)
}

// Event is what a watcher is told of: a value that was just stored.
type Event struct {
	Change
	// Missed is how many matching values were stored since the event before this one, and are not told of, because the
	// watcher was too slow for them.
	Missed uint64 `json:"missed,omitempty"`
}

// WatchParams says how Watch watches.
type WatchParams struct {
	// Syntax is how the record pattern is read.
	Syntax PatternSyntax
	// Buffer is how many values may wait for the watcher; the oldest of more are missed. Default: 1024; negative:
	// ErrInvalidParams.
	Buffer int
}

// Watcher is a Backend that tells of what is stored.
type Watcher interface {
	// Watch returns a channel of the values that are stored from now on for the records that recordPattern matches, in
	// the order in which they were stored. A watcher that receives too slowly misses values, and is told how many; it
	// never slows whoever stores. The channel is closed when ctx ends or the backend is closed.
	Watch(ctx context.Context, recordPattern string, params WatchParams) (<-chan Event, error)
}

// Now returns the wall clock's time in Unix milliseconds, and 0 for a clock set before 1970.
func Now() uint64 {
	return uint64(max(time.Now().UnixMilli(), 0))
}

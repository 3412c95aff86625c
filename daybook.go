// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"context"
	"encoding/json"
	"iter"
)

// StoredValue is one value of a record's history.
type StoredValue struct {
	RecordName string          `json:"record_name"`
	Value      json.RawMessage `json:"value"`     // one JSON text in UTF-8
	StoredAt   uint64          `json:"stored_at"` // the timestamp that the value was stored with, Unix ms
}

// Backend stores and queries the history of records.
//
// Concurrency: all methods may be called from any number of goroutines at once. A method whose
// context ends returns the context's error soon.
type Backend interface {
	// Store adds one value to the history of recordName at timestamp (Unix ms).
	//
	// Durability: when Store returns nil, the value is as durable as the backend promises, and
	// every later Query sees it. After ErrInvalidName, ErrInvalidValue, ErrValueTooLarge,
	// ErrTimestampRange, ErrReadOnly, ErrClosed, ErrNoSpace or ctx's error, nothing was stored.
	// After any other error the value may be there when the backend is opened again. With the
	// embedded engine that is so only after ErrFailed.
	//
	// Ownership: the backend does not keep value after Store returns, so the caller may reuse its
	// memory.
	Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error

	// Query returns the values that params selects, of all records whose names match recordPattern.
	// The result is one consistent snapshot. It is ordered by record name, bytewise ascending, then
	// by time in params.Order. If nothing matches, the result is empty and the error is nil.
	//
	// Ownership: the caller owns the result. Several of its values may share one allocation, so
	// copy a value that you keep much longer than the rest.
	//
	// Errors: ErrInvalidPattern, ErrInvalidParams, ErrCorrupt, ErrClosed, or ctx's.
	Query(ctx context.Context, recordPattern string, params QueryParams) ([]StoredValue, error)

	// Initialize prepares the backend for use. It may be called again, and does nothing then, or if
	// opening the backend has done all of it. Errors: ErrClosed, ctx's, or the backend's own.
	Initialize(ctx context.Context) error

	// Cleanup deletes every value with StoredAt < olderThan (Unix ms). It returns the exact number
	// of values that it deleted. It skips the values that a Hold spares, and does not count them.
	//
	// If it is interrupted, it has deleted a part of the values. It returns the number of these
	// with the error, and the same call again deletes the rest. The deletion is as durable as a
	// stored value.
	//
	// Errors: ErrReadOnly, ErrCorrupt, ErrFailed, ErrNoSpace, ErrClosed, or ctx's.
	Cleanup(ctx context.Context, olderThan uint64) (deleted uint64, err error)
}

// BatchStorer is a Backend that stores many values at once.
type BatchStorer interface {
	// StoreBatch stores all of values or none of them, in one durable commit. It stores them in the
	// order given: of two values with equal record and timestamp, the later element counts as
	// inserted later. An empty batch stores nothing, and the error is nil. An invalid element is an
	// error that names its index.
	//
	// Durability, ownership and errors are those of Backend.Store. ErrValueTooLarge also stands for
	// a batch that holds more than the backend takes in one commit.
	StoreBatch(ctx context.Context, values []StoredValue) error
}

// Scanner is a Backend that streams results.
type Scanner interface {
	// Scan yields the values that Query would return, in the same order, without holding all of
	// them in memory. They come from one snapshot, which is taken when the iteration starts. Each
	// iteration takes a new one.
	//
	// Ownership: the caller may keep the yielded values. Several of them may share one allocation.
	//
	// Each backend says for itself whether the loop may store into it.
	//
	// Errors are those of Query, and ErrSnapshotEnded. An error is yielded once, as the last
	// element.
	Scan(ctx context.Context, recordPattern string, params QueryParams) iter.Seq2[StoredValue, error]
}

// RecordInfo describes one record's history.
type RecordInfo struct {
	RecordName string `json:"record_name"`
	Count      uint64 `json:"count"`  // number of values
	Bytes      uint64 `json:"bytes"`  // total length of the values' JSON, in bytes
	Oldest     uint64 `json:"oldest"` // smallest StoredAt, Unix ms
	Newest     uint64 `json:"newest"` // greatest StoredAt, Unix ms
}

// RecordLister is a Backend that lists its records.
type RecordLister interface {
	// Records yields all records whose names match recordPattern, ordered by name, bytewise
	// ascending. A record without values does not exist. Errors are those of Query. An error is
	// yielded once, as the last element.
	Records(ctx context.Context, recordPattern string, syntax PatternSyntax) iter.Seq2[RecordInfo, error]
}

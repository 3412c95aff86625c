// SPDX-License-Identifier: Apache-2.0

package daybook

import "errors"

// These errors are matched with errors.Is. What is returned wraps them with the offending name, size,
// pattern, path or offset.

// Errors about what a caller passed in. Nothing was changed.
var (
	// ErrInvalidName is returned when a record name is empty, longer than MaxRecordNameLen, not
	// valid UTF-8, or holds a NUL.
	ErrInvalidName = errors.New("daybook: invalid record name")
	// ErrInvalidValue is returned when a value is not one JSON text in UTF-8 (RFC 8259), or is
	// nested deeper than MaxValueDepth.
	ErrInvalidValue = errors.New("daybook: invalid value")
	// ErrValueTooLarge is returned when a value is longer than MaxValueLen, or a batch holds more
	// than a backend takes in one commit.
	ErrValueTooLarge = errors.New("daybook: value too large")
	// ErrInvalidPattern is returned when a record pattern is malformed.
	ErrInvalidPattern = errors.New("daybook: invalid pattern")
	// ErrInvalidParams is returned when query, prune or open parameters ask for something impossible.
	ErrInvalidParams = errors.New("daybook: invalid parameters")
	// ErrTimestampRange is returned by a backend that cannot hold a timestamp, or is told not to. The embedded engine
	// holds every uint64, and returns it only for what is too far ahead of the clock, if its options bound that.
	ErrTimestampRange = errors.New("daybook: timestamp out of range")
	// ErrNotConfigured is returned by the helpers of this package when the backend is nil.
	ErrNotConfigured = errors.New("daybook: no backend configured")
)

// Errors about the state of a backend.
var (
	// ErrClosed is returned by every method, but Close, of a backend that has been closed.
	ErrClosed = errors.New("daybook: closed")
	// ErrReadOnly is returned when writing to a backend that was opened read-only.
	ErrReadOnly = errors.New("daybook: read-only")
	// ErrLocked is returned when opening a directory that another process, or this one, has open.
	ErrLocked = errors.New("daybook: locked by another process")
	// ErrFailed is returned when writing after the disk has failed, since nobody knows which of the last
	// writes reached it. What returned it does not work again until the backend is opened again; reads go on,
	// and what is acknowledged all the same is as durable as ever.
	ErrFailed = errors.New("daybook: the disk failed, and nothing is written until it is opened again")
	// ErrNoSpace is returned when the disk, or the space a backend may use, is full. What was there
	// stays readable, and storing works again once there is room.
	ErrNoSpace = errors.New("daybook: no space left")
)

// Errors about what is on disk.
var (
	// ErrCorrupt is returned when stored bytes are not what was written.
	ErrCorrupt = errors.New("daybook: corrupt")
	// ErrVersion is returned when opening what a newer version wrote. It is not damaged: a newer
	// program reads it.
	ErrVersion = errors.New("daybook: written by a newer version")
)

// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"errors"
	"fmt"
)

// Match these errors with errors.Is. A returned error wraps one of them, and adds the name, size,
// pattern, path or offset in question. Their texts do not begin with the name of the package,
// because they mostly stand in the middle of other texts.

// Errors about the arguments of a call. The call changed nothing.
var (
	// ErrInvalidName is returned when a record name is empty, is longer than MaxRecordNameLen, is
	// not valid UTF-8, or contains a NUL.
	ErrInvalidName = errors.New("invalid record name")
	// ErrInvalidValue is returned when a value is not one JSON text in UTF-8 (RFC 8259), or is
	// nested deeper than MaxValueDepth.
	ErrInvalidValue = errors.New("invalid value")
	// ErrValueTooLarge is returned when a value is longer than MaxValueLen, or a batch holds more
	// than a backend takes in one commit.
	ErrValueTooLarge = errors.New("value too large")
	// ErrInvalidPattern is returned when a record pattern is malformed.
	ErrInvalidPattern = errors.New("invalid pattern")
	// ErrInvalidParams is returned when a field of a parameter or option struct has a value that
	// its comment excludes.
	ErrInvalidParams = errors.New("invalid parameters")
	// ErrTimestampRange is returned when a backend cannot hold a timestamp, or has an option that
	// excludes it. The embedded engine holds every uint64. It returns this error only for a
	// timestamp that is too far ahead of the clock, if an option sets that limit.
	ErrTimestampRange = errors.New("timestamp out of range")
	// ErrNotConfigured is returned when a helper of this package, or a keeper, is given a nil
	// Backend.
	ErrNotConfigured = errors.New("no backend configured")
)

// Errors about the state of a backend.
var (
	// ErrClosed is returned by every method of a closed backend except Close.
	ErrClosed = errors.New("the backend is closed")
	// ErrReadOnly is returned when a call would write to a backend that was opened read-only.
	ErrReadOnly = errors.New("the backend is read-only")
	// ErrLocked is returned when another process, or this one, has the directory open. The error
	// may be a *LockedError, which names the process.
	ErrLocked = errors.New("locked by another process")
	// ErrFailed is returned when a sync of a file fails, or when a call would write to that file
	// later. It is then unknown which of the last writes reached the disk, so writes to the file
	// fail until the backend is opened again. Reads still work, and a value that was acknowledged
	// is as durable as before. A value whose Store returned ErrFailed may be there when the backend
	// is opened again. The embedded engine also returns it when its directory was moved, replaced
	// or deleted while it was open.
	//
	// The embedded engine has two such files. If its log has failed, Store and Sync return
	// ErrFailed. Checkpoint, Cleanup, Prune and Compact still work, because they write to the tree.
	// If the tree has failed, these return ErrFailed. Store works until the values that wait for
	// the tree fill the memory that they may take.
	ErrFailed = errors.New("a write failed for good: writes like this one fail until the backend is opened again")
	// ErrForked is returned when a cursor is no place in the backend's history. The error is a
	// *ForkedError, which has the last place that both share.
	ErrForked = errors.New("the history has forked")
	// ErrNoHold is returned when there is no hold with the given name.
	ErrNoHold = errors.New("no such hold")
	// ErrOutOfStep is returned when a batch does not begin at the receiver's position. The error is
	// an *OutOfStepError, which has the position.
	ErrOutOfStep = errors.New("out of step")
	// ErrSnapshotEnded is returned by a loop over Scan or Records whose snapshot the backend has
	// ended, because it needs the space that the snapshot held. Read on with QueryParams.After.
	ErrSnapshotEnded = errors.New("the snapshot has ended")
	// ErrNoSpace is returned when the disk is full, or the backend uses all the space that it may
	// use. Stored values stay readable, and storing works again when there is room.
	ErrNoSpace = errors.New("no space left")
)

// Errors about the bytes on disk.
var (
	// ErrCorrupt is returned when bytes on disk are not the bytes that were written.
	ErrCorrupt = errors.New("corrupt")
	// ErrVersion is returned when a newer version of Daybook wrote the file. The file is not
	// damaged: that version reads it.
	ErrVersion = errors.New("written by a newer version")
)

// ValueError says where a value stops to be JSON. It matches ErrInvalidValue.
type ValueError struct {
	Offset int    // of the byte that is wrong
	Len    int    // of the value
	Reason string // "a value was expected"
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("%v: %s at offset %d of %d bytes", ErrInvalidValue, e.Reason, e.Offset, e.Len)
}

// Unwrap returns ErrInvalidValue.
func (e *ValueError) Unwrap() error { return ErrInvalidValue }

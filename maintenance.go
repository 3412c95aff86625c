// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"context"
	"io"
)

// The methods of these interfaces may be called from any number of goroutines at once. Stores and
// queries go on while one of them runs.

// Checker is a Backend that can verify everything that it has stored.
type Checker interface {
	// Check reads all stored bytes and returns every fault that it finds, joined. Each of these
	// errors matches ErrCorrupt and names the place of the damage. Check changes nothing. Other
	// errors: ErrClosed, ctx's, or the operating system's.
	Check(ctx context.Context) error
}

// BackerUp is a Backend that can write a copy of itself.
type BackerUp interface {
	// Backup writes all values that were acknowledged before the call to w, as one consistent
	// snapshot. The format is the backend's own. It never writes damaged values: the error is then
	// ErrCorrupt.
	//
	// Durability: if Backup returns nil, w has received a complete backup. It is the caller's task
	// to sync it. After an error the bytes in w are of no use.
	//
	// Errors: ErrCorrupt, ErrNoSpace, ErrReadOnly, ErrClosed, w's, or ctx's.
	Backup(ctx context.Context, w io.Writer) error
}

// Compacter is a Backend that can return unused disk space to the operating system.
type Compacter interface {
	// Compact makes the files of the backend as small as their values allow. It does not change the
	// values.
	//
	// Durability: a crash at any moment leaves all values intact. Compact may need disk space for a
	// copy of the values. If there is not enough, it changes nothing and returns ErrNoSpace.
	//
	// Errors: ErrNoSpace, ErrReadOnly, ErrCorrupt, ErrFailed, ErrClosed, ctx's, or
	// errors.ErrUnsupported for a system on which the backend cannot compact.
	Compact(ctx context.Context) error
}

// Checkpointer is a Backend that writes values to a log first, and moves them to their final place
// later.
type Checkpointer interface {
	// Checkpoint moves all values that were acknowledged before the call from the log to their
	// final place. It returns when they are durable there. The next opening of the backend takes
	// less time then.
	//
	// Errors: ErrNoSpace, ErrReadOnly, ErrCorrupt, ErrFailed, ErrClosed, or ctx's.
	Checkpoint(ctx context.Context) error
}

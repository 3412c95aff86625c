// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"context"
	"io"
)

// Checker is a Backend that can verify all that it has stored.
type Checker interface {
	// Check reads everything that is stored, and returns all the faults that it finds, joined. Each of them matches
	// ErrCorrupt and names the place. It changes nothing. Stores and queries go on meanwhile. Errors: ErrCorrupt, ErrClosed,
	// ctx's, or those of the operating system.
	Check(ctx context.Context) error
}

// BackerUp is a Backend that can write a copy of itself.
type BackerUp interface {
	// Backup writes all values that were acknowledged before the call to w, as one consistent snapshot, in a format of the
	// backend's own. Stores and queries go on meanwhile. The backup is complete and correct if the error is nil: its
	// durability is w's matter, so sync a file before you rely on it. After an error the bytes that were written to w are of
	// no use. Damaged values are never written: the error is ErrCorrupt.
	// Errors: ErrCorrupt, ErrNoSpace, ErrClosed, w's, or ctx's.
	Backup(ctx context.Context, w io.Writer) error
}

// Compacter is a Backend that can give unused disk space back.
type Compacter interface {
	// Compact makes the backend's files as small as their values allow. The values stay as they are, and a crash at any
	// moment loses none of them. Stores and queries go on meanwhile. It may need disk space for a copy of the values, and
	// without it leaves everything as it was: ErrNoSpace. A backend that cannot compact on this system returns
	// errors.ErrUnsupported. Errors: these, ErrReadOnly, ErrClosed, ErrCorrupt, ErrFailed, or ctx's.
	Compact(ctx context.Context) error
}

// Checkpointer is a Backend that stores values in two steps: first into a log, and later into their place.
type Checkpointer interface {
	// Checkpoint moves all values that were acknowledged before the call from the log into their place, and waits until this
	// is durable. After it, opening the backend again takes less time. Stores and queries go on meanwhile.
	// Errors: ErrNoSpace, ErrReadOnly, ErrClosed, ErrCorrupt, ErrFailed, or ctx's.
	Checkpoint(ctx context.Context) error
}

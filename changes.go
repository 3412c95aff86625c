// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"context"
	"iter"
)

// Change is a stored value and its place in the order in which all values were stored.
type Change struct {
	StoredValue
	// Sequence numbers the values of a backend in the order in which they were stored, from 1. A number is used again
	// only after a crash, if the value that had it was lost. The numbers of deleted values are missing.
	Sequence uint64 `json:"sequence"`
}

// ChangesParams says where Changes begins. The zero value asks for everything.
type ChangesParams struct {
	// After is a sequence number: Changes yields the values with greater ones. 0: all values.
	After uint64
}

// ChangeSource is a Backend that yields its values in the order in which they were stored.
type ChangeSource interface {
	// Changes yields the stored values of all records after the place that params says, ordered by sequence number. It ends
	// after the last value that was acknowledged before the iteration began. It leaves out values that are deleted, also
	// those that are deleted while it runs. A place after the last value is no error: nothing is yielded.
	//
	// Durability: a value may be yielded before it is on stable storage, unless the backend acknowledges only what is. After a
	// power cut its number may then be given to another value.
	//
	// The loop may take as long as it likes, and may call other methods of the backend, those that store included. The caller
	// may keep the yielded values; several of them may share one allocation. Each call of the returned function begins again
	// at the same place. An error is yielded once, as the last element: ErrCorrupt, ErrClosed, or ctx's.
	Changes(ctx context.Context, params ChangesParams) iter.Seq2[Change, error]
}

// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"context"
	"iter"
)

// Change is a stored value and its place in the order in which all values were stored.
type Change struct {
	StoredValue
	// Sequence numbers the values of a backend in the order in which they were stored, from 1. A
	// number is used again only after a crash, if the value that had it was lost. The numbers of
	// deleted values are missing.
	Sequence uint64 `json:"sequence"`
}

// ChangesParams says where Changes begins. The zero value asks for all values.
type ChangesParams struct {
	// After is the sequence number of the last value that the caller has already. Changes yields
	// the values with greater numbers. 0: all values.
	After uint64
}

// ChangeSource is a Backend that yields its values in the order in which they were stored.
type ChangeSource interface {
	// Changes yields the values of all records with sequence numbers greater than params.After, in
	// the order of these numbers. It ends after the last value that was acknowledged before the
	// iteration began. Deleted values are missing; a value that is deleted during the iteration may
	// be yielded or not. A params.After beyond the last number is no error: nothing is yielded.
	// Each iteration begins at the same place again.
	//
	// Durability: a backend that acknowledges values before they are on stable storage may yield
	// such values, too. After a power cut, their numbers may be given to other values.
	//
	// Concurrency: the loop may take as long as it likes. It may call the other methods of the
	// backend, except Close.
	//
	// Ownership: the caller may keep the yielded values. Several of them may share one allocation.
	//
	// Errors: ErrCorrupt, ErrClosed, or ctx's. An error is yielded once, as the last element.
	Changes(ctx context.Context, params ChangesParams) iter.Seq2[Change, error]
}

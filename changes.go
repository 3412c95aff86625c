// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"context"
	"fmt"
	"iter"
)

// Change is a stored value and its place in the order in which all values were stored.
type Change struct {
	StoredValue
	// Cursor is the place of the value. Its sequence numbers ascend; the numbers of deleted values
	// are missing.
	Cursor Cursor `json:"cursor"`
}

// IsPlace reports whether c is the last element of Changes: a place without a value.
func (c Change) IsPlace() bool { return c.RecordName == "" }

// ChangesParams says where Changes begins and which values it yields. The zero value asks for all
// values.
type ChangesParams struct {
	// After is the place of the last value that the caller has already. Default: the beginning.
	After Cursor
	// Pattern selects records by their names. Without a text it selects all records.
	Pattern Pattern
	// Durable makes Changes end at the last value that is on stable storage when the iteration
	// begins. It waits for no sync. A backend that acknowledges only such values ignores it.
	Durable bool
}

// Validate returns an error that matches ErrInvalidParams if a field has a value that its comment
// excludes.
func (p ChangesParams) Validate() error {
	if err := p.After.validate(); err != nil {
		return err
	}
	return p.Pattern.Syntax.Validate()
}

// ChangeSource is a Backend that yields its values in the order in which they were stored.
type ChangeSource interface {
	// Changes yields the values after params.After of the matching records, in the order in which
	// they were stored. It ends after the last value that was acknowledged before the iteration
	// began. Deleted values are missing; a value that is deleted during the iteration may be
	// yielded or not. Each iteration begins at the same place again.
	//
	// The last element that an iteration without an error yields is a place without a value: its
	// RecordName is empty. Its Cursor is the place that was reached, after the values that did not
	// match, too. A consumer saves it as it saves the cursor of a value.
	//
	// Durability: without params.Durable, a backend that acknowledges values before they are on
	// stable storage yields such values, too. If a power cut loses them, their cursors are
	// ErrForked.
	//
	// Concurrency: the loop may take as long as it likes. It may call the other methods of the
	// backend, except Close, unless the backend's own documentation allows that.
	//
	// Ownership: the caller may keep the yielded values. Several of them may share one allocation.
	//
	// Errors: ErrForked if params.After is no place in the history; ErrInvalidPattern,
	// ErrInvalidParams, ErrCorrupt, ErrClosed, or ctx's. An error is yielded once, as the last
	// element; the Change beside it, and its Cursor, mean nothing. A *DamagedChangesError, which
	// matches ErrCorrupt, names the values that cannot be read: all others up to its Through have
	// been yielded, and Changes goes on after Through.
	Changes(ctx context.Context, params ChangesParams) iter.Seq2[Change, error]
}

// DamagedChangesError says that Changes cannot read some values, because bytes on disk are damaged.
// They are values of Record, from the cursor From through the cursor Through. Where the damage
// hides which values there were, Record is empty, and the range is as large as it can be. From may
// be before the place where Changes began: a consumer that was interrupted learns the whole range.
type DamagedChangesError struct {
	Record        string
	From, Through Cursor
	Err           error // matches ErrCorrupt, and names the place of the damage
}

func (e *DamagedChangesError) Error() string {
	of := ""
	if e.Record != "" {
		of = fmt.Sprintf(" of record %q", e.Record)
	}
	return fmt.Sprintf("values%s from %v through %v cannot be read: %v", of, e.From, e.Through, e.Err)
}

// Unwrap returns Err.
func (e *DamagedChangesError) Unwrap() error { return e.Err }

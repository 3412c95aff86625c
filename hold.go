// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"
)

// MaxHoldNameLen is the maximum length of the name of a hold, and of a stream, in bytes of UTF-8.
const MaxHoldNameLen = 128

// Hold spares the values that a consumer has not taken yet from Cleanup, Prune and the embedded
// engine's WhenFullDropOldest. It spares the matching values that were stored after At, up to its
// bounds: MaxBytes, MaxAge or both. It deletes nothing itself. A value beyond a bound may be
// deleted as if there were no hold, and the hold counts it as lost then.
type Hold struct {
	// Name names the hold: 1 to MaxHoldNameLen bytes of UTF-8 without control characters.
	Name string
	// Pattern says which records the consumer takes. The zero Pattern: all records.
	// HoldStats.Pending counts all records nevertheless, so a consumer of some records also
	// advances its hold to the places after others: Changes yields one at its end.
	Pattern Pattern
	// At is the place up to which the consumer has taken all values.
	At Cursor
	// MaxBytes bounds the JSON that the hold spares: the values stored last, of MaxBytes together.
	// 0: no bound in bytes, which needs a MaxAge.
	MaxBytes uint64
	// MaxAge bounds how long the hold spares a value. It counts from the time when the value was
	// stored, and not from the value's timestamp. The backend may spare a value for longer. 0: no
	// bound in time, which needs MaxBytes.
	MaxAge time.Duration
}

// Validate returns an error that matches ErrInvalidParams if a field has a value that its comment
// excludes.
func (h Hold) Validate() error {
	if err := validateLabel("the name of a hold", h.Name); err != nil {
		return err
	}
	switch {
	case h.Name == "":
		return fmt.Errorf("%w: the name of a hold is empty; want 1 to %d bytes", ErrInvalidParams, MaxHoldNameLen)
	case h.MaxAge < 0:
		return fmt.Errorf("%w: hold %q: got MaxAge %v; want 0 (no bound in time) or more",
			ErrInvalidParams, h.Name, h.MaxAge)
	case h.MaxBytes == 0 && h.MaxAge == 0:
		return fmt.Errorf("%w: hold %q has no bound; set MaxBytes, MaxAge or both", ErrInvalidParams, h.Name)
	}
	if err := h.At.validate(); err != nil {
		return err
	}
	return h.Pattern.Syntax.Validate()
}

// validateLabel validates a text that names a hold or a stream.
func validateLabel(what, text string) error {
	if len(text) > MaxHoldNameLen || !utf8.ValidString(text) {
		return fmt.Errorf("%w: %s is %q, of %d bytes; want at most %d bytes of UTF-8",
			ErrInvalidParams, what, shorten(text), len(text), MaxHoldNameLen)
	}
	for _, r := range text {
		if r < ' ' || r == 0x7f {
			return fmt.Errorf("%w: %s is %q; want no control characters", ErrInvalidParams, what, text)
		}
	}
	return nil
}

// HoldInfo is a hold and what it does.
type HoldInfo struct {
	Hold
	Values uint64 // number of values that the hold spares, of its Pattern only
	Bytes  uint64 // total length of their JSON, in bytes
	// Lost is the number of matching values that were deleted before the consumer had taken them,
	// from the first SetHold with this name and pattern on. It is exact, also across crashes,
	// unless Damaged. Values that had been deleted before that SetHold do not count.
	Lost uint64
	// Damaged says that damage has destroyed values that may belong to the hold, and that could not
	// be counted. Lost is a minimum then.
	Damaged bool
}

// Holder is a Backend with holds. What its methods change is durable when they return nil, whatever
// the backend's durability of values is. They work on a full disk.
type Holder interface {
	// SetHold makes a hold. If there is one with this name and pattern, SetHold sets its bounds,
	// and advances it to h.At as AdvanceHold does; it keeps counting what it has lost. If there is
	// one with this name and another pattern, the new one takes its place: it has lost nothing, and
	// begins at h.At, so give it the place of the other. A consumer calls SetHold at each start,
	// and goes on after the At that Holds tells.
	//
	// A consumer that has a place of its own gives it as h.At. After a *ForkedError it calls
	// SetHold once more, with Common, and goes on after the At that Holds tells: where a backup was
	// restored, the hold in it knows more than Common.
	//
	// Errors: ErrInvalidParams, ErrInvalidPattern, a *ForkedError if h.At is no place in the
	// backend's history, ErrReadOnly, ErrClosed, ErrNoSpace, ErrFailed, or ctx's.
	SetHold(ctx context.Context, h Hold) error

	// AdvanceHold tells a hold that its consumer has taken all values up to a place. A place before
	// the hold's At changes nothing, and is no error. It may take more than a Store does, so a
	// consumer calls it from time to time, and not for each value.
	//
	// Errors: ErrNoHold if there is no such hold, a *ForkedError, ErrReadOnly, ErrClosed,
	// ErrNoSpace, ErrFailed, or ctx's.
	AdvanceHold(ctx context.Context, name string, at Cursor) error

	// ReleaseHold removes a hold. Errors: ErrNoHold if there is no such hold, ErrReadOnly,
	// ErrClosed, ErrNoSpace, ErrFailed, or ctx's.
	ReleaseHold(ctx context.Context, name string) error

	// Holds returns all holds, by name. Errors: ErrCorrupt, ErrClosed, or ctx's.
	Holds(ctx context.Context) ([]HoldInfo, error)
}

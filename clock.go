// SPDX-License-Identifier: Apache-2.0

package daybook

import "context"

// MaxClockStateLen is the maximum length of the state of a ClockMemory, in bytes.
const MaxClockStateLen = 64 << 10

// ClockMemory is a Backend that remembers for a keeper what was known of the time, so that a
// restart does not make the keeper forget it. Package retention uses it. The state means nothing
// to the backend.
type ClockMemory interface {
	// SetClockState replaces the state. It is durable when SetClockState returns nil, whatever the
	// backend's durability of values is. An empty state deletes it. The backend does not keep the
	// slice.
	//
	// Errors: ErrValueTooLarge for more than MaxClockStateLen bytes, ErrReadOnly, ErrClosed,
	// ErrNoSpace, ErrFailed, or ctx's. After an error other than ErrFailed the state is as before.
	SetClockState(ctx context.Context, state []byte) error

	// ClockState returns the state; nil if there is none. A copy of the backend has its state, too.
	// The caller owns the result. Errors: ErrCorrupt, ErrClosed, or ctx's.
	ClockState(ctx context.Context) ([]byte, error)
}

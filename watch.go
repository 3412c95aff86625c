// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"context"
	"fmt"
)

// Event tells a watcher about one value that was stored.
type Event struct {
	Change
	// Missed is the number of matching values that were stored after the previous event and before
	// this one, and that the watcher does not receive because it was too slow.
	Missed uint64 `json:"missed,omitempty"`
}

// WatchParams says how Watch delivers events.
type WatchParams struct {
	// Syntax is the syntax of the record pattern. Default: Glob.
	Syntax PatternSyntax
	// Buffer is the maximum number of values that wait for the watcher. If more are stored, the
	// oldest are missed. Default: 1024; negative: ErrInvalidParams.
	Buffer int
}

// Validate returns an error that matches ErrInvalidParams if a field has a value that its comment
// excludes.
func (p WatchParams) Validate() error {
	if p.Buffer < 0 {
		return fmt.Errorf("%w: got Buffer %d; want 0 (1024 values) or more", ErrInvalidParams, p.Buffer)
	}
	return p.Syntax.Validate()
}

// Watcher is a Backend that tells watchers about values as they are stored.
type Watcher interface {
	// Watch returns a channel of the values that are stored after the call, of all records whose
	// names match recordPattern, in the order in which they were stored. A value is sent after it
	// was acknowledged, which says how durable it is.
	//
	// A watcher that receives too slowly misses values and is told how many. It never slows a
	// writer down. The channel is closed when ctx ends. It is also closed when the backend is
	// closed, after the waiting events have been received. The watcher owns the events.
	//
	// Errors: ErrInvalidPattern, ErrInvalidParams, ErrClosed, or ctx's.
	Watch(ctx context.Context, recordPattern string, params WatchParams) (<-chan Event, error)
}

// SPDX-License-Identifier: Apache-2.0

package engine

import "testing"

// TestGroupsAreBounded shows that a group adds no more to the head than maxGroupBytes, even if its
// batches compress well.
func TestGroupsAreBounded(t *testing.T) {
	var q commitQueue
	for range 20 {
		q.join(&commit{batch: make([]byte, 1<<20), payload: make([]byte, 10)})
	}
	for left := 20; left > 0; {
		group := q.take()
		if len(group) == 0 || len(group) > maxGroupBytes>>20 {
			t.Fatalf("a group of %d MiB; want 1 to %d", len(group), maxGroupBytes>>20)
		}
		left -= len(group)
	}
}

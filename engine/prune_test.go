// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/daybook-db/daybook/engine/internal/head"
)

// TestGiveWay shows when a prune pauses, on a clock that only sleeping moves.
func TestGiveWay(t *testing.T) {
	tests := []struct {
		name            string
		worked          time.Duration
		stored, waiting bool
		want            time.Duration // the pause
	}{
		{"nobody stores", time.Second, false, false, 0},
		{"somebody stores", workBetweenPauses, true, false, pause},
		{"somebody stores, just after a pause", workBetweenPauses - 1, true, false, 0},
		{"somebody waits for room in the head", time.Second, true, true, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := &DB{lastSequence: 5}
				way := giveWay{db: db, working: time.Now(), seen: db.lastSequence}
				if test.stored {
					db.lastSequence++
				}
				if test.waiting {
					db.frozen = head.New(MinHeadSize)
				}
				time.Sleep(test.worked)
				start := time.Now()
				way.yield()
				if got := time.Since(start); got != test.want {
					t.Errorf("it paused for %v; want %v", got, test.want)
				}
			})
		})
	}
}

// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestPauses shows when a prune pauses, on a clock that only sleeping moves.
func TestPauses(t *testing.T) {
	tests := []struct {
		name            string
		worked          time.Duration
		stored, waiting bool
		want            time.Duration // the pause
	}{
		{"no store", time.Second, false, false, 0},
		{"stores", workPeriod, true, false, pause},
		{"stores, just after a pause", workPeriod - 1, true, false, 0},
		{"a writer waits for room in the head", time.Second, true, true, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := &DB{heads: newHeads(MinHeadSize)}
				db.heads.setLast(5)
				p := pauses{db: db, workingSince: time.Now(), lastSequence: db.heads.last()}
				if test.stored {
					db.heads.setLast(6)
				}
				if test.waiting {
					db.heads.freeze()
				}
				time.Sleep(test.worked)
				start := time.Now()
				p.pauseIfDue()
				if got := time.Since(start); got != test.want {
					t.Errorf("it paused for %v; want %v", got, test.want)
				}
			})
		})
	}
}

// TestPausesWhileCheckpointWaits shows that a prune goes on to pause for writers while the
// background checkpoint waits for the turn: the prune itself posts the head that it waits for.
func TestPausesWhileCheckpointWaits(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(fewProcessors))
	db := mustOpen(t, t.TempDir(), nil)
	held := mustTakeTurn(t, db)
	defer held.end()
	db.checkpointer.nudge()
	time.Sleep(50 * time.Millisecond) // it waits for the turn
	p := newPauses(db)
	mustStore(t, db, "r", "1", 1)
	time.Sleep(2 * workPeriod)
	start := time.Now()
	p.pauseIfDue()
	if took := time.Since(start); took < pause {
		t.Errorf("it paused for %v; want at least %v", took, pause)
	}
}

// TestPostForWriters posts the frozen head that writers may wait for in the middle of a prune,
// unless it could not be posted the last time.
func TestPostForWriters(t *testing.T) {
	db := mustOpen(t, t.TempDir(), &Options{Logger: discard})
	held := mustTakeTurn(t, db)
	defer held.end()
	mustStore(t, db, "r", "1", 1)
	db.heads.freeze()
	db.heads.endAttempt(daybook.ErrNoSpace)
	if held.postForWriters(); db.heads.frozenHead() == nil {
		t.Error("a head that could not be posted was tried again")
	}
	db.heads.unfreeze()
	db.heads.freeze() // which forgets the failure
	if held.postForWriters(); db.heads.frozenHead() != nil {
		t.Error("the head was not posted")
	}
}

// mustTakeTurnWithRoom takes the turn, which the test must end, and leaves the tree's file room to
// grow by some bytes only.
func mustTakeTurnWithRoom(t *testing.T, db *DB, room int64) *turn {
	t.Helper()
	taken := mustTakeTurn(t, db)
	file, _, err := db.trees.size()
	if err != nil {
		taken.end()
		t.Fatal(err)
	}
	taken.tree().SetMaxBytes(file + room)
	return taken
}

// TestPruneLeavesHeadsThatCanWait prunes when the log cannot be synced, nor the heads be posted.
// They have no value for the rule, so they are not tried again with the space that it has made.
func TestPruneLeavesHeadsThatCanWait(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the file has the size of its mapping there, which is never nearly full here")
	}
	db, fsys := openFaulty(t, testenv.TempDir(t), Options{Durability: DurabilityOS})
	mustStore(t, db, "old", `"`+digits(2<<20)+`"`, 1)
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	mustStore(t, db, "new", `"`+digits(1<<20)+`"`, 10)
	taken := mustTakeTurnWithRoom(t, db, 64<<10)
	defer taken.end()
	fsys.SetHook(failing(faultfs.Sync, ".log"))
	deleted, err := taken.pruneSparing(ctx, allRecords, tree.Rule{OlderThan: 5}, nil)
	if deleted != 1 || err != nil || db.heads.frozenHead() == nil {
		t.Errorf("deleted %d, %v, and the heads are posted: %v; want 1, and false", deleted, err,
			db.heads.frozenHead() == nil)
	}
}

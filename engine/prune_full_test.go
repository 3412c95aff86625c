// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/proof/testenv"
)

// storeBeyondTree stores two values of "old", which are posted, and two of "new", for which the
// tree has no room before the first one of "old" is deleted. It returns the turn.
func storeBeyondTree(t *testing.T, db *DB) *turn {
	t.Helper()
	mustStore(t, db, "old", `"`+digits(512<<10)+`"`, 1)
	mustStore(t, db, "old", "2", 2)
	mustCheckpointed(t, db)
	mustStore(t, db, "new", `"`+digits(256<<10)+`"`, 3)
	mustStore(t, db, "new", "4", 4)
	return mustTakeTurnWithRoom(t, db, 32<<10)
}

// TestInterruptedPruneBeyondTree ends the context of a prune after each number of looks, while the
// heads have values for it that the tree has no room for at first. A prune that returns no error
// must have deleted all of them, and one that was interrupted as many as it returns.
func TestInterruptedPruneBeyondTree(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the file has the size of its mapping there, which is never nearly full here")
	}
	for _, test := range []struct {
		name string
		rule tree.Rule
		want []row
	}{
		{"by time", tree.Rule{OlderThan: 4}, []row{{"new", "4", 4}}},
		{"by number", tree.Rule{MaxPerRecord: 1}, []row{{"new", "4", 4}, {"old", "2", 2}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := error(context.Canceled)
			for looks := int64(0); errors.Is(err, context.Canceled); looks++ {
				if looks > 1000 {
					t.Fatal("it never ends")
				}
				db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS, Logger: discard})
				taken := storeBeyondTree(t, db)
				var deleted uint64
				deleted, err = taken.pruneSparing(&endingContext{ctx, looks}, allRecords, test.rule, nil)
				taken.tree().SetMaxBytes(0)
				taken.end()
				remain := mustQuery(t, db, "*", daybook.QueryParams{})
				if err == nil {
					wantRows(t, remain, test.want...)
				}
				if int(deleted)+len(remain) != 4 {
					t.Errorf("%d looks: %d values were deleted, and %d remain; want 4", looks, deleted, len(remain))
				}
				mustClose(t, db)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPruneBeyondTreeTellsDamage is met by damage in the tree, while the heads can neither be
// posted nor have a value for it. It must tell the damage.
func TestPruneBeyondTreeTellsDamage(t *testing.T) {
	dir, _ := rottenStore(t)
	db, fsys := openFaulty(t, dir, Options{Durability: DurabilityOS})
	mustStore(t, db, "new", `"`+digits(1<<20)+`"`, 50)
	taken := mustTakeTurnWithRoom(t, db, 256<<10)
	defer taken.end()
	fsys.SetHook(failing(faultfs.Sync, ".log"))
	_, err := taken.pruneSparing(ctx, allRecords, tree.Rule{OlderThan: 11}, nil)
	if !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("got %v; want ErrCorrupt", err)
	}
	if db.heads.frozenHead() == nil {
		t.Error("the heads were posted; the test wants no room for that")
	}
}

// TestPruneBeyondTreeFindsNoRoom deletes nothing from the tree. So the heads, of which the rule may
// delete more, still cannot be posted. It must not look like a prune that has done all.
func TestPruneBeyondTreeFindsNoRoom(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the file has the size of its mapping there, which is never nearly full here")
	}
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS, Logger: discard})
	taken := storeBeyondTree(t, db)
	defer taken.end()
	defer taken.tree().SetMaxBytes(0)
	deleted, err := taken.pruneSparing(ctx, allRecords, tree.Rule{MaxPerRecord: 2}, nil)
	if deleted != 0 || !errors.Is(err, daybook.ErrNoSpace) {
		t.Errorf("deleted %d, %v; want none, and ErrNoSpace", deleted, err)
	}
}

// endsWhenAsked is a context that ends when somebody asks for the channel of its end.
type endsWhenAsked struct {
	context.Context
	asked bool
}

func (c *endsWhenAsked) Done() <-chan struct{} {
	c.asked = true
	ended := make(chan struct{})
	close(ended)
	return ended
}

func (c *endsWhenAsked) Err() error {
	if c.asked {
		return context.Canceled
	}
	return nil
}

// TestPruneToBytesInterrupted ends the context of a prune while it searches for what MaxBytes
// deletes. It has not deleted that, so it must return an error.
func TestPruneToBytesInterrupted(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	taken := mustTakeTurn(t, db)
	defer taken.end()
	taken.searching = &cutoffSearch{maxBytes: 1, tree: taken.tree(), done: make(chan struct{})}
	defer taken.dropSearch()
	ending := &endsWhenAsked{Context: ctx}
	if _, err := taken.pruneToBytes(ending, allRecords, 1, 0); !errors.Is(err, context.Canceled) || !ending.asked {
		t.Errorf("got %v; want context.Canceled, of the search", err)
	}
}

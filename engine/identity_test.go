// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"testing"

	"github.com/daybook-db/daybook"
)

func TestCursorsOfAnOpenDirectory(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	mustStore(t, db, "a", "1", 1)
	mustStore(t, db, "a", "2", 2)
	stats, err := db.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last := daybook.Cursor{Epoch: stats.Epoch, Sequence: stats.LastSequence}
	if stats.Store == [16]byte{} || stats.Epoch == stats.Store || db.cursorAt(2) != last {
		t.Errorf("got store %x and cursor %v; want a store, and the last cursor %v", stats.Store, db.cursorAt(2), last)
	}
	if after, err := db.resolve(last); after != 2 || err != nil {
		t.Errorf("the last cursor: got %d, %v; want 2", after, err)
	}
	last.Sequence++
	var fork *daybook.ForkedError
	if _, err := db.resolve(last); !errors.As(err, &fork) || fork.Common != db.cursorAt(2) {
		t.Errorf("a cursor after the last value: got %v; want a fork after value 2", err)
	}
}

// storeAndEpoch returns the store and the current epoch of an open directory.
func storeAndEpoch(t testing.TB, db *DB) (store, epoch [16]byte) {
	t.Helper()
	stats, err := db.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return stats.Store, stats.Epoch
}

// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"os"
	"testing"

	"github.com/daybook-db/daybook"
)

// TestCheckpointEmptiesTheLog shows that a closed directory has one bbolt file and an empty log,
// and that values stored before and after a checkpoint are there after a crash.
func TestCheckpointEmptiesTheLog(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, nil)
	mustStore(t, db, "r", "1", 1)
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	mustStore(t, db, "r", "2", 2)
	stats, err := db.Stats(ctx)
	if err != nil || stats.Watermark != 1 || stats.LastSequence != 2 || stats.HeadBytes == 0 || stats.LogBytes == 0 {
		t.Errorf("after a checkpoint and a store: %+v, %v; want watermark 1 of 2", stats, err)
	}
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	again := mustOpen(t, dir, nil)
	wantRows(t, mustQuery(t, again, "*", daybook.QueryParams{}), row{"r", "2", 2}, row{"r", "1", 1})
	mustClose(t, again)
	entries, err := os.ReadDir(dir + "/" + logName)
	if err != nil || len(entries) > 0 {
		t.Errorf("the log of a closed directory holds %v, %v; want nothing", entries, err)
	}
}

// TestSequenceGoesOn shows that sequence numbers continue over clean and unclean restarts, so that
// values of equal time stay in the order of their insertion.
func TestSequenceGoesOn(t *testing.T) {
	dir := t.TempDir()
	var want []row
	for i := range 6 {
		db := mustOpen(t, dir, nil)
		value := fmt.Sprint(i)
		mustStore(t, db, "r", value, 7)
		want = append([]row{{"r", value, 7}}, want...)
		wantRows(t, mustQuery(t, db, "r", daybook.QueryParams{}), want...)
		if i%2 == 0 {
			mustClose(t, db)
		} else if err := db.abandon(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCrashLoop shows that the log of a device that stores a little and crashes, again and again,
// does not grow.
func TestCrashLoop(t *testing.T) {
	dir := t.TempDir()
	for i := range uint64(30) {
		db, err := Open(dir, &Options{Logger: discard})
		if err != nil {
			t.Fatal(err)
		}
		mustStore(t, db, "r", "1", i)
		if i%3 == 2 { // the recovered head has been posted by then, or is now
			if err := db.Checkpoint(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.abandon(); err != nil {
			t.Fatal(err)
		}
	}
	db := mustOpen(t, dir, nil)
	if got := len(mustQuery(t, db, "r", daybook.QueryParams{})); got != 30 {
		t.Errorf("%d values are there; want 30", got)
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	stats, err := db.Stats(ctx)
	if err != nil || stats.LogBytes > 10*firstSegmentSize {
		t.Errorf("the log has %d bytes, %v; want a few segments of %d", stats.LogBytes, err, firstSegmentSize)
	}
}

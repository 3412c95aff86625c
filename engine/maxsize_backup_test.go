// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestMaxSizeBesideStandingBackup has a backup whose writer stands. DropOldest ends loops once, in
// case they hold the space. It ends no further ones, because the backup does.
func TestMaxSizeBesideStandingBackup(t *testing.T) {
	t.Parallel() // it waits
	if runtime.GOOS == "windows" {
		t.Skip("an open snapshot holds up checkpoints there")
	}
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS, MaxSize: MinMaxSize,
		WhenFull: WhenFullDropOldest, Logger: discard})
	stored := uint64(0)
	fill := func() (refused int) {
		for range 600 {
			stored++
			v := daybook.StoredValue{RecordName: fmt.Sprintf("r%02d", stored%50), StoredAt: stored,
				Value: []byte(`"` + digits(24_000) + `"`)}
			if err := db.StoreBatch(ctx, []daybook.StoredValue{v}); errors.Is(err, daybook.ErrNoSpace) {
				return 1
			} else if err != nil {
				t.Fatal(err)
			}
		}
		return 0
	}
	fill()
	taken, release := io.Pipe()
	done := make(chan error)
	go func() { done <- db.Backup(ctx, release) }()
	if _, err := taken.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if fill() == 0 {
		t.Fatal("no Store was refused, though the backup holds all pages")
	}
	next, stop := iter.Pull2(db.Scan(ctx, "*", daybook.QueryParams{}))
	defer stop()
	if _, err, _ := next(); err != nil {
		t.Fatal(err)
	}
	fill()
	if open := db.trees.snapshots.Load(); open != 2 {
		t.Errorf("%d snapshots are open; want those of the backup and of the loop", open)
	}
	_ = taken.CloseWithError(errors.New("the target is away"))
	if err := <-done; err == nil {
		t.Error("the backup succeeded")
	}
	if fill() != 0 {
		t.Error("a Store was refused after the end of the backup")
	}
}

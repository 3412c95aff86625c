// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/proof/journal"
	"github.com/daybook-db/daybook/proof/testenv"
)

// openMovingAside opens a daybook whose compactions move the old tree aside, as on Windows.
func openMovingAside(t *testing.T, dir string, fsys disk.System) *DB {
	t.Helper()
	opts, err := (&Options{Logger: discard, movesAside: true}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	db, err := open(dir, opts, fsys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// filesOf returns the names in a directory that begin with "daybook.".
func filesOf(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "daybook.") {
			names = append(names, entry.Name())
		}
	}
	return strings.Join(names, " ")
}

// wantFilesSoon waits until the directory has these files: a file is removed in the background.
func wantFilesSoon(t *testing.T, dir, want string) {
	t.Helper()
	got := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if got = filesOf(t, dir); got == want {
			return
		}
	}
	t.Errorf("files %s; want %s", got, want)
}

// TestCompactMovesAside compacts beside open Scans, as on Windows. Each Scan goes on in the file in
// which it began, which is removed when it ends.
func TestCompactMovesAside(t *testing.T) {
	dir := testenv.TempDir(t)
	db := openMovingAside(t, dir, disk.OS{})
	mustStore(t, db, "r", "1", 1)
	mustStore(t, db, "r", "2", 2)
	if err := db.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	wantFilesSoon(t, dir, "daybook.db")
	read := 0
	for v, err := range db.Scan(ctx, "*", daybook.QueryParams{Order: daybook.OldestFirst}) {
		if read++; read == 1 {
			for i := range 4 {
				mustStore(t, db, "more", "3", uint64(i))
				if err := db.Compact(ctx); err != nil {
					t.Errorf("Compact %d beside an open Scan: %v", i, err)
				}
			}
			wantFilesSoon(t, dir, "daybook.db daybook.old-1.db")
		}
		if err != nil || v.StoredAt != uint64(read) || v.RecordName != "r" {
			t.Errorf("Scan: %v, %v; want value %d", v, err, read)
		}
	}
	if got := mustQuery(t, db, "*", daybook.QueryParams{}); read != 2 || len(got) != 2+4 {
		t.Errorf("the Scan read %d values; want 2; later there are %d", read, len(got))
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := filesOf(t, dir), "daybook.db"; got != want {
		t.Errorf("after Close: files %s; want %s", got, want)
	}
}

// TestOldTreeStays opens a daybook, and compacts it, while a replaced tree cannot be removed: on
// Windows a reader that gave way may have it mapped. A later Open removes it.
func TestOldTreeStays(t *testing.T) {
	dir, fsys := testenv.TempDir(t), faultfs.NewSystem(disk.OS{})
	mustClose(t, openMovingAside(t, dir, fsys))
	old := filepath.Join(dir, "daybook.old-1.db")
	if err := os.WriteFile(old, []byte("mapped"), 0o600); err != nil {
		t.Fatal(err)
	}
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.Remove && op.Path == old {
			return faultfs.ErrInjected
		}
		return nil
	})
	db := openMovingAside(t, dir, fsys)
	mustStore(t, db, "r", "1", 1)
	if err := db.Compact(ctx); err != nil {
		t.Errorf("Compact: %v", err)
	}
	mustClose(t, db)
	if got, want := filesOf(t, dir), "daybook.db daybook.old-1.db"; got != want {
		t.Errorf("files %s; want %s", got, want)
	}
	fsys.SetHook(nil)
	mustClose(t, openMovingAside(t, dir, fsys))
	if got, want := filesOf(t, dir), "daybook.db"; got != want {
		t.Errorf("after another Open: files %s; want %s", got, want)
	}
}

// TestCompactMovesAsideFaults makes each rename of a compaction fail, and those that would undo it:
// once before it is done, and once after. The process may then die. All values must be there, in
// the process and after it.
func TestCompactMovesAsideFaults(t *testing.T) {
	for fails := range 4 { // more than there are renames: none fails
		for _, done := range []bool{false, true} {
			for _, forGood := range []bool{false, true} {
				testMoveAsideFault(t, fails, done, forGood)
			}
		}
	}
}

func testMoveAsideFault(t *testing.T, fails int, done, forGood bool) {
	dir, fsys := testenv.TempDir(t), faultfs.NewSystem(disk.OS{})
	db := openMovingAside(t, dir, fsys)
	mustStore(t, db, "r", "1", 1)
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	renames := 0
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name != faultfs.Rename || !strings.HasPrefix(filepath.Base(op.Path), "daybook.") {
			return nil
		}
		renames++
		if renames-1 != fails && !(forGood && renames > fails) {
			return nil
		}
		if done {
			if err := os.Rename(op.Path, op.NewPath); err != nil {
				return err
			}
		}
		return faultfs.ErrInjected
	})
	err := db.Compact(ctx)
	if failed := err != nil; failed == (fails >= 3) && !done {
		t.Errorf("rename %d fails (done: %t, for good: %t): Compact: %v", fails, done, forGood, err)
	}
	if got := mustQuery(t, db, "*", daybook.QueryParams{}); len(got) != 1 {
		t.Errorf("rename %d fails (done: %t, for good: %t): %d values; want 1", fails, done, forGood, len(got))
	}
	stored := 1
	if err := db.Store(ctx, "r", []byte("2"), 2); err == nil {
		stored = 2
	} else if !errors.Is(err, daybook.ErrFailed) {
		t.Errorf("Store: %v", err)
	}
	fsys.SetHook(nil)
	db.abandon()
	again := openMovingAside(t, dir, disk.OS{})
	if got := mustQuery(t, again, "*", daybook.QueryParams{}); len(got) != stored {
		t.Errorf("rename %d fails (done: %t, for good: %t): after a kill %d values; want %d",
			fails, done, forGood, len(got), stored)
	}
	if err := errors.Join(again.Check(ctx), again.Compact(ctx), again.Close()); err != nil {
		t.Errorf("rename %d fails (done: %t, for good: %t): after a kill: %v", fails, done, forGood, err)
	}
	if got, want := filesOf(t, dir), "daybook.db"; got != want {
		t.Errorf("rename %d fails (done: %t, for good: %t): files %s; want %s", fails, done, forGood, got, want)
	}
}

// TestCompactMovesAsideCrash copies the directory before each operation of a compaction, as a kill
// would leave it. Each copy must open with all values.
func TestCompactMovesAsideCrash(t *testing.T) {
	dir, fsys := testenv.TempDir(t), faultfs.NewSystem(disk.OS{})
	db := openMovingAside(t, dir, fsys)
	mustStore(t, db, "r", "1", 1)
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex // guards copies and ended, because segments are made in the background
	var copies []string
	ended := false
	fsys.SetHook(func(op faultfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if !ended && (op.Name == faultfs.Rename || op.Name == faultfs.SyncDir || op.Name == faultfs.Remove) {
			copied := filepath.Join(testenv.TempDir(t), "copy")
			if err := journal.CopyOpenDir(copied, dir); err != nil {
				t.Error(err)
			}
			copies = append(copies, copied)
		}
		return nil
	})
	if err := db.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	fsys.SetHook(nil)
	mu.Lock()
	defer mu.Unlock()
	ended = true
	missing := 0
	for i, copied := range copies {
		if _, err := os.Stat(filepath.Join(copied, TreeFile)); err != nil {
			missing++
		}
		again := openMovingAside(t, copied, disk.OS{})
		if got := mustQuery(t, again, "*", daybook.QueryParams{}); len(got) != 1 {
			t.Errorf("copy %d of %d: %d values; want 1", i, len(copies), len(got))
		}
		if err := errors.Join(again.Check(ctx), again.Close()); err != nil {
			t.Errorf("copy %d of %d: %v", i, len(copies), err)
		}
		if got, want := filesOf(t, copied), "daybook.db"; got != want {
			t.Errorf("copy %d of %d: files %s; want %s", i, len(copies), got, want)
		}
	}
	if len(copies) < 3 || missing == 0 {
		t.Errorf("%d copies, %d of them without a tree; want one between the renames", len(copies), missing)
	}
}

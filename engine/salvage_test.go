// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// from returns the rows with at least the given time.
func from(rows []row, at uint64) []row {
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.At < at })
}

// of returns the rows of one record.
func of(rows []row, name string) []row {
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.Name != name })
}

var oldestFirst = daybook.QueryParams{Order: daybook.OldestFirst}

// TestSalvage lets each operation that changes the tree meet the damage, with Quarantine. The
// undamaged values are there afterwards, and the damaged file beside them.
func TestSalvage(t *testing.T) {
	tests := []struct {
		name string
		do   func(db *DB) error
		from uint64 // the oldest time that is left
		more []row
	}{
		{"compact", func(db *DB) error { return db.Compact(ctx) }, 1, nil},
		{"prune", func(db *DB) error { _, err := db.Cleanup(ctx, 11); return err }, 11, nil},
		{"prune by count", func(db *DB) error {
			_, err := db.Prune(ctx, "b", daybook.PruneParams{MaxPerRecord: 10})
			return err
		}, 1, nil},
		{"checkpoint", func(db *DB) error { // of what cuts into it
			if err := db.Store(ctx, "b", json.RawMessage("1"), 10); err != nil {
				return err
			}
			return db.Checkpoint(ctx)
		}, 1, []row{{"b", "1", 10}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir, whole := rottenStore(t)
			before, err := os.ReadFile(filepath.Join(dir, TreeFile))
			if err != nil {
				t.Fatal(err)
			}
			opts := &Options{Tuning: Tuning{ChunkValues: 4}, OnCorruption: OnCorruptionQuarantine, Logger: discard}
			db := mustOpen(t, dir, opts)
			if err := test.do(db); err != nil {
				t.Errorf("got %v; want it to go on without the damaged chunk", err)
			}
			want := from(append(whole, test.more...), test.from)
			if test.name == "prune by count" {
				want = slices.DeleteFunc(want,
					func(r row) bool { return r.Name == "b" && r.At < 7 }) // 10 of the undamaged values
			}
			slices.SortStableFunc(want,
				func(a, b row) int { return bytes.Compare([]byte(a.Name), []byte(b.Name))*100 + int(a.At) - int(b.At) })
			wantRows(t, mustQuery(t, db, "*", oldestFirst), want...)
			stats, err := db.Stats(ctx)
			aside := filepath.Join(dir, "daybook.corrupt-1.db")
			if err != nil || len(stats.Quarantined) != 1 || stats.Quarantined[0].Path != aside {
				t.Errorf("Stats say that %v was set aside, %v; want %s", stats.Quarantined, err, aside)
			}
			if after, err := os.ReadFile(aside); err != nil || len(after) < len(before) {
				t.Errorf("%s has %d bytes, %v; want the %d of the damaged file, or more", aside, len(after), err,
					len(before))
			}
			mustClose(t, db)
			db = mustOpen(t, dir, opts)
			wantRows(t, mustQuery(t, db, "*", oldestFirst), want...)
		})
	}
}

// TestBackupAfterDamage mends a store of which no backup can be made, as the comment of Backup
// says. The undamaged values are in the next backup.
func TestBackupAfterDamage(t *testing.T) {
	dir, whole := rottenStore(t)
	db := mustOpen(t, dir, &Options{OnCorruption: OnCorruptionQuarantine, Logger: discard})
	path := filepath.Join(t.TempDir(), "b")
	for range 2 { // each night again
		if err := db.BackupFile(ctx, path, 1); !errors.Is(err, daybook.ErrCorrupt) {
			t.Fatalf("BackupFile: got %v; want ErrCorrupt", err)
		}
	}
	if err := db.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	if err := db.BackupFile(ctx, path, 1); err != nil {
		t.Fatal(err)
	}
	backup, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer backup.Close()
	restored := filepath.Join(t.TempDir(), "restored")
	if err := Restore(ctx, restored, backup); err != nil {
		t.Fatal(err)
	}
	wantRows(t, mustQuery(t, mustOpen(t, restored, nil), "*", oldestFirst), whole...)
}

// TestSalvageFails fails each operation of a salvage and all later ones, as in a crash. The next
// Open finds the undamaged values.
func TestSalvageFails(t *testing.T) {
	opts, err := (&Options{Tuning: Tuning{ChunkValues: 4}, OnCorruption: OnCorruptionQuarantine,
		Logger: discard}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		dir, whole := rottenStore(t)
		fsys := faultfs.NewSystem(disk.OS{})
		db, err := open(dir, opts, fsys)
		if err != nil {
			t.Fatal(err)
		}
		failAfter(fsys, n)
		failed := db.Compact(ctx)
		_ = db.abandon()
		db = mustOpen(t, dir, &opts)
		if err := db.Compact(ctx); err != nil {
			t.Fatalf("%d operations succeed: Compact, after it was opened again: %v", n, err)
		}
		wantRows(t, mustQuery(t, db, "*", oldestFirst), whole...)
		for _, name := range []string{copyName, salvagedName} {
			if _, err := os.Lstat(filepath.Join(dir, name)); !os.IsNotExist(err) {
				t.Errorf("%d operations succeed: %s is left over: %v", n, name, err)
			}
		}
		mustClose(t, db)
		if failed == nil {
			if n < 5 {
				t.Errorf("only %d operations had to succeed", n)
			}
			return
		}
	}
}

// TestSalvageOnOpenFails has values in the log that belong between damaged ones. Each operation
// after the copy of the undamaged part fails, once or for good. Whatever Open does then, the next
// Open has all undamaged values.
func TestSalvageOnOpenFails(t *testing.T) {
	t.Parallel()
	opts, err := (&Options{Durability: DurabilityOS, Tuning: Tuning{ChunkValues: 4, HeadSize: MinHeadSize},
		LockTimeout: -1, OnCorruption: OnCorruptionQuarantine, Logger: discard}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	const inLog = 150 // more than a head
	for n := range 12 {
		for _, once := range []bool{true, false} {
			dir, whole := rottenStore(t)
			db, err := Open(dir, &Options{Durability: DurabilityOS, Tuning: Tuning{ChunkValues: 4}, Logger: discard})
			if err != nil {
				t.Fatal(err)
			}
			for range inLog {
				mustStore(t, db, "b", `"`+digits(50)+`"`, 10)
			}
			if err := db.abandon(); err != nil {
				t.Fatal(err)
			}
			fsys := faultfs.NewSystem(disk.OS{})
			var seen atomic.Int64 // operations since the copy got its name
			fsys.SetHook(func(op faultfs.Op) error {
				if seen.Load() == 0 && (op.Name != faultfs.Rename || filepath.Base(op.Path) != copyName) {
					return nil
				}
				if number := int(seen.Add(1)); number == n+1 || number > n && !once {
					return &os.PathError{Op: op.Name, Path: op.Path, Err: faultfs.ErrDiskFull}
				}
				return nil
			})
			if db, err = open(dir, opts, fsys); err == nil {
				_ = db.abandon()
			}
			if db, err = Open(dir, &opts); err != nil {
				t.Fatalf("operation %d fails, once: %v: the next Open: %v", n, once, err)
			}
			if got := len(mustQuery(t, db, "*", oldestFirst)); got != len(whole)+inLog {
				t.Errorf("operation %d fails, once: %v: %d values are left; want %d", n, once, got, len(whole)+inLog)
			}
			mustClose(t, db)
		}
	}
}

// TestSalvageBesideOpen opens the directory between the steps of a salvage: it is still locked.
func TestSalvageBesideOpen(t *testing.T) {
	dir, whole := rottenStore(t)
	opts, err := (&Options{Tuning: Tuning{ChunkValues: 4}, OnCorruption: OnCorruptionQuarantine,
		Logger: discard}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	fsys := faultfs.NewSystem(disk.OS{})
	db, err := open(dir, opts, fsys)
	if err != nil {
		t.Fatal(err)
	}
	var second error
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.Rename && filepath.Base(op.Path) == salvagedName {
			_, second = Open(dir, &Options{LockTimeout: -1, Logger: discard})
		}
		return nil
	})
	if err := db.Compact(ctx); err != nil || !errors.Is(second, daybook.ErrLocked) {
		t.Errorf("Compact: %v, and Open beside it: %v; want ErrLocked", err, second)
	}
	fsys.SetHook(nil)
	wantRows(t, mustQuery(t, db, "*", oldestFirst), whole...)
	mustClose(t, db)
}

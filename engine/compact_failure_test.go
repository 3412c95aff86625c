// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestCompactCancelled cancels a compaction, and begins one beside the unfinished copy of a crash.
func TestCompactCancelled(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, copyName), "what a crash left")
	db := mustOpen(t, dir, nil)
	if _, err := os.Stat(filepath.Join(dir, copyName)); !os.IsNotExist(err) {
		t.Errorf("what a crash left is still there: %v", err)
	}
	mustStore(t, db, "a", "1", 1)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := db.Compact(cancelled); err == nil {
		t.Error("Compact with a context that has ended did its work")
	}
	if err := db.Compact(ctx); err != nil {
		t.Error(err)
	}
	wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), row{"a", "1", 1})
}

// TestCompactFails fails the operations at the end of a compaction, or lets them return an error
// although they succeed. Every acknowledged value is there afterwards.
func TestCompactFails(t *testing.T) {
	if !canReplaceOpenFiles {
		t.Skip("there a compaction has other renames: TestCompactMovesAsideFaults")
	}
	injected := faultfs.ErrInjected
	renames := func(and func(op faultfs.Op) error) func(faultfs.Op) error {
		return func(op faultfs.Op) error {
			if op.Name == faultfs.Rename && filepath.Base(op.NewPath) == TreeFile {
				return errors.Join(and(op), injected)
			}
			return nil
		}
	}
	afterRename := func(op faultfs.Op) error {
		if op.Name != faultfs.SyncDir {
			return nil
		}
		if _, err := os.Stat(filepath.Join(op.Path, copyName)); err == nil {
			return nil
		}
		return injected
	}
	tests := []struct {
		name   string
		hook   func(faultfs.Op) error
		want   error // of Compact
		during error // of a checkpoint while the disk is still like that
		after  error // and when it is well
	}{
		{"rename", renames(func(faultfs.Op) error { return nil }), injected, nil, nil},
		{"rename that happened", renames(func(op faultfs.Op) error { return os.Rename(op.Path, op.NewPath) }), nil,
			nil, nil},
		{"rename by half", renames(func(op faultfs.Op) error { return os.Remove(op.NewPath) }), daybook.ErrFailed,
			daybook.ErrFailed, daybook.ErrFailed},
		{"directory", afterRename, injected, injected, nil},
		// A power cut may bring back the old file, so nothing is written to the new one.
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			fsys := faultfs.NewSystem(disk.OS{})
			opts, err := (&Options{Logger: discard}).withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			db, err := open(dir, opts, fsys)
			if err != nil {
				t.Fatal(err)
			}
			mustStore(t, db, "a", "1", 1)
			if err := db.Checkpoint(ctx); err != nil {
				t.Fatal(err)
			}
			fsys.SetHook(test.hook)
			if err := db.Compact(ctx); !errors.Is(err, test.want) {
				t.Errorf("Compact: %v; want %v", err, test.want)
			}
			mustStore(t, db, "a", "2", 2)
			if err := db.Checkpoint(ctx); !errors.Is(err, test.during) {
				t.Errorf("Checkpoint meanwhile: %v; want %v", err, test.during)
			}
			fsys.SetHook(nil)
			if err := db.Checkpoint(ctx); !errors.Is(err, test.after) {
				t.Errorf("Checkpoint: %v; want %v", err, test.after)
			}
			if err := db.Compact(ctx); !errors.Is(err, test.after) {
				t.Errorf("Compact again: %v; want %v", err, test.after)
			}
			wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), row{"a", "2", 2}, row{"a", "1", 1})
			if err := db.Close(); !errors.Is(err, test.after) {
				t.Errorf("Close: %v; want %v", err, test.after)
			}
			if _, err := os.Stat(filepath.Join(dir, TreeFile)); err != nil { // the complete copy is not lost
				if err := os.Rename(filepath.Join(dir, copyName), filepath.Join(dir, TreeFile)); err != nil {
					t.Fatal(err)
				}
			}
			db = mustOpen(t, dir, nil)
			wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), row{"a", "2", 2}, row{"a", "1", 1})
			if _, err := os.Stat(filepath.Join(dir, copyName)); !os.IsNotExist(err) {
				t.Errorf("the copy is still there: %v", err)
			}
		})
	}
}

// TestCompactFailedTree compacts a tree that has failed, and one that fails during the compaction.
// Neither may become a tree that takes writes again.
func TestCompactFailedTree(t *testing.T) {
	db, err := Open(testenv.TempDir(t),
		&Options{Durability: DurabilityOS, Tuning: Tuning{HeadSize: MinHeadSize, TransactionSize: MinTransactionSize},
			Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(50) {
		mustStore(t, db, fmt.Sprintf("r%02d", i), `"`+digits(8<<10)+`"`, i)
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	if err := db.withTurn(ctx, beginCopy); err != nil {
		t.Fatal(err)
	}
	_ = db.trees.current.Fail(errors.New("the disk is on fire"))
	if err := db.withTurn(ctx, stepCopy); !errors.Is(err, daybook.ErrFailed) {
		t.Errorf("a step after the tree failed: %v; want ErrFailed", err)
	}
	if err := db.withTurn(ctx, func(t *turn) error { t.giveUpCopy(nil); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := db.Compact(ctx); !errors.Is(err, daybook.ErrFailed) {
		t.Errorf("Compact of a tree that has failed: %v; want ErrFailed", err)
	}
	if _, err := os.Stat(filepath.Join(db.dir.path, copyName)); !os.IsNotExist(err) {
		t.Errorf("the copy is still there: %v", err)
	}
	if err := db.abandon(); err != nil {
		t.Error(err)
	}
}

// TestCompactContext ends the context of a compaction that waits for the turn.
func TestCompactContext(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	held := mustTakeTurn(t, db)
	defer held.end()
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- db.Compact(short) }()
	select {
	case err := <-done:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Compact: %v; want its context's error", err)
		}
	case <-time.After(time.Minute):
		t.Error("Compact waits, though its context has ended")
	}
}

// TestCompactDamage compacts a file with a damaged chunk. The copy must not take the place of the
// file, because the next read of the file may succeed.
func TestCompactDamage(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(dir, &Options{Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	marker := digits(40)
	for i := range uint64(3) {
		mustStore(t, db, fmt.Sprint("r", i), `"`+marker+fmt.Sprint(i)+`"`, i)
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, TreeFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	flip := func(by byte) {
		t.Helper()
		for at := range data { // in the chunk, not in the catalogue
			if bytes.HasPrefix(data[at:], []byte(marker+"1")) && bytes.Contains(data[at-80:at], []byte("r1\x00")) {
				if _, err := file.WriteAt([]byte{data[at] ^ by}, int64(at)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	flip(1)
	err = db.Compact(ctx)
	if !errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(err.Error(), path+":") ||
		!strings.Contains(err.Error(), `"r1"`) || strings.Contains(err.Error(), copyName) {
		t.Errorf("Compact of a damaged file: %v; want ErrCorrupt that names the file and the record", err)
	}
	flip(0)
	if got := mustQuery(t, db, "r1", daybook.QueryParams{}); len(got) != 1 {
		t.Errorf("when the file can be read again, it has %d values of the record; want 1", len(got))
	}
	mustClose(t, db)
}

// TestCompactGivesWay lets a checkpoint, and then a prune, run out of space beside a copy. Both get
// the space of the copy, the compaction returns ErrNoSpace, and all values stay.
func TestCompactGivesWay(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t),
		&Options{Durability: DurabilityOS, Tuning: Tuning{TransactionSize: MinTransactionSize}, Logger: discard})
	stored := uint64(0)
	store := func(values uint64) {
		t.Helper()
		for range values {
			stored++
			mustStore(t, db, fmt.Sprintf("r%02d", stored%7), `"`+digits(8<<10)+`"`, stored)
		}
	}
	store(50)
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	step := func() error {
		return db.withTurn(ctx, stepCopy)
	}
	begin := func() {
		t.Helper()
		if err := errors.Join(db.withTurn(ctx, beginCopy), step()); err != nil {
			t.Fatal(err)
		}
	}
	wantGone := func() {
		t.Helper()
		if _, err := os.Stat(filepath.Join(db.dir.path, copyName)); !os.IsNotExist(err) {
			t.Errorf("the copy is still there: %v", err)
		}
		if err := step(); !errors.Is(err, daybook.ErrNoSpace) {
			t.Errorf("a step of the copy that was given up: %v; want ErrNoSpace", err)
		}
	}
	begin()
	store(50)
	db.trees.current.SetMaxBytes(1) // it cannot grow
	if err := db.Checkpoint(ctx); !errors.Is(err, daybook.ErrNoSpace) {
		t.Errorf("without space: %v; want ErrNoSpace", err)
	}
	wantGone()
	db.trees.current.SetMaxBytes(0)
	begin()
	err := db.withTurn(ctx, func(t *turn) error {
		if !t.freeSpace() || db.reserve.size() == 0 {
			return errors.New("nothing was freed, or the reserve, though there is a copy")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	wantGone()
	if err := db.Compact(ctx); err != nil {
		t.Errorf("with space again: %v", err)
	}
	if got := len(mustQuery(t, db, "*", daybook.QueryParams{})); got != 100 {
		t.Errorf("%d values; want 100", got)
	}
}

// TestCompactBesideUnsyncedRename makes a checkpoint during a copy while the name of the tree is
// not durable yet. The file that syncRename makes must not be the copy.
func TestCompactBesideUnsyncedRename(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS, Logger: discard})
	mustStore(t, db, "a", "1", 1)
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	if err := db.withTurn(ctx, func(t *turn) error { t.renameUnsynced = true; return beginCopy(t) }); err != nil {
		t.Fatal(err)
	}
	mustStore(t, db, "b", "2", 2)
	if err := db.Checkpoint(ctx); err != nil {
		t.Errorf("Checkpoint beside a copy: %v", err)
	}
	mustGiveUpCopy(t, db)
	wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), row{"a", "1", 1}, row{"b", "2", 2})
}

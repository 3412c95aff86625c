// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestIterationThatHasEnded reads a snapshot that was closed because it stood still.
func TestIterationThatHasEnded(t *testing.T) {
	var g gate
	if err := g.enter(); err != nil {
		t.Fatal(err)
	}
	it := g.iterate(func() {})
	g.mu.Lock()
	it.endIfParked()
	g.mu.Unlock()
	err := it.read(func() error { t.Error("the closed snapshot was read"); return nil })
	if !errors.Is(err, daybook.ErrClosed) {
		t.Errorf("got %v; want ErrClosed", err)
	}
}

// TestLogRoomIsNotPosting fails to make room in the log while a head waits to be posted. The head
// could be posted all the same.
func TestLogRoomIsNotPosting(t *testing.T) {
	h := newHeads(1 << 20)
	h.freeze()
	if h.endLogRoom(faultfs.ErrInjected); h.failureToPost() != nil {
		t.Errorf("the head could not be posted: got %v; want nothing", h.failureToPost())
	}
}

// TestNotesOfQuarantine loads the notes of a tree. They include other notes, and an older one of a
// file of which this process knows more.
func TestNotesOfQuarantine(t *testing.T) {
	var q quarantined
	q.add("dir/known", errors.New("found just now"))
	q.load(tree.Notes{
		quarantineNotes + "known":  []byte(`{"at":1,"reason":"older"}`),
		quarantineNotes + "other":  []byte(`{"at":2,"reason":"of the tree"}`),
		quarantineNotes + "future": []byte(`[]`),
		"hold":                     []byte(`{"at":3,"reason":"of something else"}`),
	})
	for name, want := range map[string]string{"known": "found just now", "other": "of the tree"} {
		if got := q.notes[name].Reason; got != want {
			t.Errorf("the reason of %s is %q; want %q", name, got, want)
		}
	}
	if len(q.notes) != 2 {
		t.Errorf("there are notes %v; want two", q.notes)
	}
}

// TestTreeNotInUse asks whether a damaged tree may be set aside: only the file that was found
// damaged, and only if nobody has it open.
func TestTreeNotInUse(t *testing.T) {
	dir := mustOpenDirectory(t, testenv.TempDir(t))
	info := func(path string) os.FileInfo {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	other := info(dir.file("other"))
	if err := dir.checkTreeNotInUse(nil); err != nil {
		t.Errorf("there was no tree, and is none: %v", err)
	}
	if err := dir.checkTreeNotInUse(other); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the damaged tree is gone: got %v; want ErrNotExist", err)
	}
	own := info(dir.tree)
	if err := dir.checkTreeNotInUse(own); err != nil {
		t.Errorf("nobody has it open: %v", err)
	}
	for name, found := range map[string]os.FileInfo{"there was no tree": nil, "another file was damaged": other} {
		if err := dir.checkTreeNotInUse(found); !errors.Is(err, daybook.ErrLocked) {
			t.Errorf("%s: got %v; want ErrLocked", name, err)
		}
	}
	holder, err := os.OpenFile(dir.tree, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	if !disk.TryLock(holder, disk.OfTree) {
		t.Fatal("the file cannot be locked")
	}
	if err := dir.checkTreeNotInUse(own); !errors.Is(err, daybook.ErrLocked) {
		t.Errorf("another has it open: got %v; want ErrLocked", err)
	}
}

// TestSalvagedCannotBeOpened finds something else under the name of a salvaged tree whose last
// rename is missing. Open must say so, and not begin an empty daybook.
func TestSalvagedCannotBeOpened(t *testing.T) {
	path := testenv.TempDir(t)
	if err := os.Mkdir(filepath.Join(path, salvagedName), 0o700); err != nil {
		t.Fatal(err)
	}
	db := &DB{dir: mustOpenDirectory(t, path)}
	if err := db.finishSalvage(); err == nil {
		t.Error("got no error; want the operating system's")
	}
	if _, err := db.dir.fs.Stat(db.dir.tree); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a tree, %v", err)
	}
}

// TestRestoredIsMissing checks a restored tree that is not there, or is empty.
func TestRestoredIsMissing(t *testing.T) {
	dir := mustOpenDirectory(t, testenv.TempDir(t))
	if err := dir.checkRestored(ctx); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: got %v; want ErrNotExist", err)
	}
	if err := os.WriteFile(dir.file(restoredName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := dir.checkRestored(ctx); !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("an empty file: got %v; want ErrCorrupt", err)
	}
}

// TestRestoreIsLockedToItsEnd looks for the lock of the tree while Restore syncs the directory,
// when the restored tree has its name. No other process may open it before it is durable.
func TestRestoreIsLockedToItsEnd(t *testing.T) {
	if !canReplaceOpenFiles {
		t.Skip("the system cannot replace a file that is open, so it cannot be locked meanwhile")
	}
	dir, looks := filepath.Join(testenv.TempDir(t), "data"), 0
	system := faultfs.NewSystem(disk.OS{})
	system.SetHook(func(op faultfs.Op) error {
		if op.Name != faultfs.SyncDir && op.Name != faultfs.Rename {
			return nil
		}
		file, err := os.OpenFile(filepath.Join(dir, TreeFile), os.O_RDWR, 0)
		if err != nil {
			return nil // it is not there yet
		}
		defer file.Close()
		if looks++; disk.TryLock(file, disk.OfTree) {
			t.Errorf("the tree is not locked during %s of %s", op.Name, op.Path)
		}
		return nil
	})
	if err := restore(ctx, dir, system, bytes.NewReader(mustBackupOf(t, "r"))); err != nil || looks < 2 {
		t.Errorf("%v after %d looks at the lock; want some", err, looks)
	}
}

// TestNewestDoNotFit replaces the tree by a copy that has no room. The tree stays as it was.
func TestNewestDoNotFit(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{MaxSize: MinMaxSize, WhenFull: WhenFullDropOldest, Logger: discard})
	for n := range uint64(20) {
		mustStore(t, db, "r", `"`+digits(1000)+`"`, n)
	}
	mustCheckpointed(t, db)
	before := mustQuery(t, db, "r", daybook.QueryParams{})
	taken := mustTakeTurn(t, db)
	err := taken.replaceByNewest(ctx, 1<<20, 1)
	taken.end()
	if !errors.Is(err, daybook.ErrNoSpace) {
		t.Errorf("got %v; want ErrNoSpace", err)
	}
	wantRows(t, mustQuery(t, db, "r", daybook.QueryParams{}), before...)
	if _, err := os.Stat(db.dir.file(copyName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the copy is still there: %v", err)
	}
}

// TestSalvagedCannotBeRenamed salvages a tree where no file can be renamed. That is an error, and
// nothing is lost.
func TestSalvagedCannotBeRenamed(t *testing.T) {
	if !canReplaceOpenFiles {
		t.Skip("the system cannot replace a file that is open, so nothing is salvaged while it is")
	}
	db, fsys := openFaulty(t, testenv.TempDir(t), Options{OnCorruption: OnCorruptionQuarantine})
	mustStore(t, db, "r", "1", 1)
	mustCheckpointed(t, db)
	fsys.SetHook(failing(faultfs.Rename, ""))
	taken := mustTakeTurn(t, db)
	err := taken.replaceBySalvaged(ctx, daybook.ErrCorrupt, 1)
	taken.end()
	fsys.SetHook(nil)
	if err == nil {
		t.Error("got no error; want that of the rename")
	}
	wantRows(t, mustQuery(t, db, "r", daybook.QueryParams{}), row{"r", "1", 1})
}

// TestHoldsOfAFailedTree releases a hold that does not exist in a daybook whose tree has failed.
// The tree may have it.
func TestHoldsOfAFailedTree(t *testing.T) {
	db, _ := openFaulty(t, testenv.TempDir(t), Options{})
	taken := mustTakeTurn(t, db)
	_ = taken.tree().Fail(faultfs.ErrInjected)
	taken.end()
	if err := db.ReleaseHold(ctx, "none"); !errors.Is(err, daybook.ErrFailed) {
		t.Errorf("got %v; want ErrFailed", err)
	}
}

// TestDropSalvagesUnreadable drops values beside a chunk whose header is damaged, so that not even
// its size is known. The tree is salvaged, and what is dropped is chosen anew.
func TestDropSalvagesUnreadable(t *testing.T) {
	if !canReplaceOpenFiles {
		t.Skip("the system cannot replace a file that is open, so nothing is salvaged while it is")
	}
	db := headerDamaged(t, 400, Options{OnCorruption: OnCorruptionQuarantine})
	taken := mustTakeTurn(t, db)
	deleted, err := taken.dropTo(ctx, func(all uint64) uint64 { return all / 2 })
	taken.end()
	if inQuarantine := len(mustStats(t, db).Quarantined); deleted == 0 || err != nil || inQuarantine != 1 {
		t.Errorf("dropTo = %d, %v, and %d files are in quarantine; want no error and 1", deleted, err, inQuarantine)
	}
}

// TestNoSpaceBesideDamage needs space in a daybook of damaged values alone, which cannot be
// dropped. The error is the damage, and not that the disk is full.
func TestNoSpaceBesideDamage(t *testing.T) {
	db := headerDamaged(t, 0, Options{})
	taken := mustTakeTurn(t, db)
	err := taken.makeSpaceFor(ctx, demand{values: 1, valueBytes: MinMaxSize})
	taken.end()
	if !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("got %v; want ErrCorrupt", err)
	}
}

// headerDamaged opens a daybook of values of record a, and of one of record z, whose chunk has a
// damaged header.
func headerDamaged(t *testing.T, values uint64, opts Options) *DB {
	t.Helper()
	var stored []row
	for n := range values {
		stored = append(stored, row{"a", `"` + digits(1000) + `"`, n})
	}
	dir := closedStore(t, nil, append(stored, row{"z", `"` + digits(1000) + `"`, 1})...)
	damage(t, dir, "values", func(chunk []byte) { chunk[2] ^= 0x40 })
	opts.MaxSize, opts.WhenFull = MinMaxSize, WhenFullDropOldest
	return openDamaged(t, dir, opts)
}

// TestMaxSizeCountsEachStepOfACopy compares the size of a compaction's copy that MaxSize counts
// with that of its file, after each step.
func TestMaxSizeCountsEachStepOfACopy(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{MaxSize: MinMaxSize, Logger: discard,
		Tuning: Tuning{TransactionSize: MinTransactionSize}})
	for n := range uint64(200) {
		mustStore(t, db, "r", `"`+digits(1000)+`"`, n)
	}
	mustCheckpointed(t, db)
	taken := mustBeginCopy(t, db)
	defer taken.end()
	defer taken.giveUpCopy(nil)
	first := db.sizes().copy
	for done := false; !done; {
		var err error
		if done, err = taken.copyStep(ctx); err != nil {
			t.Fatal(err)
		}
		if got, want := db.sizes().copy, taken.copy.Size(); got != want {
			t.Fatalf("a copy of %d bytes counts as %d", want, got)
		}
	}
	if db.sizes().copy <= first {
		t.Errorf("the copy has not grown: %d bytes", first)
	}
}

// TestEndLoopsWithoutLoops asks for the end of loops when none holds space. A writer that waits for
// readers does not wait again then.
func TestEndLoopsWithoutLoops(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{Logger: discard})
	taken := mustTakeTurn(t, db)
	defer taken.end()
	if taken.endLoops() {
		t.Error("loops were ended; there are none")
	}
}

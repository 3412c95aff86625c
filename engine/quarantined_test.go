// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/proof/testenv"
)

// quarantineLogAndTree damages the log of a store, and then its tree, and opens it each time. It
// returns the files in quarantine.
func quarantineLogAndTree(t *testing.T) (dir string, files []daybook.QuarantinedFile) {
	t.Helper()
	dir, _ = quarantineStore(t)
	opts := &Options{OnCorruption: OnCorruptionQuarantine, Logger: discard}
	flip(t, segment(t, dir), "r0", 2)
	mustClose(t, mustOpen(t, dir, opts))
	damages[0].do(t, dir) // both meta pages
	began := daybook.Now()
	db := mustOpen(t, dir, opts)
	files = mustStats(t, db).Quarantined
	mustClose(t, db)
	if len(files) != 2 || files[0].Name != "daybook.corrupt-1.db" || files[1].Name != "wal.corrupt-1" {
		t.Fatalf("in quarantine: %+v; want a tree and a log", files)
	}
	ofTree, ofLog := files[0], files[1]
	info, err := os.Stat(ofTree.Path)
	if err != nil || ofTree.Bytes != info.Size() || ofTree.QuarantinedAt < began ||
		!strings.Contains(ofTree.Reason, "corrupt") {
		t.Errorf("the tree in quarantine: %+v, %v; want its size, time and damage", ofTree, err)
	}
	bytes := int64(0)
	for _, content := range filesIn(t, ofLog.Path) {
		bytes += int64(len(content))
	}
	// Why the log is there, the tree knew that is now beside it.
	if ofLog.Bytes != bytes || ofLog.QuarantinedAt != 0 || ofLog.Reason != "" {
		t.Errorf("the log in quarantine: %+v; want %d bytes", ofLog, bytes)
	}
	return dir, files
}

// TestQuarantinedAfterRestart wants every later process to tell what is in quarantine, and why,
// until it is removed: by a call, or by hand.
func TestQuarantinedAfterRestart(t *testing.T) {
	dir, want := quarantineLogAndTree(t)
	for _, opts := range []*Options{nil, {ReadOnly: true}} {
		db := mustOpen(t, dir, opts)
		listed, err := db.Quarantined(ctx)
		if diff := cmp.Diff(want, listed); diff != "" || err != nil {
			t.Errorf("Quarantined after a restart with %+v (-want +got): %v\n%s", opts, err, diff)
		}
		if diff := cmp.Diff(want, mustStats(t, db).Quarantined); diff != "" {
			t.Errorf("Stats after a restart with %+v (-want +got):\n%s", opts, diff)
		}
		if opts != nil {
			if err := db.RemoveQuarantined(ctx, want[0].Name); !errors.Is(err, daybook.ErrReadOnly) {
				t.Errorf("RemoveQuarantined of a reader: got %v", err)
			}
		}
		mustClose(t, db)
	}
	db := mustOpen(t, dir, nil)
	if err := db.RemoveQuarantined(ctx, want[0].Name); err != nil {
		t.Fatal(err)
	}
	if got := mustStats(t, db).Quarantined; !cmp.Equal(got, want[1:]) {
		t.Errorf("after the tree was removed: got %+v, want %+v", got, want[1:])
	}
	notes, err := db.trees.get().Notes()
	for name := range notes {
		if strings.HasPrefix(name, quarantineNotes) {
			t.Errorf("the note %q remains", name)
		}
	}
	if err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(want[1].Path); err != nil {
		t.Fatal(err)
	}
	if got := mustStats(t, db).Quarantined; len(got) != 0 {
		t.Errorf("after the log was removed by hand: got %+v", got)
	}
}

// TestQuarantinedReasons wants the reasons of two files, the first of which an earlier process put
// there, when what is readable of a tree takes its place.
func TestQuarantinedReasons(t *testing.T) {
	dir, _ := rottenStore(t)
	opts := &Options{Tuning: Tuning{ChunkValues: 4}, OnCorruption: OnCorruptionQuarantine, Logger: discard}
	db := mustOpen(t, dir, opts)
	if err := db.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	want := mustStats(t, db).Quarantined
	mustClose(t, db)
	if len(want) != 1 || want[0].QuarantinedAt == 0 || !strings.Contains(want[0].Reason, "corrupt") {
		t.Fatalf("in quarantine: %+v; want the damaged tree and why", want)
	}
	db = mustOpen(t, dir, nil)
	if diff := cmp.Diff(want, mustStats(t, db).Quarantined); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
	for i := range uint64(3) { // each sync says that earlier frames are durable
		mustStore(t, db, "r0", "1", i)
	}
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	flip(t, segment(t, dir), "r0", 1)
	db = mustOpen(t, dir, opts)
	now := mustStats(t, db).Quarantined
	mustClose(t, db)
	if len(now) != 2 || now[0] != want[0] || now[1].Reason == "" {
		t.Fatalf("after the log was damaged: %+v; want both files and their reasons", now)
	}
	db = mustOpen(t, dir, nil)
	if diff := cmp.Diff(now, mustStats(t, db).Quarantined); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}

// TestRemoveQuarantinedRefuses wants every name that is not one of a file in quarantine to be
// refused, whatever it leads to.
func TestRemoveQuarantinedRefuses(t *testing.T) {
	dir, files := quarantineLogAndTree(t)
	outside := filepath.Join(filepath.Dir(dir), "daybook.corrupt-1.db")
	write(t, outside, "of somebody else")
	t.Cleanup(func() { _ = os.Remove(outside) })
	if err := os.Mkdir(filepath.Join(dir, "daybook.corrupt-7.db"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "daybook.corrupt-01.db"), "not one of ours")
	write(t, filepath.Join(dir, "other.corrupt-1.db"), "of another tree")
	db := mustOpen(t, dir, nil)
	filesOutsideLog := func() map[string]string { // which makes segments meanwhile
		files := filesIn(t, dir)
		maps.DeleteFunc(files, func(name, _ string) bool { return filepath.Dir(name) == logName })
		return files
	}
	before := filesOutsideLog()
	for _, name := range []string{
		"", ".", "..", TreeFile, logName, reserveName, sessionName, "../daybook.corrupt-1.db", "./daybook.corrupt-1.db",
		files[0].Path, "daybook.corrupt-2.db", "daybook.corrupt-7.db", "daybook.corrupt-01.db", "other.corrupt-1.db",
		"wal.corrupt-1/", "wal.corrupt-2", "daybook.corrupt-1", "*", "daybook.corrupt-1.db\x00",
	} {
		if err := db.RemoveQuarantined(ctx, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("RemoveQuarantined(%q): got %v; want an error that says that there is no such file", name, err)
		}
	}
	if diff := cmp.Diff(before, filesOutsideLog()); diff != "" {
		t.Errorf("files were removed:\n%s", diff)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
}

// TestRemoveQuarantinedForeign has a directory that is named like a log in quarantine, and that no
// log can be. All of it stays.
func TestRemoveQuarantinedForeign(t *testing.T) {
	dir, _ := quarantineLogAndTree(t)
	foreign := filepath.Join(dir, "wal.corrupt-3")
	if err := os.MkdirAll(filepath.Join(foreign, "photos"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(foreign, "1.log"), "a file")
	db := mustOpen(t, dir, nil)
	if err := db.RemoveQuarantined(ctx, "wal.corrupt-3"); err == nil || !strings.Contains(err.Error(), "by hand") {
		t.Errorf("got %v; want an error that says what to do", err)
	}
	if _, err := os.Stat(filepath.Join(foreign, "1.log")); err != nil {
		t.Error(err)
	}
}

// TestRemoveQuarantinedInUse wants a file to stay that a person has made the tree of another
// daybook, to look at what it has.
func TestRemoveQuarantinedInUse(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symbolic links need a privilege there")
	}
	dir, _ := rottenStore(t)
	db := mustOpen(t, dir,
		&Options{Tuning: Tuning{ChunkValues: 4}, OnCorruption: OnCorruptionQuarantine, Logger: discard})
	if err := db.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	file := mustStats(t, db).Quarantined[0]
	mustClose(t, db) // it may still have had the damaged tree open
	db = mustOpen(t, dir, nil)
	looking := testenv.TempDir(t)
	if err := os.Symlink(file.Path, filepath.Join(looking, TreeFile)); err != nil {
		t.Fatal(err)
	}
	other, err := Open(looking, &Options{Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.RemoveQuarantined(ctx, file.Name); !errors.Is(err, daybook.ErrLocked) {
		t.Errorf("RemoveQuarantined of a tree that is open: got %v; want ErrLocked", err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.RemoveQuarantined(ctx, file.Name); err != nil {
		t.Error(err)
	}
}

// TestRemoveQuarantinedInParts interrupts the removal of a log between two of its files. What
// remains of it is still in quarantine, and can be removed.
func TestRemoveQuarantinedInParts(t *testing.T) {
	dir, files := quarantineLogAndTree(t)
	db, fsys := openFaulty(t, dir, Options{})
	removals := 0
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.Remove {
			if removals++; removals > 1 {
				return faultfs.ErrInjected
			}
		}
		return nil
	})
	if err := db.RemoveQuarantined(ctx, files[1].Name); !errors.Is(err, faultfs.ErrInjected) {
		t.Fatalf("RemoveQuarantined: got %v; want the injected error", err)
	}
	fsys.SetHook(nil)
	now, err := db.Quarantined(ctx)
	smaller := cmpopts.IgnoreFields(daybook.QuarantinedFile{}, "Bytes")
	if err != nil || !cmp.Equal(files, now, smaller) || now[1].Bytes >= files[1].Bytes {
		t.Errorf("after the first file: %+v, %v; want both, and less of the log than %+v", now, err, files)
	}
	if err := db.RemoveQuarantined(ctx, files[1].Name); err != nil {
		t.Error(err)
	}
	if now, err := db.Quarantined(ctx); err != nil || !slices.Equal(now, files[:1]) {
		t.Errorf("at the end: %+v, %v; want the tree", now, err)
	}
}

// TestQuarantinedBesideLinkedTree wants the files of a tree that is elsewhere to be found there.
func TestQuarantinedBesideLinkedTree(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symbolic links need a privilege there")
	}
	dir, _ := rottenStore(t)
	target := moveTree(t, dir)
	write(t, filepath.Join(filepath.Dir(target), "daybook.corrupt-1.db"), "of another daybook")
	db := mustOpen(t, dir,
		&Options{Tuning: Tuning{ChunkValues: 4}, OnCorruption: OnCorruptionQuarantine, Logger: discard})
	if err := db.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	db = mustOpen(t, dir, nil)
	want := filepath.Join(filepath.Dir(target), "history.corrupt-1.db")
	files, err := db.Quarantined(ctx)
	if err != nil || len(files) != 1 || files[0].Path != want {
		t.Fatalf("in quarantine: %+v, %v; want %s", files, err, want)
	}
	if err := db.RemoveQuarantined(ctx, "history.corrupt-1.db"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(want); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after it was removed: %v", err)
	}
}

// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// mustBackupOf returns a backup of a daybook with one value.
func mustBackupOf(t *testing.T, record string) []byte {
	t.Helper()
	db := mustOpen(t, testenv.TempDir(t), nil)
	mustStore(t, db, record, "1", 1)
	return mustBackup(t, db)
}

// TestTwoRestores restores two backups into one directory at the same time. Exactly one of them
// succeeds, and the directory holds what that one restored, and nothing else.
func TestTwoRestores(t *testing.T) {
	names := []string{"a", "b"}
	backups := [][]byte{mustBackupOf(t, "a"), mustBackupOf(t, "b")}
	rounds := 30
	if runtime.GOOS == "windows" {
		rounds = 5 // wine is slow
	}
	for round := range rounds {
		dir := filepath.Join(testenv.TempDir(t), "data")
		var running sync.WaitGroup
		results := make([]error, len(names))
		for i := range names {
			running.Go(func() { results[i] = Restore(ctx, dir, bytes.NewReader(backups[i])) })
		}
		running.Wait()
		winner := 0
		if results[0] != nil {
			winner = 1
		}
		failed := results[1-winner]
		if results[winner] != nil || !errors.Is(failed, daybook.ErrLocked) && !errors.Is(failed, fs.ErrExist) {
			t.Fatalf("round %d: %v; want one nil, and one ErrLocked or ErrExist", round, results)
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 {
			t.Errorf("round %d: files %v, %v; want one", round, entries, err)
		}
		wantValues(t, dir, row{names[winner], "1", 1})
	}
}

// TestRestoreWithinRestore begins a second Restore while the first one reads its backup. The second
// must fail at once, and must not disturb the first.
func TestRestoreWithinRestore(t *testing.T) {
	first, second := bytes.NewReader(mustBackupOf(t, "first")), mustBackupOf(t, "second")
	dir := testenv.TempDir(t)
	var inner error
	reader := readerFunc(func(p []byte) (int, error) {
		if inner == nil {
			inner = Restore(ctx, dir, bytes.NewReader(second))
		}
		return first.Read(p)
	})
	if err := Restore(ctx, dir, reader); err != nil {
		t.Errorf("the first Restore: %v", err)
	}
	if !errors.Is(inner, daybook.ErrLocked) {
		t.Errorf("the second Restore: %v; want ErrLocked", inner)
	}
	wantValues(t, dir, row{"first", "1", 1})
}

// TestRestoreIntoFreshDisk restores into directories that are empty as far as people are concerned,
// and into some that are not.
func TestRestoreIntoFreshDisk(t *testing.T) {
	backup := mustBackupOf(t, "a")
	makeDir := func(name string) func(string) error {
		return func(dir string) error { return os.Mkdir(filepath.Join(dir, name), 0o700) }
	}
	makeFile := func(name, content string) func(string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600) }
	}
	for _, test := range []struct {
		name   string
		make   func(dir string) error
		empty  bool
		reason string // why the row is here
	}{
		{"lost+found", makeDir("lost+found"), true, "mke2fs makes it"},
		{"a file lost+found", makeFile("lost+found", ""), false, "no file system makes that"},
		{"a volume of Windows", makeDir("System Volume Information"), true, "Windows makes it on each volume"},
		{"an interrupted Restore", makeFile(restoredName, "x"), true, "it is overwritten"},
		{"an interrupted Open", makeFile(TreeFile, ""), true, "it never held a value"},
		{"a tree", makeFile(TreeFile, "x"), false, "it may hold values"},
		{"a log", makeDir(logName), false, "it belongs to a daybook"},
		{"another file", makeFile("notes", ""), false, "somebody's file"},
		{"a hidden file", makeFile(".notes", ""), false, "somebody's file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := testenv.TempDir(t)
			if err := test.make(dir); err != nil {
				t.Fatal(err)
			}
			before := contents(t, dir)
			broken := Restore(ctx, dir, bytes.NewReader(backup[:len(backup)-1]))
			changed := contents(t, dir) != before && test.name != "an interrupted Restore"
			if broken == nil || changed {
				t.Errorf("a broken backup: %v; the directory has changed: %t", broken, changed)
			}
			err := Restore(ctx, dir, bytes.NewReader(backup))
			if test.empty && err != nil || !test.empty && !errors.Is(err, fs.ErrExist) {
				t.Errorf("Restore: %v (%s)", err, test.reason)
			}
			if test.empty {
				wantValues(t, dir, row{"a", "1", 1})
			}
		})
	}
}

// TestRestoreThroughLink restores into a directory that only has a symbolic link in the place of
// the tree. The tree is made where the link leads. A link to a file with content is refused.
func TestRestoreThroughLink(t *testing.T) {
	dir, target := linkedDaybook(t, absoluteLink)
	write(t, target, "x")
	backup := mustBackupOf(t, "a")
	if err := Restore(ctx, dir, bytes.NewReader(backup)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a link to a file with content: %v; want ErrExist", err)
	}
	if data, err := os.ReadFile(target); err != nil || string(data) != "x" {
		t.Errorf("the file has %q, %v; want it unchanged", data, err)
	}
	if err := os.Remove(target); err != nil {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if err := Restore(canceled, dir, bytes.NewReader(backup)); !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled Restore: %v", err)
	}
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a canceled Restore leaves %s: %v", target, err)
	}
	if err := Restore(ctx, dir, bytes.NewReader(backup)); err != nil {
		t.Errorf("Restore: %v", err)
	}
	wantLinked(t, dir, target)
	wantValues(t, dir, row{"a", "1", 1})
}

// TestRestoreIntoMovedDirectory moves the directory during a Restore. The path does not lead to
// what was restored, so that is no success.
func TestRestoreIntoMovedDirectory(t *testing.T) {
	needsRename(t)
	parent := testenv.TempDir(t)
	dir, moved := filepath.Join(parent, "data"), filepath.Join(parent, "moved")
	backup := bytes.NewReader(mustBackupOf(t, "a"))
	renamed := false
	reader := readerFunc(func(p []byte) (int, error) {
		if !renamed {
			renamed = true
			if err := os.Rename(dir, moved); err != nil {
				t.Error(err)
			}
			makeDaybook(t, dir, "other")
		}
		return backup.Read(p)
	})
	if err := Restore(ctx, dir, reader); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("Restore: %v; want an error that names %s", err, dir)
	}
	if entries, err := os.ReadDir(moved); err != nil || len(entries) > 0 {
		t.Errorf("files %v remain in the directory that was moved, %v", entries, err)
	}
	wantValues(t, dir, row{"other", "1", 1})
}

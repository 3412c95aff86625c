// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// linkTarget returns the target of a symbolic link in dir to the file history.db in large.
type linkTarget func(t *testing.T, dir, large string) string

// linkedDaybook makes a directory whose tree is a symbolic link to a file that does not exist yet,
// in a directory that stands for a larger disk.
func linkedDaybook(t *testing.T, link linkTarget) (dir, target string) {
	t.Helper()
	parent := testenv.TempDir(t)
	dir, large := filepath.Join(parent, "small", "data"), filepath.Join(parent, "large")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.MkdirAll(large, 0o700)); err != nil {
		t.Fatal(err)
	}
	target = filepath.Join(large, "history.db")
	testenv.Symlink(t, link(t, dir, large), filepath.Join(dir, TreeFile))
	return dir, target
}

func absoluteLink(_ *testing.T, _, large string) string { return filepath.Join(large, "history.db") }

// wantLinked checks that the tree is still a link to target, which is a file, and that no other
// file is beside that, but for a reserve and what was set aside.
func wantLinked(t *testing.T, dir, target string) {
	t.Helper()
	info, err := os.Lstat(filepath.Join(dir, TreeFile))
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("%s is no symbolic link any more: %v, %v", TreeFile, info, err)
	}
	if info, err := os.Lstat(target); err != nil || !info.Mode().IsRegular() {
		t.Errorf("%s is no file any more: %v, %v", target, info, err)
	}
	entries, err := os.ReadDir(filepath.Dir(target))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if name != filepath.Base(target) && name != "history.reserve.db" && !strings.Contains(name, "corrupt") {
			t.Errorf("%s is left beside %s", name, target)
		}
	}
}

// TestLinkedTree uses a daybook whose tree is a symbolic link. Compaction replaces the file, and
// leaves the link.
func TestLinkedTree(t *testing.T) {
	for name, link := range map[string]linkTarget{
		"absolute": absoluteLink,
		"relative": func(*testing.T, string, string) string { return filepath.Join("..", "..", "large", "history.db") },
		"through another link": func(t *testing.T, dir, _ string) string {
			second := filepath.Join(filepath.Dir(dir), "second")
			testenv.Symlink(t, filepath.Join("..", "large", "history.db"), second)
			return second
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, target := linkedDaybook(t, link)
			db := mustOpen(t, dir, nil)
			mustStore(t, db, "a", "1", 1)
			if err := db.Checkpoint(ctx); err != nil {
				t.Fatal(err)
			}
			before := identityOf(t, target)
			if err := db.Compact(ctx); err != nil && !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("Compact: %v", err)
			} else if err == nil && os.SameFile(before, identityOf(t, target)) {
				t.Error("Compact did not replace the file")
			}
			wantLinked(t, dir, target)
			mustStore(t, db, "a", "2", 2)
			mustClose(t, db)
			wantLinked(t, dir, target)
			wantValues(t, dir, row{"a", "2", 2}, row{"a", "1", 1})
			if exists, err := Exists(dir); !exists || err != nil {
				t.Errorf("Exists: %t, %v", exists, err)
			}
		})
	}
}

// TestLinkedTreeIsCompactedByItself lets the engine compact a tree that is a symbolic link.
func TestLinkedTreeIsCompactedByItself(t *testing.T) {
	t.Parallel()
	dir, target := linkedDaybook(t, absoluteLink)
	waitForCompaction(t, dir)
	wantLinked(t, dir, target)
}

func identityOf(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// moveTree moves the tree of a closed daybook to a directory that stands for a larger disk, and
// puts a symbolic link in its place.
func moveTree(t *testing.T, dir string) (target string) {
	t.Helper()
	target = filepath.Join(testenv.TempDir(t), "history.db")
	copyFile(t, filepath.Join(dir, TreeFile), target)
	if err := os.Remove(filepath.Join(dir, TreeFile)); err != nil {
		t.Fatal(err)
	}
	testenv.Symlink(t, target, filepath.Join(dir, TreeFile))
	return target
}

// TestLinkedTreeIsSalvaged meets damage in a tree that is a symbolic link. The salvaged file, or a
// new one if the tree does not open, takes the place of the real file, and the link stays.
func TestLinkedTreeIsSalvaged(t *testing.T) {
	for _, test := range []struct {
		name    string
		damage  func(t *testing.T, target string)
		reason  string // why the row is here
		remains bool   // the undamaged values
	}{
		{"a chunk", func(*testing.T, string) {}, "it is salvaged", true},
		{"the whole file", func(t *testing.T, target string) { write(t, target, strings.Repeat("x", 1<<16)) },
			"a new tree takes its place", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, whole := rottenStore(t)
			target := moveTree(t, dir)
			test.damage(t, target)
			db := mustOpen(t, dir,
				&Options{Tuning: Tuning{ChunkValues: 4}, OnCorruption: OnCorruptionQuarantine, Logger: discard})
			if err := db.Compact(ctx); err != nil {
				t.Errorf("Compact: %v", err)
			}
			if !test.remains {
				whole = nil
			}
			wantRows(t, mustQuery(t, db, "*", oldestFirst), whole...)
			mustClose(t, db)
			wantLinked(t, dir, target)
			if set, err := filepath.Glob(filepath.Join(filepath.Dir(target), "history.corrupt-1.db")); len(set) != 1 {
				t.Errorf("beside %s there is no damaged file: %v (%s)", target, err, test.reason)
			}
		})
	}
}

// TestTwoLinkedTrees compacts two daybooks whose trees are in one directory, at the same time.
func TestTwoLinkedTrees(t *testing.T) {
	large := testenv.TempDir(t)
	var running sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		dir := testenv.TempDir(t)
		testenv.Symlink(t, filepath.Join(large, name+".db"), filepath.Join(dir, TreeFile))
		db := mustOpen(t, dir, nil)
		mustStore(t, db, name, "1", 1)
		running.Go(func() {
			for range 20 {
				if err := db.Compact(ctx); err != nil && !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("Compact: %v", err)
				}
			}
		})
		defer func() {
			running.Wait()
			wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), row{name, "1", 1})
		}()
	}
}

// TestLinkedTreeWithoutItsDisk opens a daybook whose tree is a symbolic link to a disk that is not
// mounted. That is no damage, and a new tree must not take its place.
func TestLinkedTreeWithoutItsDisk(t *testing.T) {
	dir := testenv.TempDir(t)
	makeDaybook(t, dir, "a")
	target := moveTree(t, dir)
	unmounted := filepath.Dir(target) + ".unmounted"
	if err := os.Rename(filepath.Dir(target), unmounted); err != nil {
		t.Fatal(err)
	}
	_, err := Open(dir, &Options{OnCorruption: OnCorruptionQuarantine, Logger: discard})
	exists, existsErr := Exists(dir)
	_, readErr := Open(dir, &Options{ReadOnly: true})
	for call, err := range map[string]error{"Open": err, "Exists": existsErr, "Open for reading": readErr} {
		if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, daybook.ErrCorrupt) ||
			!strings.Contains(err.Error(), filepath.Dir(target)) {
			t.Errorf("%s: %v; want an error that says that the directory of the file is missing", call, err)
		}
	}
	if exists {
		t.Error("Exists returns true with its error")
	}
	if err := os.Rename(unmounted, filepath.Dir(target)); err != nil {
		t.Fatal(err)
	}
	wantValues(t, dir, row{"a", "1", 1})
}

// TestLinkedLog uses a daybook whose log is a symbolic link to another disk, and sets a damaged log
// aside. The link stays.
func TestLinkedLog(t *testing.T) {
	dir, stored := quarantineStore(t)
	target := filepath.Join(testenv.TempDir(t), "log")
	if err := errors.Join(os.CopyFS(target, os.DirFS(filepath.Join(dir, logName))),
		os.RemoveAll(filepath.Join(dir, logName))); err != nil {
		t.Fatal(err)
	}
	testenv.Symlink(t, target, filepath.Join(dir, logName))
	segments, err := filepath.Glob(filepath.Join(target, "*.log"))
	if err != nil || len(segments) == 0 {
		t.Fatal("no segments", err)
	}
	flip(t, segments[0], "r1", 0) // of the first value in the log that is not in the tree
	db := mustOpen(t, dir, &Options{OnCorruption: OnCorruptionQuarantine, Logger: discard})
	if got := len(mustQuery(t, db, "*", daybook.QueryParams{})); got < 10 || got >= len(stored) {
		t.Errorf("%d values; want those of the tree, and not those after the damage", got)
	}
	mustStore(t, db, "again", "1", 1)
	if info, err := os.Lstat(filepath.Join(dir, logName)); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("%s is no symbolic link any more: %v, %v", logName, info, err)
	}
	for _, name := range []string{target, target + ".corrupt-1"} {
		if segments, err := filepath.Glob(filepath.Join(name, "*.log")); err != nil || len(segments) == 0 {
			t.Errorf("%s holds no segments: %v", name, err)
		}
	}
}

// TestTreesOfOneDirectory links two trees whose names differ after the last dot only, and leaves a
// file of each kind beside one of them. The other daybook must not touch them.
func TestTreesOfOneDirectory(t *testing.T) {
	parent := testenv.TempDir(t)
	link := func(name, tree string) (dir string) {
		dir = filepath.Join(parent, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		testenv.Symlink(t, filepath.Join(parent, tree), filepath.Join(dir, TreeFile))
		return dir
	}
	first := mustOpen(t, link("1", "gateway.1"), nil)
	theirs := []string{copyName, salvagedName, restoredName, syncName}
	for _, name := range theirs {
		write(t, first.dir.file(name), "theirs")
	}
	second := mustOpen(t, link("2", "gateway.2"), nil)
	mustStore(t, second, "a", "1", 1)
	if err := second.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	mustClose(t, second)
	for _, name := range theirs {
		if content, err := os.ReadFile(first.dir.file(name)); string(content) != "theirs" {
			t.Errorf("%s has %q, %v; want it untouched", first.dir.file(name), content, err)
		}
	}
	mustClose(t, first)

	for _, name := range []string{"gateway.new.1", "gateway.reserve", "gateway.old-3.db", "gateway.sync.db"} {
		if _, err := Open(link("as "+name, name), nil); err == nil || !strings.Contains(err.Error(), "another name") {
			t.Errorf("a tree called %s: got %v; want that it needs another name", name, err)
		}
	}
}

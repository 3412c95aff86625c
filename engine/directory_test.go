// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// needsRename skips a test on a system that does not rename a directory that is open.
func needsRename(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not rename or delete a directory that is open")
	}
}

// makeDaybook makes a daybook with one value, and closes it.
func makeDaybook(t *testing.T, dir, record string) {
	t.Helper()
	db := mustOpen(t, dir, nil)
	mustStore(t, db, record, "1", 1)
	mustClose(t, db)
}

// wantValues checks which records a daybook has. It opens and closes the daybook.
func wantValues(t *testing.T, dir string, want ...row) {
	t.Helper()
	db := mustOpen(t, dir, &Options{LockTimeout: -1})
	wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), want...)
	mustClose(t, db)
}

// TestWorkingDirectoryChanges opens a relative path, and then changes the working directory to one
// that has another daybook under that path. Everything must be done in the first one.
func TestWorkingDirectoryChanges(t *testing.T) {
	here, there := testenv.TempDir(t), testenv.TempDir(t)
	makeDaybook(t, filepath.Join(there, "data"), "there")
	before := contents(t, there)
	t.Chdir(here)
	db := mustOpen(t, "data", nil)
	follower, err := Follow("data", "*", daybook.Glob, daybook.Cursor{})
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		t.Fatal(err)
	}
	if err := os.Chdir(there); err != nil { // t.Chdir has seen to the way back
		t.Fatal(err)
	}
	fillSegments(t, db)
	if follower != nil {
		followed := 0
		count := func(e daybook.Event) bool { followed++; return e.RecordName == "here" }
		if err := follower.Read(ctx, count); err != nil {
			t.Errorf("Follow: %v", err)
		}
		if followed == 0 {
			t.Error("the follower read nothing")
		}
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Errorf("Checkpoint: %v", err)
	}
	if err := db.Compact(ctx); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Compact: %v", err)
	}
	mustStore(t, db, "here", "2", 2)
	mustClose(t, db)
	if contents(t, there) != before {
		t.Error("the files of the other daybook have changed")
	}
	wantValues(t, filepath.Join(there, "data"), row{"there", "1", 1})
	db = mustOpen(t, filepath.Join(here, "data"), nil)
	if got := len(mustQuery(t, db, "here", daybook.QueryParams{})); got != segmentsFilled+1 {
		t.Errorf("the first daybook has %d values; want %d", got, segmentsFilled+1)
	}
}

// segmentsFilled is the number of values that fillSegments stores.
const segmentsFilled = 8

// fillSegments stores values that need more than one segment of the log.
func fillSegments(t *testing.T, db *DB) {
	t.Helper()
	for i := range uint64(segmentsFilled) {
		mustStore(t, db, "here", `"`+digits(firstSegmentSize/4)+`"`, 10+i)
	}
}

// TestDirectoryReplaced puts another daybook in the place of an open one: under the same path, or
// into the same directory. Whatever the open one is then told to do, no file of the other one may
// change, and the open one says ErrFailed instead of acknowledging values that no Open would find.
func TestDirectoryReplaced(t *testing.T) {
	needsRename(t)
	replacements := []struct {
		name    string
		replace func(dir, moved string) error
		remains bool // the daybook, in moved
	}{
		{"renamed", os.Rename, true},
		{"deleted", func(dir, _ string) error { return removeAll(dir) }, false},
		{"emptied", func(dir, _ string) error { return removeContents(dir) }, false},
		{"restored over", func(dir, _ string) error {
			return errors.Join(removeContents(dir), Restore(ctx, dir, bytes.NewReader(mustBackupOf(t, "new"))))
		}, false},
	}
	for name, use := range map[string]func(*DB) error{
		"Close":      func(*DB) error { return nil },
		"Checkpoint": func(db *DB) error { return db.Checkpoint(ctx) },
		"Compact":    func(db *DB) error { return db.Compact(ctx) },
		"Prune":      func(db *DB) error { _, err := db.Cleanup(ctx, 100); return err },
		"Backup":     func(db *DB) error { return db.Backup(ctx, new(bytes.Buffer)) },
		"Store":      storeUntilError,
	} {
		for _, r := range replacements {
			for _, posted := range []bool{false, true} { // the value of the open daybook
				t.Run(fmt.Sprintf("%s/%s/posted=%t", name, r.name, posted), func(t *testing.T) {
					parent := testenv.TempDir(t)
					dir, moved := filepath.Join(parent, "data"), filepath.Join(parent, "moved")
					db := mustOpen(t, dir, &Options{Logger: discard})
					mustStore(t, db, "old", "1", 1)
					if posted {
						if err := db.Checkpoint(ctx); err != nil {
							t.Fatal(err)
						}
					}
					if err := r.replace(dir, moved); err != nil {
						t.Fatal(err)
					}
					other := mustOpen(t, dir, &Options{Logger: discard})
					mustStore(t, other, "new", "2", 2)
					if err := other.abandon(); err != nil { // so that nothing else changes its files
						t.Fatal(err)
					}
					before := contents(t, dir)

					err := use(db)
					nothingToPost := posted && (name == "Backup" || name == "Checkpoint")
					if name != "Close" && !nothingToPost {
						wantFailed(t, name, err, dir)
					}
					wantFailed(t, "Close", db.Close(), dir)
					if contents(t, dir) != before {
						t.Error("the files of the other daybook have changed")
					}
					again := mustOpen(t, dir, nil)
					got := mustQuery(t, again, "*", daybook.QueryParams{})
					if len(got) == 0 || got[0] != (row{"new", "2", 2}) {
						t.Errorf("the other daybook has %v", got)
					}
					if r.remains {
						wantOld(t, moved)
					}
				})
			}
		}
	}
}

// TestDirectoryReplacedDuringCompaction puts another daybook into the directory while a compaction
// has its copy. The other daybook compacts as well, so its own copy has the same name. Neither the
// end of the first compaction nor giving it up may touch that.
func TestDirectoryReplacedDuringCompaction(t *testing.T) {
	needsRename(t)
	for name, end := range map[string]func(*turn) error{
		"adopted":  (*turn).adoptCopy,
		"given up": func(t *turn) error { t.giveUpCopy(nil); return t.verifyDirectory() },
	} {
		t.Run(name, func(t *testing.T) {
			dir := testenv.TempDir(t)
			db := mustOpen(t, dir, &Options{Logger: discard})
			mustStore(t, db, "old", "1", 1)
			if err := errors.Join(db.Checkpoint(ctx), db.withTurn(ctx, beginCopy), db.withTurn(ctx, stepCopy)); err != nil {
				t.Fatal(err)
			}
			if err := removeContents(dir); err != nil {
				t.Fatal(err)
			}
			makeDaybook(t, dir, "new")
			write(t, filepath.Join(dir, copyName), "the copy of the other daybook")
			before := contents(t, dir)
			wantFailed(t, name, db.withTurn(ctx, end), dir)
			wantFailed(t, "Close", db.Close(), dir)
			if contents(t, dir) != before {
				t.Error("the files of the other daybook have changed")
			}
			wantValues(t, dir, row{"new", "1", 1})
		})
	}
}

// wantOld checks that a daybook still has the value that TestDirectoryReplaced stored first.
func wantOld(t *testing.T, dir string) {
	t.Helper()
	db := mustOpen(t, dir, nil)
	got := mustQuery(t, db, "old", daybook.QueryParams{})
	if len(got) == 0 || got[len(got)-1] != (row{"old", "1", 1}) {
		t.Errorf("the moved daybook has %v; want the value that was acknowledged", got)
	}
}

// removeContents removes everything in a directory, and leaves the directory itself.
func removeContents(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		err = errors.Join(err, removeAll(filepath.Join(dir, entry.Name())))
	}
	return err
}

// removeAll is os.RemoveAll beside a daybook that makes files in the background.
func removeAll(dir string) (err error) {
	for range 100 {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
	}
	return err
}

// storeUntilError stores values until that fails.
func storeUntilError(db *DB) error {
	value := []byte(`"` + digits(firstSegmentSize/8) + `"`)
	for i := range uint64(100) {
		if err := db.Store(ctx, "more", value, 2+i); err != nil {
			return err
		}
	}
	return nil
}

// wantFailed checks that an error is daybook.ErrFailed and names the directory.
func wantFailed(t *testing.T, call string, err error, dir string) {
	t.Helper()
	if !errors.Is(err, daybook.ErrFailed) || !strings.Contains(fmt.Sprint(err), dir) {
		t.Errorf("%s: %v; want ErrFailed that names %s", call, err, dir)
	}
}

// TestDirectoryMoved does with an open daybook what makes the next Open look elsewhere. Stores must
// be refused at the next segment at the latest, and the next checkpoint as well. Every value that
// was acknowledged before is where the files are.
func TestDirectoryMoved(t *testing.T) {
	needsRename(t)
	for _, test := range []struct {
		name   string
		move   func(dir, moved string) error
		remain bool // the files are in moved
	}{
		{"renamed", os.Rename, true},
		{"deleted", func(dir, _ string) error { return removeAll(dir) }, false},
		{"replaced by a file", func(dir, moved string) error {
			return errors.Join(os.Rename(dir, moved), os.WriteFile(dir, nil, 0o600))
		}, true},
		{"replaced by a copy", func(dir, moved string) error {
			data, err := os.ReadFile(filepath.Join(dir, TreeFile)) // the log's files change in the background
			return errors.Join(err, os.Rename(dir, moved), os.Mkdir(dir, 0o700),
				os.WriteFile(filepath.Join(dir, TreeFile), data, 0o600))
		}, true},
		{"tree deleted", func(dir, _ string) error { return os.Remove(filepath.Join(dir, TreeFile)) }, false},
		{"tree replaced", func(dir, moved string) error {
			copied := filepath.Join(dir, "copy")
			data, err := os.ReadFile(filepath.Join(dir, TreeFile))
			return errors.Join(err, os.WriteFile(copied, data, 0o600), os.Rename(copied, filepath.Join(dir, TreeFile)),
				os.MkdirAll(moved, 0o700))
		}, false},
	} {
		for _, notice := range []struct {
			name string
			use  func(*DB) error
		}{
			{"by a Store", storeUntilError},
			{"by a Checkpoint", func(db *DB) error { return db.Checkpoint(ctx) }},
		} {
			if strings.HasPrefix(test.name, "tree") && notice.name == "by a Store" {
				continue // the log is where it was; the next checkpoint notices
			}
			t.Run(test.name+"/"+notice.name, func(t *testing.T) {
				parent := testenv.TempDir(t)
				dir, moved := filepath.Join(parent, "data"), filepath.Join(parent, "moved")
				db := mustOpen(t, dir, &Options{Logger: discard})
				mustStore(t, db, "a", "1", 1)
				if err := test.move(dir, moved); err != nil {
					t.Fatal(err)
				}
				wantFailed(t, notice.name, notice.use(db), dir)
				wantFailed(t, "Store", db.Store(ctx, "a", []byte("2"), 2), dir)
				wantFailed(t, "Cleanup", func() error { _, err := db.Cleanup(ctx, 1000); return err }(), dir)
				if got := mustQuery(t, db, "a", daybook.QueryParams{}); len(got) != 1 {
					t.Errorf("a query returns %v; want the value that was stored", got)
				}
				wantFailed(t, "Close", db.Close(), dir)
				if test.remain {
					db = mustOpen(t, moved, nil)
					wantRows(t, mustQuery(t, db, "a", daybook.QueryParams{}), row{"a", "1", 1})
				}
			})
		}
	}
}

// TestDirectoryDeletedIsNoticedSoon stores small values, which fill no segment, into a directory
// that was deleted. That is noticed after verifyInterval of package wal.
func TestDirectoryDeletedIsNoticedSoon(t *testing.T) {
	needsRename(t)
	dir := filepath.Join(testenv.TempDir(t), "data")
	db := mustOpen(t, dir, &Options{Logger: discard})
	mustStore(t, db, "a", "1", 1)
	if err := removeAll(dir); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); time.Since(start) < time.Minute; time.Sleep(10 * time.Millisecond) {
		if err := db.Store(ctx, "a", []byte("1"), 1); err != nil {
			wantFailed(t, "Store", err, dir)
			if time.Since(start) > 10*time.Second {
				t.Errorf("the deletion was noticed after %v", time.Since(start))
			}
			wantFailed(t, "Close", db.Close(), dir)
			return
		}
	}
	t.Error("values are still acknowledged after a minute")
}

// TestDirectoryCannotBeLookedUp takes away the permission to look up the path of an open daybook,
// as a program does that gives up its rights. Nothing is known then, so stores must go on.
func TestDirectoryCannotBeLookedUp(t *testing.T) {
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("root may look up every path, and so may the owner on Windows")
	}
	parent := t.TempDir()
	dir := filepath.Join(parent, "data")
	db := mustOpen(t, dir, nil)
	if err := os.Chmod(parent, 0); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(parent, 0o700) }()
	fillSegments(t, db)
	if err := errors.Join(db.Checkpoint(ctx), db.Compact(ctx), db.Close()); err != nil {
		t.Error(err)
	}
}

// linkedDaybook makes a directory whose tree is a symbolic link to a file that does not exist yet,
// in a directory that stands for a larger disk.
func linkedDaybook(t *testing.T, link func(dir, large string) string) (dir, target string) {
	t.Helper()
	parent := testenv.TempDir(t)
	dir, large := filepath.Join(parent, "small", "data"), filepath.Join(parent, "large")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.MkdirAll(large, 0o700)); err != nil {
		t.Fatal(err)
	}
	target = filepath.Join(large, "history.db")
	if err := os.Symlink(link(dir, large), filepath.Join(dir, TreeFile)); err != nil {
		t.Skip(err)
	}
	return dir, target
}

func absoluteLink(_, large string) string { return filepath.Join(large, "history.db") }

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
		if name != filepath.Base(target) && name != "history.reserve" && !strings.Contains(name, "corrupt") {
			t.Errorf("%s is left beside %s", name, target)
		}
	}
}

// TestLinkedTree uses a daybook whose tree is a symbolic link. Compaction replaces the file, and
// leaves the link.
func TestLinkedTree(t *testing.T) {
	for name, link := range map[string]func(dir, large string) string{
		"absolute": absoluteLink,
		"relative": func(string, string) string { return filepath.Join("..", "..", "large", "history.db") },
		"through another link": func(dir, large string) string {
			second := filepath.Join(filepath.Dir(dir), "second")
			if err := os.Symlink(filepath.Join("..", "large", "history.db"), second); err != nil {
				t.Skip(err)
			}
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
	if !canReplaceOpenFiles {
		t.Skip("a file that is open cannot be replaced on Windows")
	}
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
	if err := os.Symlink(target, filepath.Join(dir, TreeFile)); err != nil {
		t.Skip(err)
	}
	return target
}

// TestLinkedTreeIsSalvaged meets damage in a tree that is a symbolic link. The salvaged file, or a
// new one if the tree does not open, takes the place of the real file, and the link stays.
func TestLinkedTreeIsSalvaged(t *testing.T) {
	if !canReplaceOpenFiles {
		t.Skip("a file that is open cannot be replaced on Windows")
	}
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
			db := mustOpen(t, dir, &Options{Tuning: Tuning{ChunkValues: 4}, OnCorruption: Quarantine, Logger: discard})
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
		if err := os.Symlink(filepath.Join(large, name+".db"), filepath.Join(dir, TreeFile)); err != nil {
			t.Skip(err)
		}
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
	_, err := Open(dir, &Options{OnCorruption: Quarantine, Logger: discard})
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
	if err := os.Symlink(target, filepath.Join(dir, logName)); err != nil {
		t.Skip(err)
	}
	segments, err := filepath.Glob(filepath.Join(target, "*.log"))
	if err != nil || len(segments) == 0 {
		t.Fatal("no segments", err)
	}
	flip(t, segments[0], "r1", 0) // of the first value in the log that is not in the tree
	db := mustOpen(t, dir, &Options{OnCorruption: Quarantine, Logger: discard})
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
	for round := range 30 {
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

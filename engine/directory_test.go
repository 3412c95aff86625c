// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
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
	follower, err := Follow("data", daybook.Pattern{}, daybook.Cursor{})
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		t.Fatal(err)
	}
	if err := os.Chdir(there); err != nil { // t.Chdir has seen to the way back
		t.Fatal(err)
	}
	fillSegments(t, db)
	if follower != nil {
		events, err := readEvents(follower)
		if err != nil || len(events) == 0 || slices.ContainsFunc(events, isFromElsewhere) {
			t.Errorf("the follower read %v, error %v; want values of \"here\"", events, err)
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

func isFromElsewhere(e daybook.Event) bool { return e.RecordName != "here" }

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
	t.Parallel()
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
			err := errors.Join(db.Checkpoint(ctx), db.withTurn(ctx, beginCopy), db.withTurn(ctx, stepCopy))
			if err != nil {
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
func TestDirectoryDeletedIsNoticedSoon(t *testing.T) { testNoticedSoon(t, removeAll) }

// TestTreeDeletedIsNoticedSoon deletes the tree's file alone.
func TestTreeDeletedIsNoticedSoon(t *testing.T) {
	testNoticedSoon(t, func(dir string) error { return os.Remove(filepath.Join(dir, TreeFile)) })
}

func testNoticedSoon(t *testing.T, remove func(dir string) error) {
	needsRename(t)
	dir := filepath.Join(testenv.TempDir(t), "data")
	db := mustOpen(t, dir, &Options{Logger: discard})
	mustStore(t, db, "a", "1", 1)
	if err := remove(dir); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); time.Since(start) < time.Minute; time.Sleep(10 * time.Millisecond) {
		if err := db.Store(ctx, "a", []byte("1"), 1); err != nil {
			wantFailed(t, "Store", err, dir)
			if time.Since(start) > 40*time.Second {
				t.Errorf("the deletion was noticed after %v", time.Since(start))
			}
			wantFailed(t, "Close", db.Close(), dir)
			return
		}
	}
	t.Error("values are still acknowledged after a minute")
}

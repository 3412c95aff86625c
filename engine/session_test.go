// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// A lostLog is a directory that a killed process left, with several segments in its log.
type lostLog struct {
	name  string
	make  func(t *testing.T, dir string) *DB // the process, to be killed
	state string                             // why it is here
}

// storeLarge stores n values that fill about a segment each.
func storeLarge(t *testing.T, db *DB, n int) {
	t.Helper()
	for range n {
		at := db.heads.last() + 1
		mustStore(t, db, "r", fmt.Sprintf(`"%d %s"`, at, strings.Repeat("x", 240<<10)), at)
	}
}

func openLostLog(t *testing.T, dir string) *DB { return mustOpen(t, dir, &Options{Logger: discard}) }

var lostLogs = []lostLog{
	{"first", func(t *testing.T, dir string) *DB {
		db := openLostLog(t, dir)
		storeLarge(t, db, 3)
		return db
	}, "no checkpoint was ever made"},
	{"checkpoint", func(t *testing.T, dir string) *DB {
		db := openLostLog(t, dir)
		storeLarge(t, db, 2)
		if err := db.Checkpoint(ctx); err != nil {
			t.Fatal(err)
		}
		storeLarge(t, db, 2)
		return db
	}, "the tree has values of the active segment"},
	{"one value", func(t *testing.T, dir string) *DB {
		db := openLostLog(t, dir)
		storeNumbered(t, db, 1, 5)
		mustClose(t, db)
		db = openLostLog(t, dir)
		storeNumbered(t, db, 6, 6)
		return db
	}, "the only segment has the only value that the tree lacks"},
	{"recovered", func(t *testing.T, dir string) *DB {
		db := openLostLog(t, dir)
		storeLarge(t, db, 2)
		if err := db.abandon(); err != nil {
			t.Fatal(err)
		}
		db = openLostLog(t, dir)
		storeLarge(t, db, 2)
		return db
	}, "the log has segments of two processes"},
	{"opened only", func(t *testing.T, dir string) *DB {
		db := openLostLog(t, dir)
		storeNumbered(t, db, 1, 5)
		mustClose(t, db)
		return openLostLog(t, dir)
	}, "nothing was stored, so nothing can be lost"},
}

// TestLogFilesDeleted deletes each subset of the files in wal after a kill. Either all values are
// there, or Open says that the log is damaged. With Quarantine a consumer is told that the values
// are lost that it has seen.
func TestLogFilesDeleted(t *testing.T) {
	for _, lost := range lostLogs {
		t.Run(lost.name, func(t *testing.T) {
			original := filepath.Join(testenv.DirInMemory(t), "killed")
			db := lost.make(t, original)
			stored := db.heads.last()
			seen := changesOf(t, db, daybook.Cursor{})
			if err := db.abandon(); err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(original, logName, "*"))
			if err != nil || len(files) == 0 {
				t.Fatalf("the log has %q, %v", files, err)
			}
			refused := 0
			for subset := 1; subset < 1<<len(files); subset++ {
				dir := filepath.Join(testenv.DirInMemory(t), "deleted")
				if err := os.CopyFS(dir, os.DirFS(original)); err != nil {
					t.Fatal(err)
				}
				var names []string
				for i, path := range files {
					if subset>>i&1 == 1 {
						names = append(names, filepath.Base(path))
						if err := os.Remove(filepath.Join(dir, logName, filepath.Base(path))); err != nil {
							t.Fatal(err)
						}
					}
				}
				if wantNoticed(t, dir, stored, seen, fmt.Sprintf("without %q of %d", names, len(files))) {
					refused++
				}
			}
			if none := lost.name == "opened only"; (refused == 0) != none {
				t.Errorf("%d of %d subsets were refused", refused, 1<<len(files)-1)
			}
		})
	}
}

// wantNoticed opens a directory whose log may lack values, and reports whether it is refused.
func wantNoticed(t *testing.T, dir string, stored uint64, seen []daybook.Change, what string) (refused bool) {
	t.Helper()
	db, err := Open(dir, &Options{ReadOnly: true})
	if err == nil {
		if got := uint64(len(mustQuery(t, db, "*", daybook.QueryParams{}))); got != stored {
			t.Errorf("%s: %d of %d values, and no error", what, got, stored)
		}
		mustClose(t, db)
		return false
	}
	wantCorrupt(t, what, err)
	if db, err := Open(dir, nil); !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("%s: opened for writing: %v; want ErrCorrupt", what, err)
		_ = db.Close()
	}
	db = mustOpen(t, dir, &Options{OnCorruption: OnCorruptionQuarantine, Logger: discard})
	has := changesOf(t, db, daybook.Cursor{})
	mustStore(t, db, "r", `"new"`, 1)
	left := uint64(0)
	if len(has) > 0 {
		left = has[len(has)-1].Cursor.Sequence
	}
	var fork *daybook.ForkedError
	_, err = db.resolve(seen[len(seen)-1].Cursor)
	if forked := errors.As(err, &fork); forked != (left < stored) || forked && fork.Common.Sequence != left {
		t.Errorf("%s: the last value that was seen: got %v; want the fork after %d", what, err, left)
	}
	for _, change := range changesOf(t, db, daybook.Cursor{}) {
		if before := seen[min(int(change.Cursor.Sequence), len(seen))-1]; before.Cursor == change.Cursor &&
			string(before.Value) != string(change.Value) {
			t.Errorf("%s: %v means two values", what, change.Cursor)
		}
	}
	mustClose(t, db)
	mustClose(t, mustOpen(t, dir, nil))
	return true
}

// TestOlderCopyInPlace writes an older copy of a closed directory over its files: the same inodes,
// and with the times that the copy had.
func TestOlderCopyInPlace(t *testing.T) {
	copies := [][]string{{TreeFile}, {sessionName}, {TreeFile, sessionName}}
	if runtime.GOOS == "windows" { // which does not tell when a file was changed
		copies = copies[:2]
	}
	for _, names := range copies {
		t.Run(fmt.Sprint(names), func(t *testing.T) {
			dir := filepath.Join(testenv.TempDir(t), "daybook")
			db := mustOpen(t, dir, nil)
			storeNumbered(t, db, 1, 10)
			mustClose(t, db)
			older := map[string]string{}
			times := map[string]time.Time{}
			for _, name := range names {
				data, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				info, err := os.Stat(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				older[name], times[name] = string(data), info.ModTime()
			}
			db = mustOpen(t, dir, nil)
			storeNumbered(t, db, 11, 20)
			seen := db.cursorAt(20)
			mustClose(t, db)
			for name, data := range older {
				path := filepath.Join(dir, name)
				file, err := os.OpenFile(path, os.O_RDWR, 0)
				if err != nil {
					t.Fatal(err)
				}
				_, err = file.WriteAt([]byte(data), 0)
				if err := errors.Join(err, file.Truncate(int64(len(data))), file.Close(),
					os.Chtimes(path, times[name], times[name])); err != nil {
					t.Fatal(err)
				}
			}
			db = mustOpen(t, dir, nil)
			storeNumbered(t, db, 1011, 1030)
			_, err := db.resolve(seen)
			var fork *daybook.ForkedError
			if names[0] == sessionName {
				if err != nil {
					t.Errorf("got %v; want no fork: all values are there", err)
				}
			} else if !errors.As(err, &fork) || fork.Common.Sequence != 10 {
				t.Errorf("got %v; want the fork after 10", err)
			}
		})
	}
}

// TestOlderCopyOfUnusedEpoch writes an older tree over a closed one, whose last epoch had no value
// yet. Values were stored in that epoch since, and in the next one.
func TestOlderCopyOfUnusedEpoch(t *testing.T) {
	dir := filepath.Join(testenv.TempDir(t), "daybook")
	path := filepath.Join(dir, TreeFile)
	db := mustOpen(t, dir, nil)
	storeNumbered(t, db, 1, 10)
	abandon := func() {
		t.Helper()
		if err := db.abandon(); err != nil {
			t.Fatal(err)
		}
	}
	abandon()
	mustClose(t, mustOpen(t, dir, nil)) // the epoch begins
	older, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, dir, nil)
	storeNumbered(t, db, 11, 20)
	seen := db.cursorAt(15)
	abandon()
	db = mustOpen(t, dir, nil)
	storeNumbered(t, db, 21, 25)
	mustClose(t, db)
	write(t, path, string(older))
	db = mustOpen(t, dir, nil)
	storeNumbered(t, db, 1011, 1020)
	var fork *daybook.ForkedError
	if _, err := db.resolve(seen); !errors.As(err, &fork) || fork.Common.Sequence != 10 {
		t.Errorf("got %v; want the fork after 10", err)
	}
}

// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestSessionOfOthers opens undamaged directories whose session file tells less than it could, or
// is out of date because a process without sessions has opened the directory since.
func TestSessionOfOthers(t *testing.T) {
	session := func(dir string) string { return filepath.Join(dir, sessionName) }
	for _, test := range []struct {
		name   string // of what happens to the file
		change func(t *testing.T, dir string)
	}{
		{"removed", func(t *testing.T, dir string) { _ = os.Remove(session(dir)) }},
		{"empty", func(t *testing.T, dir string) { write(t, session(dir), "") }},
		{"zeros", func(t *testing.T, dir string) { write(t, session(dir), strings.Repeat("\x00", sessionLen)) }},
		{"damaged", func(t *testing.T, dir string) { flip(t, session(dir), "DAYBKSES", 1) }},
		{"from before another process", func(t *testing.T, dir string) {
			before, err := os.ReadFile(session(dir))
			if err := errors.Join(err, os.Remove(session(dir))); err != nil {
				t.Fatal(err)
			}
			db := mustOpen(t, dir, nil)
			storeNumbered(t, db, 11, 15)
			mustClose(t, db)
			write(t, session(dir), string(before))
		}},
	} {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, killed %v", test.name, killed), func(t *testing.T) {
				dir := filepath.Join(testenv.TempDir(t), "daybook")
				db := mustOpen(t, dir, nil)
				storeNumbered(t, db, 1, 5)
				if err := db.Checkpoint(ctx); err != nil {
					t.Fatal(err)
				}
				storeNumbered(t, db, 6, 10)
				seen := db.cursorAt(10)
				if killed {
					if err := db.abandon(); err != nil {
						t.Fatal(err)
					}
				}
				mustClose(t, db)
				test.change(t, dir)
				mustClose(t, mustOpen(t, dir, &Options{ReadOnly: true}))
				for range 3 {
					db = mustOpen(t, dir, nil)
					if after, err := db.resolve(seen); after != 10 || err != nil {
						t.Errorf("the last cursor: got %d, %v; want 10", after, err)
					}
					mustStore(t, db, "new", "1", 1)
					mustClose(t, db)
				}
			})
		}
	}
}

// TestSessionSyncFails loses what was written to the session's file when a sync of it fails once,
// as the operating system does that takes the page for clean then. A later sync succeeds, and
// writes nothing. The log must not be released because of that.
func TestSessionSyncFails(t *testing.T) {
	dir := filepath.Join(testenv.TempDir(t), "daybook")
	db, fsys := openFaulty(t, dir, Options{})
	path := filepath.Join(dir, sessionName)
	storeLarge(t, db, 3)
	if err := db.session.Sync(); err != nil {
		t.Fatal(err)
	}
	durable, err := os.ReadFile(path) // what a power cut leaves
	if err != nil {
		t.Fatal(err)
	}
	storeLarge(t, db, 1)
	db.heads.freeze()
	storeLarge(t, db, 2) // a second head, which is posted after the failure
	failed, written := false, true
	fsys.SetHook(func(op faultfs.Op) error {
		if filepath.Base(op.Path) != sessionName {
			return nil
		}
		switch {
		case op.Name == faultfs.Write:
			written = true
		case op.Name == faultfs.Sync && !failed:
			failed, written = true, false
			return syscall.EIO
		case op.Name == faultfs.Sync && written:
			durable = nil
		}
		return nil
	})
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	db.log.RemoveReleased() // as a deletion does to make room
	err = db.Store(ctx, "r", json.RawMessage("1"), 1)
	if !errors.Is(err, daybook.ErrFailed) || !errors.Is(err, syscall.EIO) {
		t.Errorf("Store after a failed sync: got %v; want ErrFailed", err)
	}
	fsys.SetHook(nil)
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	if durable != nil {
		write(t, path, string(durable))
	}
	db = mustOpen(t, dir, nil)
	if got := len(mustQuery(t, db, "*", daybook.QueryParams{})); got != 6 {
		t.Errorf("got %d values; want 6", got)
	}
	mustStore(t, db, "r", "1", 1)
}

// TestSessionOnFullDisk opens a directory whose session was being created when the power failed,
// on a disk that has become full.
func TestSessionOnFullDisk(t *testing.T) {
	dir := filepath.Join(testenv.TempDir(t), "daybook")
	db := mustOpen(t, dir, nil)
	storeNumbered(t, db, 1, 5)
	mustClose(t, db)
	path := filepath.Join(dir, sessionName)
	write(t, path, "")
	opts, err := (&Options{Logger: discard}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	fsys := faultfs.NewSystem(disk.OS{})
	fsys.SetHook(func(op faultfs.Op) error {
		if filepath.Base(op.Path) == sessionName && op.Name == faultfs.Write {
			return faultfs.ErrDiskFull
		}
		return nil
	})
	db, err = open(dir, opts, fsys)
	if err != nil {
		t.Fatalf("Open: got %v; want no error, as where the file cannot be created", err)
	}
	storeNumbered(t, db, 6, 10)
	mustClose(t, db)
	db = mustOpen(t, dir, nil)
	if got := len(mustQuery(t, db, "*", daybook.QueryParams{})); got != 10 {
		t.Errorf("got %d values; want 10", got)
	}
}

// TestSessionBeforeOlderVersion cuts the power in the first Store of an epoch: the session names a
// segment whose header is not durable yet. Then an earlier version of the program, which knows of
// no session, opens the directory, stores, and closes it.
func TestSessionBeforeOlderVersion(t *testing.T) {
	for _, before := range []struct {
		name string
		make func(t *testing.T, dir string)
	}{
		{"new", func(t *testing.T, dir string) { mustClose(t, mustOpen(t, dir, nil)) }},
		{"closed", func(t *testing.T, dir string) {
			db := mustOpen(t, dir, nil)
			storeNumbered(t, db, 1, 5)
			mustClose(t, db)
		}},
		{"killed", func(t *testing.T, dir string) {
			db := mustOpen(t, dir, nil)
			storeNumbered(t, db, 1, 5)
			if err := db.abandon(); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		for _, stores := range []int{0, 3} {
			t.Run(fmt.Sprintf("%s, %d values", before.name, stores), func(t *testing.T) {
				dir := filepath.Join(testenv.TempDir(t), "daybook")
				before.make(t, dir)
				found := t.TempDir() // nothing of it is posted or released yet when the power fails
				if err := os.CopyFS(found, os.DirFS(dir)); err != nil {
					t.Fatal(err)
				}
				db := mustOpen(t, dir, nil)
				last := db.heads.last()
				mustStore(t, db, "r", "1", 1)
				number := db.session.now.segment
				if err := db.abandon(); err != nil {
					t.Fatal(err)
				}
				for _, path := range globs(t, found, TreeFile, logName+"/*") {
					data, err := os.ReadFile(path)
					if err != nil {
						t.Fatal(err)
					}
					rest, _ := filepath.Rel(found, path)
					write(t, filepath.Join(dir, rest), string(data))
				}
				unprepare(t, dir, number)
				session, err := os.ReadFile(filepath.Join(dir, sessionName))
				if err := errors.Join(err, os.Remove(filepath.Join(dir, sessionName))); err != nil {
					t.Fatal(err)
				}
				db = mustOpen(t, dir, nil)
				if got := db.heads.last(); got != last {
					t.Fatalf("the test left the values up to %d; want %d", got, last)
				}
				for range stores {
					mustStore(t, db, "r", "2", 2)
				}
				mustClose(t, db)
				write(t, filepath.Join(dir, sessionName), string(session))
				db = mustOpen(t, dir, nil)
				if got := len(mustQuery(t, db, "*", daybook.QueryParams{})); uint64(got) != last+uint64(stores) {
					t.Errorf("got %d values; want %d", got, last+uint64(stores))
				}
			})
		}
	}
}

// TestSessionOfAnotherProgram opens a directory in which another program keeps a file of that name.
// No version of daybook made it, and it stays as it is.
func TestSessionOfAnotherProgram(t *testing.T) {
	for _, content := range []string{"user=me", `{"user": "me", "token": "` + strings.Repeat("x", 200) + `"}`} {
		dir := filepath.Join(testenv.TempDir(t), "daybook")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, sessionName), content)
		for n := range 3 {
			db := mustOpen(t, dir, &Options{Logger: discard})
			storeNumbered(t, db, 2*n+1, 2*n+2)
			if n == 1 {
				if err := db.abandon(); err != nil {
					t.Fatal(err)
				}
			}
			mustClose(t, db)
		}
		db := mustOpen(t, dir, &Options{ReadOnly: true, Logger: discard})
		if got := len(mustQuery(t, db, "*", daybook.QueryParams{})); got != 6 {
			t.Errorf("got %d values; want 6", got)
		}
		if got, err := os.ReadFile(filepath.Join(dir, sessionName)); string(got) != content || err != nil {
			t.Errorf("the file has %q, %v; want what the other program wrote", got, err)
		}
	}
}

// TestStatsBesideSessionSync calls Stats and Store while a checkpoint waits for a sync of the file.
func TestStatsBesideSessionSync(t *testing.T) {
	db, fsys := openFaulty(t, filepath.Join(testenv.TempDir(t), "daybook"), Options{MaxSize: 64 << 20})
	storeLarge(t, db, 3)
	syncing, goOn := make(chan struct{}), make(chan struct{})
	fsys.SetHook(func(op faultfs.Op) error {
		if filepath.Base(op.Path) == sessionName && op.Name == faultfs.Sync {
			close(syncing)
			<-goOn
		}
		return nil
	})
	done := make(chan error, 1)
	go func() { done <- db.Checkpoint(ctx) }()
	<-syncing
	called := make(chan error, 1)
	go func() {
		_, err := db.Stats(ctx)
		called <- errors.Join(err, db.Store(ctx, "r", json.RawMessage("1"), 1))
	}()
	select {
	case err := <-called:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("Stats and Store wait for the sync")
	}
	fsys.SetHook(nil)
	close(goOn)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// globs returns the files in dir that match one of patterns.
func globs(t *testing.T, dir string, patterns ...string) (paths []string) {
	t.Helper()
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	return paths
}

// unprepare puts back the segment with a number as it was before its first frame.
func unprepare(t *testing.T, dir string, number uint64) {
	t.Helper()
	path := filepath.Join(dir, logName, fmt.Sprintf("%020d.log", number))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(data[24:32]) // the first sequence number
	binary.LittleEndian.PutUint32(data[40:], crc32.Checksum(data[:40], codec.Castagnoli))
	clear(data[44:100])
	binary.LittleEndian.PutUint32(data[100:], crc32.Checksum(data[:100], codec.Castagnoli))
	clear(data[104:])
	write(t, path, string(data))
}

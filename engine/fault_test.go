// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// openFaulty opens a store on a file system with a hook.
func openFaulty(t *testing.T, dir string, opts Options) (*DB, *faultfs.System) {
	t.Helper()
	opts.Logger = discard
	opts, err := opts.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	fsys := faultfs.NewSystem(disk.OS{})
	db, err := open(dir, opts, fsys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.abandon() })
	return db, fsys
}

func inLog(op faultfs.Op) bool { return strings.HasSuffix(op.Path, ".log") }

// TestFailedSyncFailsWrites shows that after a failed fdatasync writes fail until the store is
// opened again, that reads go on, and that no acknowledged value is lost.
func TestFailedSyncFailsWrites(t *testing.T) {
	dir := t.TempDir()
	db, fsys := openFaulty(t, dir, Options{})
	mustStore(t, db, "r", "1", 1)
	var failing atomic.Bool
	failing.Store(true)
	fsys.SetHook(func(op faultfs.Op) error {
		if failing.Load() && op.Name == faultfs.Sync && inLog(op) {
			return syscall.EIO
		}
		return nil
	})
	if err := db.Store(ctx, "r", json.RawMessage("2"), 2); !errors.Is(err, syscall.EIO) {
		t.Fatalf("Store over a failing sync: got %v; want EIO", err)
	}
	failing.Store(false) // the disk says that it is well again, but what it lost is lost
	if err := db.Store(ctx, "r", json.RawMessage("3"), 3); !errors.Is(err, daybook.ErrFailed) ||
		!strings.Contains(err.Error(), "opened again") {
		t.Errorf("Store after a failed sync: got %v; want ErrFailed, which says to open again", err)
	}
	wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), row{"r", "1", 1})
	if err := db.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	again := mustOpen(t, dir, nil)
	wantRows(t, mustQuery(t, again, "*", daybook.QueryParams{}), row{"r", "1", 1})
	mustStore(t, again, "r", "4", 4)
}

// TestNoSpaceForTheLog shows that Store returns ErrNoSpace when the log cannot grow, that no value
// of the batch is stored, and that storing works again once there is room.
func TestNoSpaceForTheLog(t *testing.T) {
	dir := t.TempDir()
	db, fsys := openFaulty(t, dir, Options{})
	mustStore(t, db, "r", "1", 1)
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.Create && inLog(op) {
			return faultfs.ErrDiskFull
		}
		return nil
	})
	big := json.RawMessage(`"` + strings.Repeat("x", 8<<20) + `"`) // larger than any segment that is ready
	batch := []daybook.StoredValue{{RecordName: "small", Value: json.RawMessage("1"), StoredAt: 2},
		{RecordName: "r", Value: big, StoredAt: 2}}
	for range 3 {
		if err := db.StoreBatch(ctx, batch); !errors.Is(err, daybook.ErrNoSpace) {
			t.Fatalf("StoreBatch on a full disk: got %v; want ErrNoSpace", err)
		}
	}
	wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), row{"r", "1", 1})
	mustStore(t, db, "r", "3", 3) // what fits into the segment that is there does
	fsys.SetHook(nil)
	if err := db.StoreBatch(ctx, batch); err != nil {
		t.Fatalf("StoreBatch once there is room: %v", err)
	}
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	again := mustOpen(t, dir, nil)
	wantRows(t, mustQuery(t, again, "r", daybook.QueryParams{}), row{"r", "3", 3}, row{"r", string(big), 2},
		row{"r", "1", 1})
}

// TestDirectoryIsDurable fails the sync of the directory above, and then that of the directory. The
// next Open finds both directories, and makes them durable before it acknowledges anything.
func TestDirectoryIsDurable(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "store")
	opts, err := (&Options{Logger: discard}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	fsys := faultfs.NewSystem(disk.OS{})
	for _, failing := range []string{parent, dir} {
		fsys.SetHook(func(op faultfs.Op) error {
			if op.Name == faultfs.SyncDir && op.Path == failing {
				return syscall.EIO
			}
			return nil
		})
		if _, err := open(dir, opts, fsys); !errors.Is(err, syscall.EIO) {
			t.Fatalf("Open where %s cannot be synced: got %v; want EIO", failing, err)
		}
	}
	var mu sync.Mutex // the log prepares its next segment in a goroutine of its own
	var synced []string
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.SyncDir {
			mu.Lock()
			defer mu.Unlock()
			synced = append(synced, op.Path)
		}
		return nil
	})
	db, err := open(dir, opts, fsys)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{parent, dir} {
		if !slices.Contains(synced, want) {
			t.Errorf("Open synced %q, but not %s", synced, want)
		}
	}
}

// TestDirectoryAboveCannotBeSynced opens a directory below a file system that cannot sync
// directories, for example a read-only one.
func TestDirectoryAboveCannotBeSynced(t *testing.T) {
	parent := t.TempDir()
	opts, err := (&Options{Logger: discard}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	fsys := faultfs.NewSystem(disk.OS{})
	for _, errno := range []syscall.Errno{syscall.EINVAL, syscall.ENOTSUP, syscall.EROFS, syscall.EACCES} {
		fsys.SetHook(func(op faultfs.Op) error {
			if op.Name == faultfs.SyncDir && op.Path == filepath.Dir(parent) {
				return errno
			}
			return nil
		})
		db, err := open(filepath.Join(parent, "of "+errno.Error()), opts, fsys)
		if err != nil {
			t.Errorf("Open: %v; want no error for a directory of another file system", err)
			continue
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestOpenWithoutSpace fails each operation of Open that may need space.
func TestOpenWithoutSpace(t *testing.T) {
	opts, err := (&Options{Logger: discard}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	fsys := faultfs.NewSystem(disk.OS{})
	for _, name := range []string{faultfs.Mkdir, faultfs.SyncDir} {
		fsys.SetHook(func(op faultfs.Op) error {
			if op.Name == name {
				return faultfs.ErrDiskFull
			}
			return nil
		})
		if _, err := open(filepath.Join(t.TempDir(), "store"), opts, fsys); !errors.Is(err, daybook.ErrNoSpace) {
			t.Errorf("Open where there is no space for %s: got %v; want ErrNoSpace", name, err)
		}
	}
}

// TestFailedWriteLeavesNothing shows that frames of a failed write never come back, although all
// their bytes have reached the file.
func TestFailedWriteLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	db, fsys := openFaulty(t, dir, Options{})
	mustStore(t, db, "r", "1", 1)
	var failures atomic.Int64
	fsys.SetHook(func(op faultfs.Op) error {
		// The log prepares the next segment in another goroutine; its header does not count.
		if op.Name == faultfs.Write && inLog(op) && !strings.HasSuffix(op.Path, ".new.log") && failures.Add(1) == 1 {
			return &faultfs.PartialError{Written: len(op.Data), Err: faultfs.ErrDiskFull}
		}
		return nil
	})
	if err := db.Store(ctx, "r", json.RawMessage("2"), 2); !errors.Is(err, daybook.ErrNoSpace) {
		t.Fatalf("Store: got %v; want ErrNoSpace", err)
	}
	mustStore(t, db, "r", "3", 3)
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	again := mustOpen(t, dir, nil)
	wantRows(t, mustQuery(t, again, "*", daybook.QueryParams{}), row{"r", "3", 3}, row{"r", "1", 1})
}

// TestReserve shows that the reserve exists after Open, and that Open makes it again when a crash
// has left a short one.
func TestReserve(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, nil)
	mustClose(t, db)
	path := filepath.Join(dir, reserveName)
	write(t, path, "short")
	again := mustOpen(t, dir, nil)
	if data, err := os.ReadFile(path); err != nil || len(data) != reserveSize {
		t.Errorf("the reserve has %d bytes, %v; want %d", len(data), err, reserveSize)
	}
	if !again.reserve.release() || again.reserve.release() {
		t.Error("the reserve must be released once")
	}
	again.reserve.take()
	if got := again.reserve.size(); got != reserveSize {
		t.Errorf("the reserve taken back has %d bytes; want %d", got, reserveSize)
	}
}

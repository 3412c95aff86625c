// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// limitEnv tells a test that it is the process whose limits it may set.
const limitEnv = "DAYBOOK_TEST_LIMIT"

// inChild runs the test in a process of its own. It reports false in that process.
func inChild(t *testing.T) bool {
	t.Helper()
	if os.Getenv(limitEnv) != "" {
		return false
	}
	for attempt := 1; ; attempt++ {
		child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		child.Env = append(os.Environ(), limitEnv+"=1")
		out, err := child.CombinedOutput()
		// A limit of memory may end Go's runtime before anything of the daybook meets it.
		if err != nil && endedByRuntime(out) && attempt < 5 {
			continue
		}
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return true
	}
}

// endedByRuntime reports whether the output is that of a process that Go's runtime ended because it
// got no memory or no thread.
func endedByRuntime(out []byte) bool {
	return bytes.Contains(out, []byte("\nruntime stack:")) ||
		bytes.Contains(out, []byte("runtime/cgo: pthread_create failed"))
}

// limitTo sets one of the process's limits.
func limitTo(t *testing.T, resource int, limit uint64) {
	t.Helper()
	var old unix.Rlimit
	err := unix.Getrlimit(resource, &old)
	if err == nil {
		err = unix.Setrlimit(resource, &unix.Rlimit{Cur: limit, Max: old.Max})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFileSizeLimit stores until no file may become longer, as with ulimit -f, and as on FAT at 4
// GiB. That is a full disk: reads go on, Cleanup makes room, and Store works again.
func TestFileSizeLimit(t *testing.T) {
	if inChild(t) {
		return
	}
	db := mustOpen(t, testenv.TempDir(t), &Options{Logger: discard, Tuning: Tuning{HeadSize: 256 << 10}})
	limitTo(t, unix.RLIMIT_FSIZE, 3<<20)
	stored := 0
	var err error
	for ; err == nil && stored < 10_000; stored++ {
		err = db.Store(ctx, fmt.Sprintf("r%d", stored%100), json.RawMessage(`"`+digits(4000)+`"`), uint64(stored))
	}
	if !errors.Is(err, daybook.ErrNoSpace) || errors.Is(err, daybook.ErrFailed) {
		t.Fatalf("after %d stores: %v; want ErrNoSpace", stored, err)
	}
	stored--
	wantCount(t, db, stored)
	if deleted, err := db.Cleanup(ctx, uint64(stored/2)); int(deleted) != stored/2 || err != nil {
		t.Fatalf("Cleanup deleted %d, %v; want %d", deleted, err, stored/2)
	}
	mustStore(t, db, "again", "1", uint64(stored))
	mustClose(t, db)
}

// TestAddressSpaceLimit stores until the tree's file cannot be mapped any more. That is a failure
// like that of a disk. With more address space everything is there that was acknowledged.
func TestAddressSpaceLimit(t *testing.T) {
	if testenv.Race || inChild(t) { // the race detector ends the program for want of address space
		return
	}
	takeAddressSpace()
	takeThreads()
	dir := testenv.TempDir(t)
	opts := &Options{Durability: DurabilityOS, Logger: discard, Tuning: Tuning{HeadSize: 256 << 10},
		OnCorruption: OnCorruptionQuarantine}
	limitTo(t, unix.RLIMIT_AS, addressSpace(t)+24<<20)
	db, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	stored := 0
	for ; err == nil && stored < 40_000; stored++ {
		err = db.Store(ctx, fmt.Sprintf("r%d", stored%100), json.RawMessage(`"`+digits(4000)+`"`), uint64(stored))
	}
	stored--
	_, queried := db.Query(ctx, "*", daybook.Latest(1))
	closed := db.Close()
	_, opened := Open(dir, opts)
	for name, err := range map[string]error{"Store": err, "Query": queried, "Close": closed, "Open": opened} {
		if !errors.Is(err, daybook.ErrFailed) || errors.Is(err, daybook.ErrCorrupt) {
			t.Errorf("%s after %d stores: %v; want ErrFailed", name, stored, err)
		}
	}
	limitTo(t, unix.RLIMIT_AS, unix.RLIM_INFINITY)
	wantCount(t, mustOpen(t, dir, opts), stored)
}

// takeAddressSpace makes Go's runtime take address space, which it keeps. So the runtime does not
// end the program for want of it.
func takeAddressSpace() {
	for range 3 {
		heap := make([]byte, 512<<20)
		runtime.KeepAlive(heap)
		runtime.GC()
	}
}

// takeThreads makes Go's runtime begin more threads than the test needs, and keep them. Each takes
// megabytes of address space for its stack.
func takeThreads() {
	const threads = 16
	var begun, ended sync.WaitGroup
	begun.Add(threads)
	for range threads {
		ended.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread() // the thread stays, for other goroutines
			begun.Done()
			begun.Wait()
		})
	}
	ended.Wait()
}

// addressSpace returns the number of bytes of the process's address space that are in use.
func addressSpace(t *testing.T) (bytes uint64) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(status), &bytes) // pages
	}
	if err != nil {
		t.Fatal(err)
	}
	return bytes * uint64(os.Getpagesize())
}

// TestBackupUnwritable backs up a directory that may only be read, as a user who may not write to
// it.
func TestBackupUnwritable(t *testing.T) {
	dir := testenv.DirInMemory(t)
	db := mustOpen(t, dir, nil)
	storeInTreeAndLog(t, db)
	want := storedOrder(t, db)
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	makeReadOnly(t, dir)
	var backup []byte
	asNobody(t, func() {
		if file, err := os.Create(filepath.Join(dir, "new")); err == nil {
			_ = file.Close()
			t.Error("the directory can be written to")
		}
		reading, err := Open(dir, &Options{ReadOnly: true})
		if err != nil {
			t.Error(err)
			return
		}
		backup = mustBackup(t, reading)
		mustClose(t, reading)
	})
	if !t.Failed() {
		wantRestored(t, backup, want)
	}
}

// makeReadOnly takes away the right to write to a directory, until the test ends, and gives all
// users the right to read it.
func makeReadOnly(t *testing.T, dir string) {
	t.Helper()
	set := func(directory, file fs.FileMode) {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				return os.Chmod(path, directory)
			}
			return errors.Join(err, os.Chmod(path, file))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	set(0o555, 0o444)
	t.Cleanup(func() { set(0o755, 0o644) })
}

// nobody is the number of a user, and of a group, without rights.
const nobody = 65534

// asNobody calls fn as a user without rights, if the test runs as root. The user is that of one
// thread, so fn must open files itself.
func asNobody(t *testing.T, fn func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		fn()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setfsuid(nobody); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Setfsuid(0) }()
	fn()
}

// TestDirectoryCannotBeLookedUp takes away the permission to look up the path of an open daybook,
// as a program does that gives up its rights. Nothing is known then, so stores must go on.
func TestDirectoryCannotBeLookedUp(t *testing.T) {
	parent := testenv.DirInMemory(t)
	if os.Geteuid() == 0 { // root may look up every path
		err := errors.Join(os.Chown(parent, nobody, nobody), syscall.Seteuid(nobody)) // of all threads
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := syscall.Seteuid(0); err != nil {
				t.Error(err)
			}
		})
	}
	dir := filepath.Join(parent, "data")
	db := mustOpen(t, dir, nil)
	if err := os.Chmod(parent, 0); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(parent, 0o700) }()
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrPermission) {
		t.Fatalf("the path can be looked up: %v", err)
	}
	fillSegments(t, db)
	if err := errors.Join(db.Checkpoint(ctx), db.Compact(ctx), db.Close()); err != nil {
		t.Error(err)
	}
}

// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/proof/testenv"
)

// makeShared returns the path of a tree with one round, and options with which readers of it give
// way.
func makeShared(t *testing.T) (path string, opts Options) {
	t.Helper()
	dir := testenv.TempDir(t)
	path = filepath.Join(dir, "tree")
	tree := mustOpen(t, path)
	mustPost(t, tree, 0)
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	opts = options()
	opts.Directory = dir
	return path, opts
}

func openReader(t *testing.T, path string, opts Options) *Tree {
	t.Helper()
	opts.ReadOnly = true
	tree, err := openAt(t, path, opts)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// waitUntil waits until a condition holds.
func waitUntil(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// TestReaderGivesWay opens a tree for writing while readers have it open, one of them in the middle
// of a snapshot. The writer must get it, and whatever the readers do next must fail with ErrLocked.
func TestReaderGivesWay(t *testing.T) {
	t.Parallel()
	path, opts := makeShared(t)
	reader, other := openReader(t, path, opts), openReader(t, path, opts)
	s, err := reader.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	s.Seek("record.000", codec.All)
	if _, err := s.Next(); err != nil {
		t.Fatal(err)
	}
	backup, err := reader.Backup()
	if err != nil {
		t.Fatal(err)
	}
	during := reader.Lease().Context(ctx)
	if err := during.Err(); err != nil {
		t.Errorf("the context of a lease before it ends: %v", err)
	}
	var writer *Tree
	testenv.EndsWithin(t, time.Minute, func() { writer, err = openAt(t, path, opts) })
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Next":                 func() error { return nextOf(s) },
		"Next once more":       func() error { return nextOf(s) },
		"Snapshot":             func() error { return second(reader.Snapshot()) },
		"State of another one": func() error { _, err := other.State(); return err },
		"Context":              during.Err,
		"a backup":             func() error { _, err := io.ReadAll(backup.Reader()); return err },
	} {
		if err := call(); !errors.Is(err, daybook.ErrLocked) {
			t.Errorf("%s of a reader that gave way: got %v; want ErrLocked", name, err)
		}
	}
	if !reader.Lease().reading.TryLock() {
		t.Error("a call that the ended lease refused keeps its lock")
	} else {
		reader.Lease().reading.Unlock()
	}
	wantNoSign(t, opts.Directory)
	mustPost(t, writer, 1)
	s.Close()
	backup.Close()
	for _, r := range []*Tree{reader, other} {
		sign := r.Lease().sign
		if err := r.Close(); err != nil {
			t.Errorf("Close of a reader that gave way: %v", err)
		}
		if _, err := sign.Stat(); err == nil {
			t.Error("after Close the file where the reader looks for the sign is open")
		}
	}
	wantRounds(t, writer, 2)
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
}

func nextOf(s *Snapshot) error { _, err := s.Next(); return err }

func wantNoSign(t *testing.T, path string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if disk.IsLockedByAnother(file, disk.OfSign) {
		t.Error("the sign is still shown")
	}
}

// TestLeaseOutlivesShortSigns shows the sign again and again, each time for less than the grace. A
// reader must not give way to writers that are content, or that gave up. A busy machine may show a
// sign for longer than the test asks for, so one of several readers must go on.
func TestLeaseOutlivesShortSigns(t *testing.T) {
	t.Parallel()
	for range 10 {
		if outlivesShortSigns(t) {
			return
		}
	}
	t.Error("no lease went on after several short signs")
}

// outlivesShortSigns reports whether the lease of a reader goes on after several short signs.
func outlivesShortSigns(t *testing.T) bool {
	t.Helper()
	path, opts := makeShared(t)
	reader := openReader(t, path, opts)
	defer func() {
		if err := reader.Close(); err != nil {
			t.Error(err)
		}
	}()
	for range 7 {
		sign := reader.raiseSign()
		time.Sleep(2 * signInterval)
		sign.lower()
		time.Sleep(2 * signInterval)
	}
	_, err := reader.State()
	if err != nil && !errors.Is(err, daybook.ErrLocked) {
		t.Errorf("after several short signs: %v", err)
	}
	return err == nil && !reader.Lease().wanted.Load()
}

// TestWriterWaitsForGrace compares the time that a writer waits for readers with what a reader
// needs to give way.
func TestWriterWaitsForGrace(t *testing.T) {
	if 10*(signInterval+grace) > maxReaderWait {
		t.Errorf("readers give way after %v; a writer waits for only %v", signInterval+grace, maxReaderWait)
	}
}

// TestLeaseWaitsForAStep lets a writer wait while a reader reads. The lock may be released only
// when that step has ended, because the writer overwrites what the reader reads.
func TestLeaseWaitsForAStep(t *testing.T) {
	t.Parallel()
	path, opts := makeShared(t)
	reader := openReader(t, path, opts)
	defer reader.Close()
	l := reader.Lease()
	if err := l.begin(); err != nil {
		t.Fatal(err)
	}
	sign := reader.raiseSign()
	defer sign.lower()
	waitUntil(t, "the lease shall end", l.wanted.Load)
	other, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	time.Sleep(2 * signInterval)
	if disk.TryLock(other, disk.OfTree) {
		t.Error("the lock was released in the middle of a step")
	}
	canceled, cancel := context.WithCancel(ctx)
	if err := l.Context(canceled).Err(); !errors.Is(err, daybook.ErrLocked) {
		t.Errorf("the context in the middle of the step: got %v; want ErrLocked", err)
	}
	if cancel(); !errors.Is(l.Context(canceled).Err(), context.Canceled) {
		t.Errorf("the context after its own end: got %v", l.Context(canceled).Err())
	}
	l.end()
	waitUntil(t, "the lock is released", func() bool { return disk.TryLock(other, disk.OfTree) })
	if err := l.begin(); !errors.Is(err, daybook.ErrLocked) {
		t.Errorf("another step: got %v; want ErrLocked", err)
	}
}

// TestNoLease checks a reader whose directory is unknown, and a writer: neither gives way.
func TestNoLease(t *testing.T) {
	path, opts := makeShared(t)
	writer := mustOpen(t, path)
	if l := writer.Lease(); l != nil || l.Context(ctx) != ctx || l.begin() != nil {
		t.Errorf("a writer has the lease %v; want none, with which everything may go on", l)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	opts.Directory = filepath.Join(opts.Directory, "missing")
	reader := openReader(t, path, opts)
	if _, err := reader.State(); err != nil {
		t.Error(err)
	}
	testenv.EndsWithin(t, time.Minute, func() {
		if err := reader.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestReaderWaitsForTheSign opens a reader while a writer is about to open the tree. The reader
// waits as long as it may.
func TestReaderWaitsForTheSign(t *testing.T) {
	t.Parallel()
	path, opts := makeShared(t)
	opts.ReadOnly = true
	waiting := &Tree{mapped: mappedFile{fs: openDirectory(t, opts.Directory), path: path}, opts: opts}
	sign := waiting.raiseSign()
	if _, err := openAt(t, path, opts); !errors.Is(err, daybook.ErrLocked) {
		t.Errorf("Open while the sign is shown: got %v; want ErrLocked", err)
	}
	const shown = 60 * time.Millisecond
	begin := time.Now()
	time.AfterFunc(shown, sign.lower)
	opts.LockTimeout = time.Minute
	reader, err := openAt(t, path, opts)
	if err != nil || time.Since(begin) < shown {
		t.Fatalf("after %v: got %v; want a reader after %v", time.Since(begin), err, shown)
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestSigns shows two signs in one place: the second is shown as soon as the first is lowered, and
// one that never was can be lowered.
func TestSigns(t *testing.T) {
	path, opts := makeShared(t)
	tree := &Tree{mapped: mappedFile{fs: openDirectory(t, opts.Directory), path: path}, opts: opts}
	isShown := func() bool {
		file := tree.openForSign()
		defer file.Close()
		return disk.IsLockedByAnother(file, disk.OfSign)
	}
	isLowered := func(s *sign) bool {
		select {
		case <-s.lowered: // it does not wait for the sign any more
			return true
		default:
			return false
		}
	}
	first, second, third := tree.raiseSign(), tree.raiseSign(), tree.raiseSign()
	if !isShown() || !isLowered(first) || isLowered(second) || isLowered(third) {
		t.Error("want one sign shown, and two that wait for their place")
	}
	testenv.EndsWithin(t, time.Minute, third.lower)
	first.lower()
	waitUntil(t, "the second sign is shown", func() bool { return isLowered(second) })
	if !isShown() {
		t.Error("no sign is shown after the first was lowered; want the second")
	}
	second.lower()
	if isShown() {
		t.Error("a sign is shown after all were lowered")
	}
	for _, s := range []*sign{first, second, third} {
		if _, err := s.file.Stat(); err == nil {
			t.Error("the file of a lowered sign is open")
		}
	}
	if runtime.GOOS == "windows" {
		return // the sign is shown on the tree's file there
	}
	tree.opts.Directory = filepath.Join(opts.Directory, "missing")
	if s := tree.raiseSign(); s != nil {
		t.Error("a sign is shown in a directory that does not exist")
	}
}

// TestMoveSign replaces the file that the sign is shown on, where its place is the tree's file.
// Then the sign must move, because readers open the new one.
func TestMoveSign(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not rename a file that is open")
	}
	path, opts := makeShared(t)
	fsys := openDirectory(t, opts.Directory)
	opts.Directory = path // so that SignPath returns it on every system
	tree := &Tree{mapped: mappedFile{fs: fsys, path: path}, opts: opts}
	if tree.sign.isOn(fsys, path) {
		t.Error("a sign that was never raised is shown")
	}
	tree.sign = tree.raiseSign()
	first := tree.sign
	if tree.moveSign(); tree.sign != first || !first.isOn(fsys, path) {
		t.Error("the sign moved from a file that is at its place")
	}
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if first.isOn(fsys, path) {
		t.Error("a sign is shown where there is no file")
	}
	if err := os.WriteFile(path, []byte("another file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if first.isOn(fsys, path) {
		t.Error("the sign on another file is taken for one on this")
	}
	if tree.moveSign(); !tree.sign.isOn(fsys, path) {
		t.Error("the sign did not move to the new file")
	}
	if _, err := first.file.Stat(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file of the first sign: %v; want it closed", err)
	}
	moved := tree.sign
	tree.sign.lower()
	if moved.isOn(fsys, path) {
		t.Error("a lowered sign is shown")
	}
}

// TestOnlyReaders checks whom a writer waits for: readers, which give way, and nobody else.
func TestOnlyReaders(t *testing.T) {
	path, opts := makeShared(t)
	tree := &Tree{mapped: mappedFile{fs: openDirectory(t, opts.Directory), path: path}, opts: opts}
	if !tree.onlyReaders() {
		t.Error("a file that nobody has open: want true")
	}
	reader := openReader(t, path, opts)
	if !tree.onlyReaders() {
		t.Error("a file with a reader: want true")
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	writer := mustOpen(t, path)
	if tree.onlyReaders() {
		t.Error("a file with a writer: want false")
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if tree.mapped.path = path + ".missing"; tree.onlyReaders() {
		t.Error("a missing file: want false")
	}
}

// SPDX-License-Identifier: Apache-2.0

package faultfs_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// TestEveryOperationCallsTheHook does each operation of an FS once.
func TestEveryOperationCallsTheHook(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	fsys := faultfs.New(open(t, dir))
	var called []string
	fsys.SetHook(func(op faultfs.Op) error {
		called = append(called, op.Name)
		return nil
	})

	file, err := fsys.Create(a)
	check(t, err)
	_, err = file.WriteAt([]byte("daybook"), 2)
	check(t, err)
	check(t, file.Datasync())
	check(t, file.Close())
	file, err = fsys.Open(a)
	check(t, err)
	check(t, file.Close())
	check(t, fsys.Rename(a, b))
	data, err := fsys.ReadFile(b)
	check(t, err)
	start, size, err := fsys.ReadStart(b, 4)
	check(t, err)
	_, err = fsys.ReadDir(dir)
	check(t, err)
	check(t, fsys.SyncDir(dir))
	check(t, fsys.Verify())
	check(t, fsys.Remove(b))
	check(t, fsys.Mkdir(filepath.Join(dir, "c")))

	want := []string{
		faultfs.Create, faultfs.Write, faultfs.Sync, faultfs.Open, faultfs.Rename, faultfs.Read, faultfs.Read,
		faultfs.ReadDir, faultfs.SyncDir, faultfs.Verify, faultfs.Remove, faultfs.Mkdir,
	}
	if diff := cmp.Diff(want, called); diff != "" {
		t.Errorf("operations that the hook was called for (-want +got):\n%s", diff)
	}
	if string(data) != "\x00\x00daybook" || string(start) != "\x00\x00da" || size != 9 {
		t.Errorf("got data %q, start %q and size %d; want the bytes that were written", data, start, size)
	}
}

// TestAnErrorPreventsTheOperation checks the file after operations for which the hook returned an
// error.
func TestAnErrorPreventsTheOperation(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	fsys := faultfs.New(open(t, dir))
	file, err := fsys.Create(path)
	check(t, err)
	defer file.Close()

	fsys.SetHook(func(faultfs.Op) error { return faultfs.ErrInjected })
	if n, err := file.WriteAt([]byte("daybook"), 0); n != 0 || !errors.Is(err, faultfs.ErrInjected) {
		t.Errorf("WriteAt: got %d, %v", n, err)
	}
	if err := file.Datasync(); !errors.Is(err, faultfs.ErrInjected) {
		t.Errorf("Datasync: got %v", err)
	}
	if err := fsys.Remove(path); !errors.Is(err, faultfs.ErrInjected) {
		t.Errorf("Remove: got %v", err)
	}
	fsys.SetHook(func(faultfs.Op) error { return &faultfs.PartialError{Written: 3, Err: faultfs.ErrDiskFull} })
	if n, err := file.WriteAt([]byte("daybook"), 0); n != 3 || !disk.IsNoSpace(err) {
		t.Errorf("a partial WriteAt: got %d, %v", n, err)
	}
	fsys.SetHook(nil)
	if data, err := os.ReadFile(path); err != nil || string(data) != "day" {
		t.Errorf("the file holds %q, %v; want %q", data, err, "day")
	}
}

func open(t *testing.T, dir string) disk.FS {
	t.Helper()
	opened, err := (disk.OS{}).OpenDirectory(dir)
	check(t, err)
	t.Cleanup(func() { check(t, opened.Close()) })
	return opened
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// SPDX-License-Identifier: Apache-2.0

package disk_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
)

// TestMkdirAll makes directories, and removes those that it made.
func TestMkdirAll(t *testing.T) {
	var system disk.System = disk.OS{}
	parent := t.TempDir()
	inner := filepath.Join(parent, "a", "b", "c")
	if err := os.Mkdir(filepath.Join(parent, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	made, err := system.MkdirAll(inner)
	if diff := cmp.Diff([]string{inner, filepath.Dir(inner)}, made); diff != "" || err != nil {
		t.Errorf("directories made, %v (-want +got):\n%s", err, diff)
	}
	if again, err := system.MkdirAll(inner); len(again) > 0 || err != nil {
		t.Errorf("the second time: %v, %v; want none", again, err)
	}
	if info, err := os.Stat(inner); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("the mode is %v, %v", info, err)
	}
	if err := system.RemoveDir(filepath.Dir(inner)); err == nil {
		t.Error("RemoveDir of a directory that is not empty: no error")
	}
	for _, dir := range made {
		if err := system.RemoveDir(dir); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(parent, "a", "b")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after RemoveDir: %v", err)
	}
	file := filepath.Join(parent, "file")
	mustWrite(t, file, "")
	tooLong := filepath.Join(parent, strings.Repeat("x", 1<<10))
	for _, path := range []string{file, filepath.Join(file, "below"), filepath.Join(file, "far", "below"), tooLong} {
		made, err := system.MkdirAll(path)
		var of *fs.PathError
		if !errors.As(err, &of) || of.Path != file && of.Path != tooLong || len(made) > 0 {
			t.Errorf("MkdirAll(%s): %v, %v; want an error with the path that is wrong", path, made, err)
		}
	}
}

// TestMkdirAtOnce has several goroutines make the same directories, as programs do that start
// together. Each must find the directory there.
func TestMkdirAtOnce(t *testing.T) {
	parent := t.TempDir()
	dir := mustOpen(t, parent)
	for round := range 30 {
		at, name := filepath.Join(parent, fmt.Sprint("at", round)), filepath.Join(parent, fmt.Sprint("name", round))
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				_, err := (disk.OS{}).MkdirAll(filepath.Join(at, "a", "b"))
				info, statErr := os.Stat(filepath.Join(at, "a", "b"))
				if err != nil || statErr != nil || !info.IsDir() {
					t.Errorf("MkdirAll: %v, %v", err, statErr)
				}
				err = dir.Mkdir(name)
				if info, statErr = os.Stat(name); err != nil || statErr != nil || !info.IsDir() {
					t.Errorf("Mkdir: %v, %v", err, statErr)
				}
			})
		}
		group.Wait()
	}
}

// systemFunc is a disk.System whose SyncDir is a function.
type systemFunc struct {
	disk.System
	sync func(path string) error
}

func (s systemFunc) SyncDir(path string) error { return s.sync(path) }

// TestSyncAncestors syncs the directories above a path up to one that cannot be synced.
func TestSyncAncestors(t *testing.T) {
	parent := t.TempDir()
	path := filepath.Join(parent, "a", "b")
	broken := errors.New("the disk failed")
	for _, test := range []struct {
		name string
		err  error // of the directory above parent
		want error
	}{
		{"another user's", fs.ErrPermission, nil},
		{"without a sync", errors.ErrUnsupported, nil},
		{"another file system's", syscall.EINVAL, nil},
		{"read-only", syscall.EROFS, nil},
		{"on a disk that fails", broken, broken},
	} {
		t.Run(test.name, func(t *testing.T) {
			var synced []string
			err := disk.SyncAncestors(systemFunc{disk.OS{}, func(path string) error {
				synced = append(synced, path)
				if path == filepath.Dir(parent) {
					return test.err
				}
				return nil
			}}, path)
			if !errors.Is(err, test.want) {
				t.Errorf("got %v; want %v", err, test.want)
			}
			want := []string{filepath.Join(parent, "a"), parent, filepath.Dir(parent)}
			if diff := cmp.Diff(want, synced); diff != "" {
				t.Errorf("directories that were synced (-want +got):\n%s", diff)
			}
		})
	}
	var last string
	err := disk.SyncAncestors(systemFunc{disk.OS{}, func(path string) error { last = path; return nil }}, path)
	if err != nil || last != filepath.Dir(last) {
		t.Errorf("without an error it ends at %s, %v; want the root", last, err)
	}
}

// TestSyncs syncs what is there, and what is not.
func TestSyncs(t *testing.T) {
	at := t.TempDir()
	dir := mustOpen(t, at)
	if err := errors.Join(dir.SyncDir(at), (disk.OS{}).SyncDir(at)); err != nil {
		t.Error(err)
	}
	none := filepath.Join(at, "none")
	for how, err := range map[string]error{"": dir.SyncDir(none), " by its path": (disk.OS{}).SyncDir(none)} {
		if !errors.Is(err, fs.ErrNotExist) && runtime.GOOS != "windows" {
			t.Errorf("SyncDir of nothing%s: %v; want fs.ErrNotExist", how, err)
		}
	}
	f, err := dir.Create(filepath.Join(at, "file"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Datasync(), f.Close()); err != nil {
		t.Error(err)
	}
	if err := f.Datasync(); err == nil || !strings.Contains(err.Error(), filepath.Join(at, "file")) {
		t.Errorf("Datasync of a closed file: %v; want an error that names it", err)
	}
}

// TestNoSpace wraps the errors of a full disk, and no others.
func TestNoSpace(t *testing.T) {
	full := disk.NoSpaceErrors()
	if len(full) == 0 {
		t.Fatal("no error says that the disk is full")
	}
	for _, err := range full {
		path := &fs.PathError{Op: "write", Path: "file", Err: err}
		wrapped := disk.WrapNoSpace(path)
		if !disk.IsNoSpace(path) || !errors.Is(wrapped, daybook.ErrNoSpace) || !errors.Is(wrapped, err) {
			t.Errorf("%v is wrapped as %v", path, wrapped)
		}
		if again := disk.WrapNoSpace(wrapped); fmt.Sprint(again) != fmt.Sprint(wrapped) {
			t.Errorf("%v is wrapped again, as %v", wrapped, again)
		}
	}
	for _, err := range []error{nil, fs.ErrExist, daybook.ErrFailed} {
		if got := disk.WrapNoSpace(err); got != err || disk.IsNoSpace(err) {
			t.Errorf("%v becomes %v", err, got)
		}
	}
}

// writesFunc is an io.WriterAt that is a function.
type writesFunc func(p []byte, offset int64) (int, error)

func (f writesFunc) WriteAt(p []byte, offset int64) (int, error) { return f(p, offset) }

// TestWriteZeros writes zeros of several lengths. They must be written once each, and no more.
func TestWriteZeros(t *testing.T) {
	for _, size := range []int64{0, 1, 256<<10 - 1, 256 << 10, 256<<10 + 1, 1 << 20} {
		end, writes := int64(0), 0
		err := disk.WriteZeros(writesFunc(func(p []byte, offset int64) (int, error) {
			if offset != end || slices.ContainsFunc(p, func(b byte) bool { return b != 0 }) {
				t.Errorf("%d bytes at %d after %d, or not only zeros", len(p), offset, end)
			}
			end += int64(len(p))
			if writes++; writes > 10 {
				return 0, errors.New("too many writes")
			}
			return len(p), nil
		}), size)
		if end != size || err != nil {
			t.Errorf("%d bytes were written, %v; want %d", end, err, size)
		}
		if want := int((size + 256<<10 - 1) / (256 << 10)); writes != want {
			t.Errorf("%d bytes in %d writes; want %d", size, writes, want)
		}
	}
	broken := errors.New("the disk failed")
	failing := writesFunc(func([]byte, int64) (int, error) { return 0, broken })
	if err := disk.WriteZeros(failing, 1); !errors.Is(err, broken) {
		t.Errorf("a failing write: %v", err)
	}
}

// TestOpenFile opens and creates files with the flags that bbolt uses.
func TestOpenFile(t *testing.T) {
	at := t.TempDir()
	dir := mustOpen(t, at)
	path := filepath.Join(at, "file")
	if f, err := dir.OpenFile(path, os.O_RDWR, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without O_CREATE: %v, %v; want fs.ErrNotExist", f, err)
	}
	for _, when := range []string{"missing", "there"} {
		f, err := dir.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatalf("when it is %s: %v", when, err)
		}
		if _, err := f.WriteString(when); err != nil || f.Name() != path {
			t.Errorf("%s: %v", f.Name(), err)
		}
		_ = f.Close()
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "thereng" {
		t.Errorf("the file has %q, %v; want that it was opened and not truncated", data, err)
	}
	if _, err := dir.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("with O_EXCL: %v; want fs.ErrExist", err)
	}
	if _, err := dir.OpenFile(filepath.Join(at, "none", "file"), os.O_RDWR|os.O_CREATE, 0o600); err == nil {
		t.Error("in a directory that does not exist: no error")
	}
	_, known := dir.FreeSpace(filepath.Join(at, "none"))
	if _, byPath := disk.FreeSpace(filepath.Join(at, "none")); known || byPath {
		t.Error("the free space of nothing is known")
	}
	if _, known := dir.DiskSize(filepath.Join(at, "none")); known {
		t.Error("the size of nothing is known")
	}
	if _, _, err := dir.ReadStart(at, 1); err == nil {
		t.Error("ReadStart of a directory: no error")
	}
	if _, err := dir.ReadDir(path); err == nil {
		t.Error("ReadDir of a file: no error")
	}
	if err := dir.Mkdir(filepath.Join(at, "none", "dir")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Mkdir in a directory that does not exist: %v; want fs.ErrNotExist", err)
	}
	if err := dir.Mkdir(filepath.Join(at, strings.Repeat("x", 1<<10))); err == nil {
		t.Error("Mkdir of too long a name: no error")
	}
	if err := dir.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := dir.Stat(path); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Stat after Close: %v; want fs.ErrClosed", err)
	}
}

// TestLock takes the lock of a file in two that are open.
func TestLock(t *testing.T) {
	files := openTwice(t, filepath.Join(t.TempDir(), "file"))
	if !disk.TryLock(files[0], disk.OfTree) || disk.TryLock(files[1], disk.OfTree) {
		t.Error("one of two must have the lock")
	}
	if !disk.IsLockedByAnother(files[1], disk.OfTree) {
		t.Error("the second does not notice the lock of the first")
	}
	if err := files[0].Close(); err != nil {
		t.Error(err)
	}
	if disk.IsLockedByAnother(files[1], disk.OfTree) || !disk.TryLock(files[1], disk.OfTree) {
		t.Error("after the file was closed, its lock is still there")
	}
	again, err := os.OpenFile(files[1].Name(), os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	for range 2 { // the second time it does nothing
		if err := disk.Unlock(files[1], disk.OfTree); err != nil {
			t.Error(err)
		}
	}
	if !disk.TryLock(again, disk.OfTree) {
		t.Error("after Unlock the lock is still there")
	}
}

// TestSharedLock shares the lock of a file, which others can share then, and nobody has alone.
func TestSharedLock(t *testing.T) {
	files := openTwice(t, filepath.Join(t.TempDir(), "file"))
	if disk.IsTaken(files[1], disk.OfPin) {
		t.Error("nobody has the lock, and it is taken")
	}
	if !disk.TryShare(files[0], disk.OfPin) {
		t.Fatal("the file cannot be locked")
	}
	if !disk.IsTaken(files[1], disk.OfPin) || disk.IsLockedByAnother(files[1], disk.OfPin) ||
		disk.TryLock(files[1], disk.OfPin) {
		t.Error("a shared lock must be taken, and nobody has it alone")
	}
	if !disk.TryShare(files[1], disk.OfPin) {
		t.Error("two cannot share the lock")
	}
	if err := errors.Join(disk.Unlock(files[0], disk.OfPin), disk.Unlock(files[1], disk.OfPin)); err != nil {
		t.Error(err)
	}
	if disk.IsTaken(files[1], disk.OfPin) {
		t.Error("both have released the lock, and it is taken")
	}
	if !disk.TryLock(files[0], disk.OfPin) || disk.TryShare(files[1], disk.OfPin) ||
		!disk.IsTaken(files[1], disk.OfPin) {
		t.Error("IsTaken kept the lock, or a lock that one has alone is shared")
	}
}

// TestSign locks what a writer locks that waits for readers. It must be another lock than that of
// the tree's file.
func TestSign(t *testing.T) {
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	owners := openTwice(t, tree)
	var signs [2]*os.File
	for i := range signs {
		f, err := os.Open(disk.SignPath(dir, tree))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		signs[i] = f
	}
	if !disk.TryLock(owners[0], disk.OfTree) {
		t.Fatal("the file cannot be locked")
	}
	if disk.IsLockedByAnother(signs[0], disk.OfSign) {
		t.Error("the lock of the file shows the sign")
	}
	if !disk.TryLock(signs[1], disk.OfSign) || !disk.IsLockedByAnother(signs[0], disk.OfSign) {
		t.Error("the sign is not seen")
	}
	if err := disk.Unlock(owners[0], disk.OfTree); err != nil {
		t.Error(err)
	}
	if !disk.TryLock(owners[1], disk.OfTree) {
		t.Error("the sign locks the file")
	}
	if err := disk.Unlock(signs[1], disk.OfSign); err != nil || disk.IsLockedByAnother(signs[0], disk.OfSign) {
		t.Errorf("the sign is still seen (Unlock: %v)", err)
	}
}

func openTwice(t *testing.T, path string) (files [2]*os.File) {
	t.Helper()
	mustWrite(t, path, "")
	for i := range files {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		files[i] = f
	}
	return files
}

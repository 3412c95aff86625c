// SPDX-License-Identifier: Apache-2.0

package disk_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/proof/testenv"
)

func mustOpen(t *testing.T, path string) disk.FS {
	t.Helper()
	dir, err := (disk.OS{}).OpenDirectory(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	return dir
}

func mustWrite(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestOperationsFollowTheHandle renames an open directory, and puts another in its place. Each
// operation must be done in the first one.
func TestOperationsFollowTheHandle(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not rename a directory that is open")
	}
	for name, do := range map[string]func(dir disk.FS, at string) error{
		"Create": func(dir disk.FS, at string) error {
			f, err := dir.Create(filepath.Join(at, "new"))
			return errors.Join(err, f.Close())
		},
		"OpenFile": func(dir disk.FS, at string) error {
			f, err := dir.OpenFile(filepath.Join(at, "new"), os.O_CREATE|os.O_RDWR, 0o600)
			return errors.Join(err, f.Close())
		},
		"Open": func(dir disk.FS, at string) error {
			f, err := dir.Open(filepath.Join(at, "file"))
			if err == nil {
				_, err = f.WriteAt([]byte("new"), 0)
			}
			return errors.Join(err, f.Close())
		},
		"Rename": func(dir disk.FS, at string) error {
			return dir.Rename(filepath.Join(at, "file"), filepath.Join(at, "new"))
		},
		"Remove": func(dir disk.FS, at string) error { return dir.Remove(filepath.Join(at, "file")) },
		"Mkdir":  func(dir disk.FS, at string) error { return dir.Mkdir(filepath.Join(at, "new")) },
		"reads": func(dir disk.FS, at string) error {
			file := filepath.Join(at, "file")
			data, err := dir.ReadFile(file)
			start, size, startErr := dir.ReadStart(file, 3)
			info, statErr := dir.Stat(file)
			entries, listErr := dir.ReadDir(at)
			if err := errors.Join(err, startErr, statErr, listErr); err != nil {
				return err
			}
			if string(data) != "first" || string(start) != "fir" || size != 5 || info.Size() != 5 || len(entries) != 1 {
				return errors.New("it has read the other directory")
			}
			return os.WriteFile(filepath.Join(filepath.Dir(at), "moved", "file"), nil, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			at, moved := filepath.Join(parent, "at"), filepath.Join(parent, "moved")
			if err := os.Mkdir(at, 0o700); err != nil {
				t.Fatal(err)
			}
			mustWrite(t, filepath.Join(at, "file"), "first")
			dir := mustOpen(t, at)
			if err := errors.Join(os.Rename(at, moved), os.Mkdir(at, 0o700)); err != nil {
				t.Fatal(err)
			}
			mustWrite(t, filepath.Join(at, "file"), "the other")
			if err := do(dir, at); err != nil {
				t.Fatal(err)
			}
			entries, err := os.ReadDir(at)
			data, readErr := os.ReadFile(filepath.Join(at, "file"))
			if err != nil || readErr != nil || len(entries) != 1 || string(data) != "the other" {
				t.Errorf("the directory that took its place has changed: %v, %q", entries, data)
			}
			changed, err := os.ReadDir(moved)
			data, _ = os.ReadFile(filepath.Join(moved, "file"))
			if err != nil || len(changed) == 1 && string(data) == "first" {
				t.Errorf("the open directory is unchanged: %v, %q, %v", changed, data, err)
			}
		})
	}
}

// TestPathsOutside names files outside the open directory. Every operation must refuse them.
func TestPathsOutside(t *testing.T) {
	parent := t.TempDir()
	at := filepath.Join(parent, "at")
	if err := os.Mkdir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(parent, "outside"), "outside")
	mustWrite(t, filepath.Join(at, "inside"), "inside")
	paths := []string{filepath.Join(parent, "outside"), at + "/../outside", parent, "outside", at + "2"}
	_ = os.Symlink(filepath.Join(parent, "outside"), filepath.Join(at, "link"))
	if _, err := os.Readlink(filepath.Join(at, "link")); err == nil {
		paths = append(paths, filepath.Join(at, "link")) // until FollowLink has opened where it leads
	}
	dir := mustOpen(t, at)
	for _, path := range paths {
		_, openErr := dir.Open(path)
		_, openFileErr := dir.OpenFile(path, os.O_RDWR, 0)
		_, readErr := dir.ReadFile(path)
		_, statErr := dir.Stat(path)
		for call, err := range map[string]error{
			"Open": openErr, "OpenFile": openFileErr, "ReadFile": readErr, "Stat": statErr,
		} {
			if err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s(%s): %v; want it to be refused, and the whole path", call, path, err)
			}
		}
	}
	outside := filepath.Join(parent, "outside")
	_, createErr := dir.Create(outside + "2")
	_, lstatErr := dir.Lstat(outside)
	for call, err := range map[string]error{
		"Create": createErr, "Lstat": lstatErr, "Mkdir": dir.Mkdir(outside + "2"), "Remove": dir.Remove(outside),
		"Rename from": dir.Rename(outside, filepath.Join(at, "inside")),
		"Rename to":   dir.Rename(filepath.Join(at, "inside"), outside),
		"SyncDir":     dir.SyncDir(parent),
	} {
		if (err == nil || !strings.Contains(err.Error(), parent)) && (call != "SyncDir" || runtime.GOOS != "windows") {
			t.Errorf("%s: %v for a path outside; want an error with the path", call, err)
		}
		if call == "Rename from" && !strings.Contains(fmt.Sprint(err), outside) {
			t.Errorf("%s: %v; want the path that is outside", call, err)
		}
	}
	if data, err := os.ReadFile(outside); err != nil || string(data) != "outside" {
		t.Errorf("the file outside has %q, %v", data, err)
	}
}

// TestTwoDirectories opens a second directory through a link, by a relative path. A file cannot be
// renamed from one to the other.
func TestTwoDirectories(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("at", 0o700); err != nil {
		t.Fatal(err)
	}
	testenv.Symlink(t, filepath.Join("..", "file"), filepath.Join("at", "link"))
	mustWrite(t, "file", "content")
	mustWrite(t, filepath.Join("at", "other"), "other")
	dir := mustOpen(t, "at")
	real, err := dir.FollowLink(filepath.Join("at", "link"))
	if err != nil {
		t.Fatal(err)
	}
	if data, err := dir.ReadFile(real); err != nil || string(data) != "content" {
		t.Errorf("%s has %q, %v", real, data, err)
	}
	for _, paths := range [][2]string{
		{real, filepath.Join("at", "new")}, {filepath.Join("at", "other"), real},
	} {
		if err := dir.Rename(paths[0], paths[1]); err == nil {
			t.Errorf("%s was renamed to %s", paths[0], paths[1])
		}
	}
	if _, err := dir.FollowLink(filepath.Join("elsewhere", "link")); err == nil {
		t.Error("a link outside was followed")
	}
}

// wantMoved checks the error of Verify: part is a part of it, or empty for no error.
func wantMoved(t *testing.T, dir disk.FS, when, part, path string) {
	t.Helper()
	err := dir.Verify()
	if part == "" && err != nil {
		t.Errorf("%s: %v; want no error", when, err)
	}
	if got := fmt.Sprint(err); part != "" && (!strings.Contains(got, part) || !strings.Contains(got, path)) {
		t.Errorf("%s: %v; want %q, and the path %s", when, err, part, path)
	}
}

const (
	isGone    = "was moved or deleted while it was open: "
	isAnother = "another is in its place"
	isRelinks = "was changed or removed while it was in use"
)

// TestVerify moves an open directory, or one that is held in it, or the directory above.
func TestVerify(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not rename a directory that is open")
	}
	parent := t.TempDir()
	above := filepath.Join(parent, "above")
	at, moved := filepath.Join(above, "at"), filepath.Join(parent, "moved")
	held := filepath.Join(at, "held")
	if err := os.MkdirAll(held, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := mustOpen(t, at)
	if err := dir.Hold(held); err != nil {
		t.Fatal(err)
	}
	wantMoved(t, dir, "at rest", "", "")
	for _, path := range []string{at, held, above} {
		if err := os.Rename(path, moved); err != nil {
			t.Fatal(err)
		}
		wantMoved(t, dir, path+" was moved", isGone, path)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		part := isAnother
		if path == above { // then there is nothing below it
			part = isGone
		}
		wantMoved(t, dir, path+" was replaced by a file", part, path)
		if err := errors.Join(os.Remove(path), os.CopyFS(path, os.DirFS(moved))); err != nil {
			t.Fatal(err)
		}
		wantMoved(t, dir, path+" was replaced by a copy", isAnother, path)
		if err := errors.Join(os.RemoveAll(path), os.Symlink(moved, path)); err != nil {
			t.Fatal(err)
		}
		wantMoved(t, dir, path+" is a link to the moved one", "", "")
		if err := errors.Join(os.Remove(path), os.Rename(moved, path)); err != nil {
			t.Fatal(err)
		}
		wantMoved(t, dir, path+" is back", "", "")
	}
}

// TestMissingDirectories opens what does not exist.
func TestMissingDirectories(t *testing.T) {
	at := t.TempDir()
	file := filepath.Join(at, "file")
	mustWrite(t, file, "")
	if dir, err := (disk.OS{}).OpenDirectory(filepath.Join(at, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OpenDirectory of nothing: %v, %v; want fs.ErrNotExist", dir, err)
	}
	if _, err := (disk.OS{}).OpenDirectory(file); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OpenDirectory of a file: %v; want another error than fs.ErrNotExist", err)
	}
	dir := mustOpen(t, at)
	if err := dir.Hold(filepath.Join(at, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Hold of nothing: %v; want fs.ErrNotExist", err)
	}
	if err := dir.Hold(filepath.Dir(at)); err == nil {
		t.Error("Hold of a directory outside: no error")
	}
	for call, err := range map[string]error{
		"Open":      func() error { _, err := dir.Open(filepath.Join(at, "none")); return err }(),
		"ReadFile":  func() error { _, err := dir.ReadFile(filepath.Join(at, "none")); return err }(),
		"ReadStart": func() error { _, _, err := dir.ReadStart(filepath.Join(at, "none"), 1); return err }(),
		"Stat":      func() error { _, err := dir.Stat(filepath.Join(at, "none")); return err }(),
		"Lstat":     func() error { _, err := dir.Lstat(filepath.Join(at, "none")); return err }(),
		"ReadDir":   func() error { _, err := dir.ReadDir(filepath.Join(at, "none")); return err }(),
		"Remove":    dir.Remove(filepath.Join(at, "none")),
		"Rename":    dir.Rename(filepath.Join(at, "none"), file),
	} {
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(fmt.Sprint(err), filepath.Join(at, "none")) {
			t.Errorf("%s of nothing: %v; want fs.ErrNotExist and the whole path", call, err)
		}
	}
	if _, err := dir.Create(file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create of a file that exists: %v; want fs.ErrExist", err)
	}
	if err := dir.Mkdir(file); err == nil {
		t.Error("Mkdir in the place of a file: no error")
	}
}

// TestReads reads files and directories of several sizes.
func TestReads(t *testing.T) {
	at := t.TempDir()
	for _, name := range []string{"c", "a", "b"} {
		mustWrite(t, filepath.Join(at, name), strings.Repeat(name, 10))
	}
	dir := mustOpen(t, at)
	entries, err := dir.ReadDir(at)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if got := strings.Join(names, " "); err != nil || got != "a b c" {
		t.Errorf("ReadDir: %s, %v; want the names in order", got, err)
	}
	for _, n := range []int{0, 4, 10, 11} {
		start, size, err := dir.ReadStart(filepath.Join(at, "b"), n)
		if err != nil || size != 10 || string(start) != strings.Repeat("b", min(n, 10)) {
			t.Errorf("ReadStart of %d bytes: %q, %d, %v", n, start, size, err)
		}
	}
	made := filepath.Join(at, "made")
	for range 2 { // the second time it exists
		if err := dir.Mkdir(made); err != nil {
			t.Errorf("Mkdir: %v", err)
		}
	}
	info, err := os.Stat(made)
	if err != nil || !info.IsDir() || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("Mkdir made %v, %v", info, err)
	}
	if err := dir.SyncDir(made); err != nil {
		t.Errorf("SyncDir: %v", err)
	}
	free, known := dir.FreeSpace(made)
	byPath, knownByPath := disk.FreeSpace(made)
	if known && (free < 1<<20 || free > 2*byPath || byPath > 2*free) { // a disk with less runs no tests
		t.Errorf("FreeSpace: %d bytes; by the path it is %d", free, byPath)
	}
	if runtime.GOOS == "linux" && (!known || !knownByPath) {
		t.Error("FreeSpace is not known")
	}
	size, sizeKnown := dir.DiskSize(made)
	if sizeKnown != known || known && size < free {
		t.Errorf("DiskSize: %d bytes, %v; want at least the %d that are free", size, sizeKnown, free)
	}
}

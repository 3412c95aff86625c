// SPDX-License-Identifier: Apache-2.0

package disk_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/daybook-db/daybook/engine/internal/disk"
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
	if err := os.Symlink(filepath.Join(parent, "outside"), filepath.Join(at, "link")); err == nil {
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
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s(%s): %v; want it to be refused", call, path, err)
			}
		}
	}
	outside := filepath.Join(parent, "outside")
	_, createErr := dir.Create(outside + "2")
	for call, err := range map[string]error{
		"Create": createErr, "Mkdir": dir.Mkdir(outside + "2"), "Remove": dir.Remove(outside),
		"Rename from": dir.Rename(outside, filepath.Join(at, "inside")),
		"Rename to":   dir.Rename(filepath.Join(at, "inside"), outside),
		"SyncDir":     dir.SyncDir(parent),
	} {
		if err == nil && (call != "SyncDir" || runtime.GOOS != "windows") {
			t.Errorf("%s: no error for a path outside", call)
		}
	}
	if data, err := os.ReadFile(outside); err != nil || string(data) != "outside" {
		t.Errorf("the file outside has %q, %v", data, err)
	}
}

// TestFollowLink follows symbolic links in several forms, some through directories that are links
// themselves. The file that it names must be the one that the operating system finds.
func TestFollowLink(t *testing.T) {
	parent := t.TempDir()
	for _, dir := range []string{"a/data", "b/large", "c"} {
		if err := os.MkdirAll(filepath.Join(parent, filepath.FromSlash(dir)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	links := [][2]string{ // target, path
		{"../b/large", "c/way"},
		{"../a/data", "c/data"},
		{"../../b/large/file", "a/data/relative"},
		{filepath.Join(parent, "b", "large", "file"), "a/data/absolute"},
		{"../../c/way/file", "a/data/through a directory"},
		{"../../c/way/../large/file", "a/data/up from a link"},
		{"../../c/link", "a/data/through a link"},
		{"../b/large/file", "c/link"},
		{"here", "a/data/local"},
		{"../../b/none/file", "a/data/no directory"},
		{"loop", "a/data/loop"},
	}
	for _, link := range links {
		target, path := filepath.FromSlash(link[0]), filepath.Join(parent, filepath.FromSlash(link[1]))
		if err := os.Symlink(target, path); err != nil {
			t.Skip(err)
		}
	}
	for _, opened := range []string{filepath.Join(parent, "a", "data"), filepath.Join(parent, "c", "data")} {
		for _, test := range []struct {
			name string
			want string // the file, or empty for an error
		}{
			{"relative", "b/large/file"}, {"absolute", "b/large/file"}, {"through a directory", "b/large/file"},
			{"up from a link", "b/large/file"}, {"through a link", "b/large/file"}, {"local", "a/data/here"},
			{"no link", "a/data/no link"}, {"no directory", ""}, {"loop", ""},
		} {
			for _, content := range []string{"", "content"} { // the file need not exist
				if test.want == "" {
					continue
				}
				want := filepath.Join(parent, filepath.FromSlash(test.want))
				if content == "" {
					_ = os.Remove(want)
				} else {
					mustWrite(t, want, content)
				}
				dir := mustOpen(t, opened)
				real, err := dir.FollowLink(filepath.Join(opened, test.name))
				if err != nil {
					t.Errorf("%s in %s: %v", test.name, opened, err)
					continue
				}
				f, err := dir.OpenFile(real, os.O_RDWR|os.O_CREATE, 0o600)
				if err != nil {
					t.Errorf("%s in %s: %v", test.name, opened, err)
					continue
				}
				got, err := f.Stat()
				_ = f.Close()
				if info, statErr := os.Stat(want); err != nil || statErr != nil || !os.SameFile(got, info) {
					t.Errorf("%s in %s leads to %s; want %s (%v, %v)", test.name, opened, real, want, err, statErr)
				}
				if err := dir.Verify(); err != nil {
					t.Errorf("Verify: %v", err)
				}
			}
			if test.want == "" {
				if real, err := mustOpen(t, opened).FollowLink(filepath.Join(opened, test.name)); err == nil {
					t.Errorf("%s leads to %s; want an error", test.name, real)
				}
			}
		}
	}
}

// TestVerify moves directories that are open, one of them by a symbolic link.
func TestVerify(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not rename a directory that is open")
	}
	parent := t.TempDir()
	at, large, moved := filepath.Join(parent, "at"), filepath.Join(parent, "large"), filepath.Join(parent, "moved")
	if err := errors.Join(os.Mkdir(at, 0o700), os.Mkdir(large, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(large, "file"), filepath.Join(at, "link")); err != nil {
		t.Skip(err)
	}
	dir := mustOpen(t, at)
	if _, err := dir.FollowLink(filepath.Join(at, "link")); err != nil {
		t.Fatal(err)
	}
	if err := dir.Verify(); err != nil {
		t.Errorf("at rest: %v", err)
	}
	link := filepath.Join(at, "link")
	relink := func(target string) error { return errors.Join(os.Remove(link), os.Symlink(target, link)) }
	mustWrite(t, filepath.Join(large, "file"), "")
	mustWrite(t, filepath.Join(parent, "another"), "")
	for _, target := range []string{filepath.Join(parent, "another"), filepath.Join(parent, "none")} {
		if err := relink(target); err != nil {
			t.Fatal(err)
		}
		if err := dir.Verify(); err == nil {
			t.Errorf("the link leads to %s, and Verify returns nil", target)
		}
	}
	if err := errors.Join(relink(filepath.Join("..", "large", "file")), dir.Verify()); err != nil {
		t.Errorf("the link leads to the same file again: %v", err)
	}
	for _, path := range []string{at, large} {
		if err := os.Rename(path, moved); err != nil {
			t.Fatal(err)
		}
		if err := dir.Verify(); err == nil {
			t.Errorf("%s was moved, and Verify returns nil", path)
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := dir.Verify(); err == nil {
			t.Errorf("%s was replaced, and Verify returns nil", path)
		}
		if err := errors.Join(os.Remove(path), os.Symlink(moved, path)); err != nil {
			t.Fatal(err)
		}
		if err := dir.Verify(); err != nil {
			t.Errorf("%s leads to the directory again, by a link: %v", path, err)
		}
		if err := errors.Join(os.Remove(path), os.Rename(moved, path)); err != nil {
			t.Fatal(err)
		}
		if err := dir.Verify(); err != nil {
			t.Errorf("%s is back: %v", path, err)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package disk_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/daybook-db/daybook/proof/testenv"
)

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
		testenv.Symlink(t, filepath.FromSlash(link[0]), filepath.Join(parent, filepath.FromSlash(link[1])))
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

// TestFollowManyLinks follows chains of links up to the limit, and one link that leads nowhere any
// more because its directory was moved.
func TestFollowManyLinks(t *testing.T) {
	at := t.TempDir()
	testenv.Symlink(t, "file", filepath.Join(at, "link1"))
	for n := 2; n <= 41; n++ {
		testenv.Symlink(t, fmt.Sprint("link", n-1), filepath.Join(at, fmt.Sprint("link", n)))
	}
	for n, want := range map[int]bool{1: true, 2: true, 40: true, 41: false} {
		real, err := mustOpen(t, at).FollowLink(filepath.Join(at, fmt.Sprint("link", n)))
		if want != (err == nil) || want && filepath.Base(real) != "file" {
			t.Errorf("%d links lead to %q, %v; want them to be followed: %v", n, real, err, want)
		}
	}
	if runtime.GOOS == "windows" {
		return // it does not rename a directory that is open
	}
	inner := filepath.Join(at, "inner")
	if err := os.Mkdir(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	testenv.Symlink(t, filepath.Join(at, "file"), filepath.Join(inner, "link"))
	dir := mustOpen(t, inner)
	if err := os.Rename(inner, inner+"2"); err != nil {
		t.Fatal(err)
	}
	if real, err := dir.FollowLink(filepath.Join(inner, "link")); err == nil {
		t.Errorf("a link of a directory that was moved leads to %q; want an error", real)
	}
}

// TestVerifyLink changes a symbolic link that FollowLink has followed, and what it leads to.
func TestVerifyLink(t *testing.T) {
	parent := t.TempDir()
	at, large := filepath.Join(parent, "at"), filepath.Join(parent, "large")
	if err := errors.Join(os.Mkdir(at, 0o700), os.Mkdir(large, 0o700)); err != nil {
		t.Fatal(err)
	}
	link, file, another := filepath.Join(at, "link"), filepath.Join(large, "file"), filepath.Join(parent, "another")
	testenv.Symlink(t, file, link)
	dir := mustOpen(t, at)
	if _, err := dir.FollowLink(link); err != nil {
		t.Fatal(err)
	}
	wantMoved(t, dir, "before the file exists", "", "")
	mustWrite(t, file, "")
	mustWrite(t, another, "")
	wantMoved(t, dir, "at rest", "", "")
	for _, test := range []struct{ when, target, part string }{
		{"to another file", another, isRelinks},
		{"to nothing", filepath.Join(parent, "none"), isRelinks},
		{"back, by another way", filepath.Join("..", "large", "file"), ""},
	} {
		if err := errors.Join(os.Remove(link), os.Symlink(test.target, link)); err != nil {
			t.Fatal(err)
		}
		wantMoved(t, dir, test.when, test.part, link)
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	wantMoved(t, dir, "removed", isRelinks, link)
	if runtime.GOOS == "windows" {
		return // it does not rename a directory that is open
	}
	if err := errors.Join(os.Symlink(file, link), os.Rename(large, large+"2"), os.Mkdir(large, 0o700)); err != nil {
		t.Fatal(err)
	}
	wantMoved(t, dir, "the directory of the file was replaced", isAnother, large)
}

// TestLinkToTheDirectoryAbove follows a link out of a directory to the one above it, renames the
// directory, and puts another in its place. Files in it must still be those of the first.
func TestLinkToTheDirectoryAbove(t *testing.T) {
	parent := testenv.TempDir(t)
	path := filepath.Join(parent, "data")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(path, "file"), "ours")
	testenv.Symlink(t, filepath.Join("..", "tree"), filepath.Join(path, "link"))
	d := mustOpen(t, path)
	if _, err := d.FollowLink(filepath.Join(path, "link")); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not rename a directory that is open")
	}
	if err := errors.Join(os.Rename(path, path+" renamed"), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(path, "file"), "theirs")
	if data, err := d.ReadFile(filepath.Join(path, "file")); err != nil || string(data) != "ours" {
		t.Errorf("got %q, %v; want the file of the directory that was opened", data, err)
	}
}

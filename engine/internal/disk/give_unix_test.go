// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package disk

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/daybook-db/daybook/proof/testenv"
)

// TestMayUserFollow asks for links of several users.
func TestMayUserFollow(t *testing.T) {
	const alice, bob, carol = 1, 2, 3
	for _, test := range []struct {
		name                  string
		user, link, directory uint32
		want                  bool
	}{
		{"one's own, to another's", alice, alice, bob, true},
		{"of root, to another's", alice, 0, bob, true},
		{"of the directory's owner", alice, bob, bob, true},
		{"of the directory's owner, for root", 0, bob, bob, true},
		{"of a third", alice, carol, bob, false},
		{"of another, to one's own", alice, carol, alice, false},
		{"of another, to root's, for root", 0, carol, 0, false},
	} {
		if got := mayUserFollow(test.user, test.link, test.directory); got != test.want {
			t.Errorf("a link %s: got %v; want %v", test.name, got, test.want)
		}
	}
}

// TestGiveToDirectoryOwner gives files of several users to the owner of a directory. Only those of
// root are given.
func TestGiveToDirectoryOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs the right to give files to other users, which root has")
	}
	const alice, bob, group = 12345, 23456, 34567
	for _, test := range []struct {
		name                string
		file, directory     int // their owners
		wantUser, wantGroup uint32
	}{
		{"root's, for alice", 0, alice, alice, group},
		{"bob's, for alice", bob, alice, bob, 0},
		{"root's, for root", 0, 0, 0, 0}, // the group of the directory does not count then
	} {
		at := t.TempDir()
		path := filepath.Join(at, "file")
		file, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for path, owner := range map[string][2]int{at: {test.directory, group}, path: {test.file, 0}} {
			if err := os.Chown(path, owner[0], owner[1]); err != nil {
				t.Fatal(err)
			}
		}
		directory, err := os.Stat(at)
		if err != nil {
			t.Fatal(err)
		}
		giveToDirectoryOwner(file, directory)
		info, err := file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t); got.Uid != test.wantUser || got.Gid != test.wantGroup {
			t.Errorf("a file %s: belongs to %d of group %d; want %d, %d", test.name, got.Uid, got.Gid,
				test.wantUser, test.wantGroup)
		}
	}
}

// TestGiveNoOtherDirectory puts a symbolic link, and a pipe, in the place of a directory that root
// has just created for another user. The directory to which a link leads must stay root's, and
// nobody waits for a writer to the pipe.
func TestGiveNoOtherDirectory(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs the right to give files to other users, which root has")
	}
	at, other := t.TempDir(), filepath.Join(t.TempDir(), "other")
	inner, link, innerLink := filepath.Join(at, "inner"), filepath.Join(at, "link"), filepath.Join(at, "inner link")
	err := errors.Join(os.Mkdir(other, 0o700), os.Mkdir(inner, 0o700), os.Symlink(other, link),
		os.Symlink("inner", innerLink), os.Chown(at, 12345, -1))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := (OS{}).OpenDirectory(at)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := syscall.Mkfifo(filepath.Join(at, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, innerLink, filepath.Join(at, "pipe")} {
		testenv.EndsWithin(t, time.Minute, func() {
			giveDirectoryToParentOwner(path)
			if in, name, err := dir.(*directory).find(path); err == nil {
				dir.(*directory).giveToParentOwner(in, name, path)
			}
		})
		if info, err := os.Stat(path); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
			t.Errorf("%s: root's file was given to another user: %+v, %v", path, info, err)
		}
	}
}

// TestGiveClosedFile gives a file away that is not open any more: nothing happens.
func TestGiveClosedFile(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	giveToDirectoryOwner(file, info)
}

// TestSizeOfProc asks for the size of a file system that has none.
func TestSizeOfProc(t *testing.T) {
	proc, err := os.Open("/proc")
	if err != nil {
		t.Skip(err)
	}
	defer proc.Close()
	if size, known := diskSize(proc); known || size != 0 {
		t.Errorf("got %d, %v; want that it is not known", size, known)
	}
}

// TestFreeSpaceOfNothing asks for the free space of a file that is not open.
func TestFreeSpaceOfNothing(t *testing.T) {
	file, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	if free, known := freeSpace(file); known || free != 0 {
		t.Errorf("got %d, %v; want that it is not known", free, known)
	}
	if size, known := diskSize(file); known || size != 0 {
		t.Errorf("the size: got %d, %v; want that it is not known", size, known)
	}
}

// TestGiveWithoutAParent gives a directory to the owner of one that was removed meanwhile. There is
// none, so nothing happens.
func TestGiveWithoutAParent(t *testing.T) {
	at := t.TempDir()
	d, err := openDirectory(at)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	made := filepath.Join(at, "made")
	if err := d.Mkdir(made); err != nil {
		t.Fatal(err)
	}
	d.giveToParentOwner(d.places[0], "made", filepath.Join(at, "removed", "made"))
	if _, err := os.Stat(made); err != nil {
		t.Error(err)
	}
}

// TestGiveThroughLinks gives a directory away by a path that leads there only through symbolic
// links. The path without its last element is no directory, so there is no owner to give it to.
func TestGiveThroughLinks(t *testing.T) {
	at := t.TempDir()
	made := filepath.Join(at, "deep", "made", "inner")
	if err := errors.Join(os.MkdirAll(made, 0o700), os.MkdirAll(filepath.Join(at, "deep", "a", "b"), 0o700),
		os.Symlink(filepath.Join(at, "deep", "a", "b"), filepath.Join(at, "link"))); err != nil {
		t.Fatal(err)
	}
	path := at + "/link/../../made/inner"
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("%s: %v; the test wants none", filepath.Dir(path), err)
	}
	giveDirectoryToParentOwner(path)
}

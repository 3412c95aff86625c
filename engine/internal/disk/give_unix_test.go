// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package disk

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
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

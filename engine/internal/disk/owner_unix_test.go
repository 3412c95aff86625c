// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package disk_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/daybook-db/daybook/engine/internal/disk"
)

// TestLinksOfOtherUsers follows links of several users. A user must not lead the command of an
// administrator to the files of a third.
func TestLinksOfOtherUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs the right to give files to other users, which root has")
	}
	const alice, bob = 12345, 23456
	for _, test := range []struct {
		name             string
		link, second, to int // the owners of the link, of a second one on the way, and of the directory
		want             bool
	}{
		{"one's own", alice, alice, alice, true},
		{"to another's", alice, alice, bob, false},
		{"to root's", alice, alice, 0, false},
		{"by root", 0, 0, alice, true},
		{"by way of another's", alice, bob, alice, false},
		{"by way of root's", alice, 0, alice, true},
		{"by way of another's, to that one's", alice, bob, bob, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			parent := t.TempDir()
			at, large := filepath.Join(parent, "at"), filepath.Join(parent, "large")
			link, second := filepath.Join(at, "link"), filepath.Join(parent, "second")
			err := errors.Join(os.Mkdir(at, 0o700), os.Mkdir(large, 0o700), os.Symlink(second, link),
				os.Symlink(filepath.Join(large, "file"), second), os.Lchown(link, test.link, -1),
				os.Lchown(second, test.second, -1), os.Chown(large, test.to, -1))
			if err != nil {
				t.Fatal(err)
			}
			real, err := mustOpen(t, at).FollowLink(link)
			if (err == nil) != test.want {
				t.Errorf("it leads to %q, %v; want it to be followed: %t", real, err, test.want)
			}
		})
	}
}

// TestOwners makes files and directories as root in a directory of another user. They must belong
// to that user; files that exist keep their owner.
func TestOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs the right to give files to other users, which root has")
	}
	const alice, group = 12345, 23456
	at := t.TempDir()
	mustWrite(t, filepath.Join(at, "roots"), "")
	if err := os.Chown(at, alice, group); err != nil {
		t.Fatal(err)
	}
	dir := mustOpen(t, at)
	created, err := dir.Create(filepath.Join(at, "created"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"opened", "roots"} {
		f, err := dir.OpenFile(filepath.Join(at, name), os.O_CREATE|os.O_RDWR, 0o600)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	_, err = (disk.OS{}).MkdirAll(filepath.Join(at, "above", "below"))
	if err := errors.Join(err, created.Close(), dir.Mkdir(filepath.Join(at, "made"))); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]uint32{
		"created": alice, "opened": alice, "made": alice, "above": alice, "above/below": alice, "roots": 0,
	} {
		info, err := os.Stat(filepath.Join(at, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; got != want {
			t.Errorf("%s belongs to %d; want %d", name, got, want)
		}
	}
}

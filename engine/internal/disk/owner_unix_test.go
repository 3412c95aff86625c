// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package disk_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
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

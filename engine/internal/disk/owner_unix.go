// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// onlyDirectory are the flags of os.OpenFile with which it opens directories alone, and does not
// follow a symbolic link.
const onlyDirectory = syscall.O_DIRECTORY | syscall.O_NOFOLLOW

// giveToDirectoryOwner changes the owner of a file that root has just created to the owner of its
// directory. So a program that runs as another user can still use its daybook after an
// administrator has compacted or repaired it. If the owner cannot be changed, the file stays as it
// is.
func giveToDirectoryOwner(f *os.File, directory fs.FileInfo) {
	if os.Geteuid() != 0 {
		return
	}
	info, err := f.Stat()
	if err != nil {
		return
	}
	created, ok := info.Sys().(*syscall.Stat_t)
	owner, known := directory.Sys().(*syscall.Stat_t)
	if ok && known && created.Uid == 0 && owner.Uid != 0 {
		_ = f.Chown(int(owner.Uid), int(owner.Gid))
	}
}

// mayFollow reports whether a symbolic link to a file in a directory may be followed: whether it
// belongs to this user, to root, or to the owner of that directory.
func mayFollow(link, directory fs.FileInfo) bool {
	by, ok := link.Sys().(*syscall.Stat_t)
	to, known := directory.Sys().(*syscall.Stat_t)
	return ok && known && mayUserFollow(uint32(os.Geteuid()), by.Uid, to.Uid)
}

// mayUserFollow is mayFollow for the numbers of users: this one, and the owners of the link and of
// the directory.
func mayUserFollow(user, link, directory uint32) bool {
	return link == 0 || link == user || link == directory
}

// giveEmptyDirectory is giveToDirectoryOwner for a directory that root has just created. Another
// user may have put another directory in its place, so the owner changes only if the directory is
// empty.
func giveEmptyDirectory(dir *os.File, parent fs.FileInfo) {
	if _, err := dir.Readdirnames(1); errors.Is(err, io.EOF) {
		giveToDirectoryOwner(dir, parent)
	}
}

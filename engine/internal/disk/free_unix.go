// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package disk

import (
	"os"
	"syscall"
)

// FreeSpace is FS.FreeSpace for a directory that is not open.
func FreeSpace(path string) (free int64, known bool) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(path, &stat); err != nil {
		return 0, false
	}
	return available(&stat), true
}

func freeSpace(dir *os.File) (free int64, known bool) {
	var stat syscall.Statfs_t
	if err := syscall.Fstatfs(int(dir.Fd()), &stat); err != nil {
		return 0, false
	}
	return available(&stat), true
}

// diskSize returns no size of 0, which some file systems without a size of their own tell.
func diskSize(dir *os.File) (size int64, known bool) {
	var stat syscall.Statfs_t
	if err := syscall.Fstatfs(int(dir.Fd()), &stat); err != nil {
		return 0, false
	}
	size = int64(stat.Blocks) * int64(stat.Bsize)
	return size, size > 0
}

func available(stat *syscall.Statfs_t) int64 { return int64(stat.Bavail) * int64(stat.Bsize) }

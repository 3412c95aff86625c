// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package disk

import "syscall"

// FreeSpace returns the number of bytes that a user without privileges may still write to the disk
// of path. known is false if the system does not tell.
func FreeSpace(path string) (free int64, known bool) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(path, &stat); err != nil {
		return 0, false
	}
	return int64(stat.Bavail) * int64(stat.Bsize), true
}

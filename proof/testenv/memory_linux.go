// SPDX-License-Identifier: Apache-2.0

package testenv

import "syscall"

const (
	memory  = "/dev/shm"
	minRoom = 1 << 30 // bytes; a container often has 64 MiB
)

func roomInMemory() bool {
	var stat syscall.Statfs_t
	err := syscall.Statfs(memory, &stat)
	return err == nil && stat.Bavail*uint64(stat.Bsize) >= minRoom
}

// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"os"
	"syscall"
)

// PlaceOf returns the place of an open file.
func PlaceOf(file *os.File) Place {
	p := Place{Machine: machine()}
	info, err := file.Stat()
	if err != nil {
		return p
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		p.File = stat.Ino
		p.Born = uint64(stat.Birthtimespec.Nano())
	}
	connection, err := file.SyscallConn()
	if err != nil {
		return p
	}
	_ = connection.Control(func(fd uintptr) {
		var volume syscall.Statfs_t
		if err := syscall.Fstatfs(int(fd), &volume); err == nil {
			p.Volume = uint64(uint32(volume.Fsid.Val[0]))<<32 | uint64(uint32(volume.Fsid.Val[1]))
		}
	})
	return p
}

// ChangedAt returns when an open file was last written to or renamed, in ns; 0 if the system does
// not tell. No program can set that time.
func ChangedAt(file *os.File) uint64 {
	info, err := file.Stat()
	if err != nil {
		return 0
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Ctimespec.Nano())
	}
	return 0
}

// machineID returns nothing: the system has no file with it.
func machineID() string { return "" }

// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// PlaceOf returns the place of an open file.
func PlaceOf(file *os.File) Place {
	p := Place{Machine: machine()}
	connection, err := file.SyscallConn()
	if err != nil {
		return p
	}
	_ = connection.Control(func(fd uintptr) {
		// What the system does not tell stays 0, also after an error.
		var stat unix.Statx_t
		_ = unix.Statx(int(fd), "", unix.AT_EMPTY_PATH, unix.STATX_INO|unix.STATX_BTIME, &stat)
		p.File = stat.Ino
		p.Born = uint64(stat.Btime.Sec)*1e9 + uint64(stat.Btime.Nsec)
		var volume unix.Statfs_t
		_ = unix.Fstatfs(int(fd), &volume)
		p.Volume = uint64(uint32(volume.Fsid.Val[0]))<<32 | uint64(uint32(volume.Fsid.Val[1]))
	})
	return p
}

// ChangedAt returns when an open file was last written to or renamed, in ns; 0 if the system does
// not tell. No program can set that time.
func ChangedAt(file *os.File) (at uint64) {
	connection, err := file.SyscallConn()
	if err != nil {
		return 0
	}
	_ = connection.Control(func(fd uintptr) {
		var stat unix.Statx_t
		if err := unix.Statx(int(fd), "", unix.AT_EMPTY_PATH, unix.STATX_CTIME, &stat); err == nil {
			at = uint64(stat.Ctime.Sec)*1e9 + uint64(stat.Ctime.Nsec)
		}
	})
	return at
}

// machineID returns what systemd, or D-Bus, says about the machine.
func machineID() string { return firstText("/etc/machine-id", "/var/lib/dbus/machine-id") }

// firstText returns the content of the first file that has any.
func firstText(paths ...string) string {
	for _, path := range paths {
		if text, err := os.ReadFile(path); err == nil && len(text) > 0 {
			return string(text)
		}
	}
	return ""
}

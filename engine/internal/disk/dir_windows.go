// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"math"
	"os"

	"golang.org/x/sys/windows"
)

// ERROR_FILE_TOO_LARGE is the limit of one file: that of FAT is 4 GiB.
var noSpace = []error{
	windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL, windows.ERROR_DISK_QUOTA_EXCEEDED,
	windows.ERROR_FILE_TOO_LARGE,
}

// syncDir does nothing: Windows has no call for it, and NTFS journals changes to directories.
func syncDir(func() (*os.File, error)) error { return nil }

// TryLock takes the lock that bbolt takes on a file for writing. It reports false if another
// process has it. bbolt locks one byte at an offset that no data can have.
func TryLock(f *os.File) bool {
	at := &windows.Overlapped{Offset: math.MaxUint32, OffsetHigh: math.MaxUint32}
	const flags = windows.LOCKFILE_FAIL_IMMEDIATELY | windows.LOCKFILE_EXCLUSIVE_LOCK
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, at) == nil
}

// CanLockDirectories says that TryLock and IsLockedByAnother work with directories.
const CanLockDirectories = false

// IsLockedByAnother is not available.
func IsLockedByAnother(*os.File) bool { return false }

// Unlock does nothing: closing the file releases its locks.
func Unlock(*os.File) error { return nil }

// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"math"
	"os"

	"golang.org/x/sys/windows"
)

var noSpace = []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL}

// SyncDir does nothing: Windows has no call for it, NTFS journals the change.
func (OS) SyncDir(string) error { return nil }

// TryLock takes the lock that bbolt takes on a file that it writes, if nobody has it: that of one byte at an offset
// where no data can be.
func TryLock(f *os.File) bool {
	at := &windows.Overlapped{Offset: math.MaxUint32, OffsetHigh: math.MaxUint32}
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_FAIL_IMMEDIATELY|windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, at) == nil
}

// Unlock does nothing: closing the file gives up its locks.
func Unlock(*os.File) error { return nil }

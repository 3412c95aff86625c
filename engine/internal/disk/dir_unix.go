// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package disk

import (
	"errors"
	"os"
	"syscall"
)

// EFBIG is the limit of one file: that of FAT is 4 GiB, and ulimit -f sets one for a process.
var noSpace = []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}

// syncDir opens a directory and syncs it.
func syncDir(open func() (*os.File, error)) error {
	dir, err := open()
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// TryLock takes the advisory lock that bbolt takes on a file for writing. It reports false if
// another process has it.
func TryLock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// CanLockDirectories says that TryLock and IsLockedByAnother work with directories.
const CanLockDirectories = true

// IsLockedByAnother reports whether another open file has the lock of TryLock. It is false if the
// file system has no such locks.
func IsLockedByAnother(f *os.File) bool {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		_ = Unlock(f)
	}
	return errors.Is(err, syscall.EWOULDBLOCK)
}

// Unlock releases the advisory lock on a file.
func Unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

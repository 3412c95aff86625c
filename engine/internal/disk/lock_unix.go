// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package disk

import (
	"errors"
	"os"
	"syscall"
)

// SignPath returns the path of what is locked by OfSign. It is the directory of the daybook: a file
// has one lock here, and that of the tree's file is taken.
func SignPath(directory, _ string) string { return directory }

// PinPath returns the path of what is locked by OfPin. It is the directory of the log.
func PinPath(log, _ string) string { return log }

// TryLock takes a lock alone. It reports false if another open file has it.
func TryLock(f *os.File, _ Lock) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// TryShare takes a lock that others may share. It reports false if another open file has it alone.
func TryShare(f *os.File, _ Lock) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil
}

// IsTaken reports whether another open file has a lock, alone or shared. The file itself must not
// have it. It is false if the file system has no such locks.
func IsTaken(f *os.File, lock Lock) bool {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		_ = Unlock(f, lock)
	}
	return errors.Is(err, syscall.EWOULDBLOCK)
}

// IsLockedByAnother reports whether another open file has a lock alone. The file itself must not
// have it. It is false if the file system has no such locks.
func IsLockedByAnother(f *os.File, lock Lock) bool {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		_ = Unlock(f, lock)
	}
	return errors.Is(err, syscall.EWOULDBLOCK)
}

// Unlock releases a lock. It does nothing if the file does not have it.
func Unlock(f *os.File, _ Lock) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

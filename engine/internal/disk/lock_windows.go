// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"errors"
	"math"
	"os"

	"golang.org/x/sys/windows"
)

// SignPath returns the path of what is locked by OfSign. It is the tree's file: each byte of a file
// has a lock here, and a directory has none.
func SignPath(_, tree string) string { return tree }

// PinPath returns the path of what is locked by OfPin. It is the tree's file, too.
func PinPath(_, tree string) string { return tree }

// byteOf returns the byte that a lock is on: the last one that a file could have, which bbolt
// locks, and the two before. No file is so large, so a lock holds up nobody who reads or writes.
func (l Lock) byteOf() *windows.Overlapped {
	return &windows.Overlapped{Offset: math.MaxUint32 - uint32(l), OffsetHigh: math.MaxUint32}
}

// TryLock takes a lock alone. It reports false if another open file has it.
func TryLock(f *os.File, lock Lock) bool {
	return lock.take(f, windows.LOCKFILE_EXCLUSIVE_LOCK) == nil
}

func (l Lock) take(f *os.File, flags uint32) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), flags|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, l.byteOf())
}

// TryShare takes a lock that others may share. It reports false if another open file has it alone.
func TryShare(f *os.File, lock Lock) bool { return lock.take(f, 0) == nil }

// IsTaken reports whether another open file has a lock, alone or shared. The file itself must not
// have it. It is false if the file system has no such locks.
func IsTaken(f *os.File, lock Lock) bool {
	err := lock.take(f, windows.LOCKFILE_EXCLUSIVE_LOCK)
	if err == nil {
		_ = Unlock(f, lock)
	}
	return errors.Is(err, windows.ERROR_LOCK_VIOLATION)
}

// IsLockedByAnother reports whether another open file has a lock alone. The file itself must not
// have it. It is false if the file system has no such locks.
func IsLockedByAnother(f *os.File, lock Lock) bool {
	err := lock.take(f, 0)
	if err == nil {
		_ = Unlock(f, lock)
	}
	return errors.Is(err, windows.ERROR_LOCK_VIOLATION)
}

// Unlock releases a lock. It does nothing if the file does not have it.
func Unlock(f *os.File, lock Lock) error {
	err := windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, lock.byteOf())
	if errors.Is(err, windows.ERROR_NOT_LOCKED) || errors.Is(err, windows.ERROR_LOCK_VIOLATION) { // of wine
		return nil
	}
	return err
}

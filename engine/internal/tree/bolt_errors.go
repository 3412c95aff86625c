// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
)

// Beginnings of bbolt's errors that have no value to compare with. The errors of growing a file end
// with the text of the operating system's error, but do not wrap it.
const (
	boltTooSmall = "file size too small"
	boltResize   = "file resize error: "
	boltSync     = "file sync error: "
)

// lockedError says which process has the tree's file open.
func (t *Tree) lockedError() error {
	locked := &daybook.LockedError{Path: t.mapped.String()}
	if file, err := t.mapped.fs.Stat(t.mapped.path); err == nil {
		if holder, ok := disk.FindHolder(file); ok {
			locked.PID, locked.Program, locked.Stopped = holder.PID, holder.Program, holder.Stopped
		}
	}
	return locked
}

// describeOpenError returns the error to return for bbolt's error of opening a file.
func describeOpenError(path string, err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum),
		strings.HasPrefix(err.Error(), boltTooSmall):
		return fmt.Errorf("%w: %s is not a complete bbolt file, from offset 0 on: %w", daybook.ErrCorrupt, path, err)
	case errors.Is(err, bolterrors.ErrVersionMismatch):
		return fmt.Errorf("%w: %s: %w", daybook.ErrVersion, path, err)
	case isNoSpace(err):
		return fmt.Errorf("%w: %w", daybook.ErrNoSpace, err)
	case errors.Is(err, errNoAddressSpace):
		return fmt.Errorf("%w: %s cannot be mapped: the process has too little memory or address space for it: %w",
			daybook.ErrFailed, path, err)
	}
	return err
}

// WrapNoSpace returns an error that matches daybook.ErrNoSpace if err says that the disk or the
// quota is full, or that the tree's file has reached its maximum size. It returns other errors
// unchanged.
func WrapNoSpace(err error) error {
	if isNoSpace(err) && !errors.Is(err, daybook.ErrNoSpace) {
		return fmt.Errorf("%w: %w", daybook.ErrNoSpace, err)
	}
	return err
}

// IsAtMaxBytes reports whether err says that the tree's file has reached its maximum size. The disk
// may have space then.
func IsAtMaxBytes(err error) bool { return errors.Is(err, bolterrors.ErrMaxSizeReached) }

// isNoSpace reports whether err says that the tree's file cannot grow.
func isNoSpace(err error) bool {
	if err == nil {
		return false
	}
	if disk.IsNoSpace(err) || errors.Is(err, bolterrors.ErrMaxSizeReached) {
		return true
	}
	text := err.Error()
	growing := strings.HasPrefix(text, boltResize) || strings.HasPrefix(text, boltSync)
	return growing && slices.ContainsFunc(disk.NoSpaceErrors(), func(full error) bool {
		return strings.HasSuffix(text, full.Error())
	})
}

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

// WrapNoSpace returns an error that matches daybook.ErrNoSpace if err says that the disk or the quota is full, or
// that the tree's file has reached its maximum size. It returns other errors unchanged.
func WrapNoSpace(err error) error {
	if isNoSpace(err) && !errors.Is(err, daybook.ErrNoSpace) {
		return fmt.Errorf("%w: %w", daybook.ErrNoSpace, err)
	}
	return err
}

// isNoSpace reports whether err says that the tree's file cannot grow. When bbolt fails to grow the file, its error
// has the text of the operating system's error but does not wrap it.
func isNoSpace(err error) bool {
	if err == nil {
		return false
	}
	if disk.IsNoSpace(err) || errors.Is(err, bolterrors.ErrMaxSizeReached) {
		return true
	}
	text := err.Error()
	growing := strings.HasPrefix(text, "file resize error: ") || strings.HasPrefix(text, "file sync error: ")
	return growing && slices.ContainsFunc(disk.NoSpaceErrors(), func(full error) bool {
		return strings.HasSuffix(text, full.Error())
	})
}

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

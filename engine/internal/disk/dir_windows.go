// SPDX-License-Identifier: Apache-2.0

package disk

import (
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

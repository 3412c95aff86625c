// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"os"

	"golang.org/x/sys/windows"
)

var noSpace = []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL}

// SyncDir does nothing: Windows has no call for it, NTFS journals the change.
func (OS) SyncDir(string) error { return nil }

// Unlock does nothing: closing the file gives up its locks.
func Unlock(*os.File) error { return nil }

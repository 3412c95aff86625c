// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	"os"
	"syscall"
)

// allocated returns the bytes of the blocks that are allocated to a file.
func allocated(info os.FileInfo) int64 {
	const block = 512 // stat(2): st_blocks is the number of 512-byte blocks
	return info.Sys().(*syscall.Stat_t).Blocks * block
}

// writeBack makes the system write all cached changes to the device.
func writeBack() { syscall.Sync() }

// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	"os"
	"syscall"
)

// allocated is what a file occupies, in bytes.
func allocated(info os.FileInfo) int64 {
	const block = 512 // stat(2): st_blocks is the number of 512-byte blocks
	return info.Sys().(*syscall.Stat_t).Blocks * block
}

// writeBack has the system write back what it holds, so that the device has it.
func writeBack() { syscall.Sync() }

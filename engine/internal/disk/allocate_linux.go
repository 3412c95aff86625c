// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// allocate calls fallocate.
func allocate(f *os.File, size int64) error {
	for {
		if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err != unix.EINTR {
			return err
		}
	}
}

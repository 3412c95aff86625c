// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// datasync calls fdatasync. It does not write the file's times, which would cost one more write
// each time.
func datasync(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return err
		}
	}
}

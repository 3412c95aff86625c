// SPDX-License-Identifier: Apache-2.0

package smalldisk

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Mount mounts a tmpfs of size bytes on a temporary directory and returns the directory. It
// unmounts the tmpfs when the test ends. Without the right to mount it skips the test. With the
// environment variable DAYBOOK_PROOF=required the test fails instead.
func Mount(t *testing.T, size int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		if os.Getenv("DAYBOOK_PROOF") != "required" && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)) {
			t.Skip("mounting a tmpfs needs the rights of root:", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	return dir
}

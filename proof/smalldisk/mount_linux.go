// SPDX-License-Identifier: Apache-2.0

package smalldisk

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Mount mounts a tmpfs of size bytes until the test ends, and returns where. A test that may not is skipped, or fails where
// the proof is required.
func Mount(t *testing.T, size int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		if os.Getenv("DAYBOOK_PROOF") != "required" && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)) {
			t.Skip("needs the right to mount a small tmpfs, which root has:", err)
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

// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

// OpenFiles returns what this process has open whose path begins with prefix: files, directories,
// and also what has no path, such as pipes, if prefix is empty. Two calls can be compared. It
// returns nothing where no system tells.
func OpenFiles(t testing.TB, prefix string) (open []string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return nil
	}
	const handles = "/proc/self/fd"
	entries, err := os.ReadDir(handles)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		// The handle of ReadDir itself is closed by now.
		if path, err := os.Readlink(handles + "/" + entry.Name()); err == nil && strings.HasPrefix(path, prefix) {
			open = append(open, path)
		}
	}
	return open
}

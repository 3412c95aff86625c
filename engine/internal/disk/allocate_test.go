// SPDX-License-Identifier: Apache-2.0

package disk_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestAllocate gives a file a size. It reads as zeros, or is empty where the file system cannot do
// it.
func TestAllocate(t *testing.T) {
	const size = 300<<10 + 1
	at := t.TempDir()
	dir, path := mustOpen(t, at), filepath.Join(at, "file")
	file, err := dir.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, size)
	allocated := file.Allocate(size)
	if errors.Is(allocated, errors.ErrUnsupported) {
		want = nil
	} else if allocated != nil {
		t.Fatal(allocated)
	}
	if err := errors.Join(file.Datasync(), file.Close()); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("after %v: %d bytes, %v; want %d zeros", allocated, len(got), err, len(want))
	}
	pathError := (*fs.PathError)(nil)
	if err := file.Allocate(size); !errors.As(err, &pathError) || pathError.Path != path {
		t.Errorf("a closed file: %v; want an error with its path", err)
	}
}

// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// asAnotherUser calls fn with the rights that a user without rights has.
func asAnotherUser(fn func()) {
	if os.Geteuid() == 0 {
		runtime.LockOSThread() // each thread has rights of its own
		defer runtime.UnlockOSThread()
		_, _ = unix.SetfsuidRetUid(12345)
		defer func() { _, _ = unix.SetfsuidRetUid(0) }()
	}
	fn()
}

// TestMkdirCannotSync makes directories where they can be made, but cannot be made durable: the
// directory above may not be opened.
func TestMkdirCannotSync(t *testing.T) {
	parent := t.TempDir()
	t.Chdir(parent) // another user may not reach it by its path
	dir, err := (OS{}).OpenDirectory(parent)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for name, makeOne := range map[string]func(name string) error{
		"Mkdir":    func(name string) error { return dir.Mkdir(filepath.Join(parent, name)) },
		"MkdirAll": func(name string) error { _, err := (OS{}).MkdirAll(name); return err },
	} {
		if err := os.Chmod(parent, 0o333); err != nil {
			t.Fatal(err)
		}
		asAnotherUser(func() { err = makeOne(name) })
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: got %v; want ErrPermission", name, err)
		}
		if err := os.Chmod(parent, 0o777); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(parent, name)); err != nil || !info.IsDir() {
			t.Errorf("%s could not even make the directory: %v", name, err)
		}
	}
}

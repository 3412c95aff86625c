// SPDX-License-Identifier: Apache-2.0

package disk_test

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"

	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestNoHandleIsLeft does each operation, and counts the handles that are open before and after.
func TestNoHandleIsLeft(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the garbage collector would close what was forgotten
	parent := t.TempDir()
	at, large := filepath.Join(parent, "at"), filepath.Join(parent, "large")
	for _, dir := range []string{at, large} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(large, "file"), filepath.Join(at, "link")); err != nil {
		t.Fatal(err)
	}
	open := func() int { return len(testenv.OpenFiles(t, "")) }
	// The first file that a program opens makes the runtime open two handles of its own.
	if err := os.WriteFile(filepath.Join(large, "first"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before := open()
	dir, err := (disk.OS{}).OpenDirectory(at)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(at, "file")
	created, err := dir.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	_ = created.Close()
	if _, err := dir.FollowLink(filepath.Join(at, "link")); err != nil {
		t.Error(err)
	}
	for name, do := range map[string]func() error{
		"Mkdir":     func() error { return dir.Mkdir(filepath.Join(at, "made")) },
		"MkdirAll":  func() error { _, err := (disk.OS{}).MkdirAll(filepath.Join(at, "all")); return err },
		"SyncDir":   func() error { return dir.SyncDir(at) },
		"ReadDir":   func() error { _, err := dir.ReadDir(at); return err },
		"ReadFile":  func() error { _, err := dir.ReadFile(file); return err },
		"ReadStart": func() error { _, _, err := dir.ReadStart(file, 1); return err },
		"Stat":      func() error { _, err := dir.Stat(file); return err },
		"FreeSpace": func() error { dir.FreeSpace(at); return nil },
		"DiskSize":  func() error { dir.DiskSize(at); return nil },
		"Verify":    dir.Verify,
		"Hold":      func() error { return dir.Hold(large) }, // Close closes it
	} {
		start := open()
		if err := do(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if left := open() - start; left != 0 && name != "Hold" {
			t.Errorf("%s leaves %d handles open", name, left)
		}
	}
	if err := dir.Close(); err != nil {
		t.Error(err)
	}
	if left := open() - before; left != 0 {
		t.Errorf("%d handles are open after Close", left)
	}
}

// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestFilesOfAnotherUser does what an administrator does with sudo to the daybook of a program that
// runs as another user. The program must be able to open all files afterwards.
func TestFilesOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs the right to give files to another user, which root has")
	}
	const user, group = 12345, 23456
	home := t.TempDir()
	if err := os.Chown(home, user, group); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(home, "history")
	// foreign returns the files that belong to another user, and the number of all files.
	foreign := func() (others []string, files int) {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			info, statErr := os.Stat(path)
			if errors.Is(statErr, fs.ErrNotExist) { // it had another name in the meantime
				return nil
			}
			if err := errors.Join(err, statErr); err != nil {
				return err
			}
			if stat := info.Sys().(*syscall.Stat_t); stat.Uid != user || stat.Gid != group {
				others = append(others, fmt.Sprintf("%s belongs to %d and group %d", path, stat.Uid, stat.Gid))
			}
			files++
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		return others, files
	}
	check := func(when string) {
		t.Helper()
		others, files := foreign()
		deadline := time.Now().Add(time.Minute)
		for ; len(others) > 0 && time.Now().Before(deadline); others, files = foreign() {
			time.Sleep(time.Millisecond) // the log makes a segment in the background, and changes its owner later
		}
		if len(others) > 0 || files < 4 { // two directories, the tree, and a segment of the log
			t.Errorf("%s: %d files; want at least 4, all of %d and group %d: %q", when, files, user, group, others)
		}
	}
	// Files that exist keep their owner, above all a file that another user has put in the way.
	secret := filepath.Join(t.TempDir(), "secret")
	if err := errors.Join(os.WriteFile(secret, nil, 0o600), os.Mkdir(dir, 0o700),
		os.Symlink(secret, filepath.Join(dir, TreeFile))); err != nil {
		t.Fatal(err)
	}
	if db, err := Open(dir, nil); err == nil {
		mustClose(t, db)
	}
	if info, err := os.Stat(secret); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("the file behind a link was given away: %v", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}

	db := mustOpen(t, dir, nil)
	mustStore(t, db, "r", "1", 1)
	check("made by root")
	if err := db.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	check("compacted")
	mustClose(t, db)

	if err := os.WriteFile(filepath.Join(dir, TreeFile), make([]byte, 1<<16), 0); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, dir, &Options{OnCorruption: OnCorruptionQuarantine, Logger: discard})
	mustStore(t, db, "r", "2", 2)
	check("set aside")
	mustClose(t, db)
}

// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/daybook-db/daybook/engine/internal/disk"
)

// TreeFile is the name of the tree's file in a daybook's directory. Another file gets the name in a
// compaction, a salvage and a Restore.
const TreeFile = "daybook.db"

// The other files in a daybook's directory. The package documentation says what each holds.
const (
	logName      = "wal"
	reserveName  = "reserve"
	copyName     = "daybook.new.db"      // a copy of the tree that compaction or salvage is making
	salvagedName = "daybook.salvaged.db" // a complete salvaged tree, before it gets the tree's name
	restoredName = "daybook.restored.db" // a tree that Restore is writing
	syncName     = "daybook.sync"        // an empty file that syncRename makes and removes at once
)

// Exists reports whether dir holds a daybook, complete or damaged. A log without a tree counts,
// because Open reports that as damage. An empty tree without a log does not: the first Open of that
// directory did not finish.
// Errors: the operating system's, when it cannot tell.
func Exists(dir string) (bool, error) {
	if _, err := os.Stat(filepath.Join(dir, logName)); !errors.Is(err, fs.ErrNotExist) {
		return err == nil, err
	}
	info, err := os.Stat(filepath.Join(dir, TreeFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.Size() > 0, err
}

// directory is the directory of a daybook on its file system.
type directory struct {
	path string
	fs   disk.FS
}

func (d directory) file(name string) string { return filepath.Join(d.path, name) }

// sync makes durable which files the directory holds.
func (d directory) sync() error { return d.fs.SyncDir(d.path) }

func (d directory) rename(from, to string) error { return d.fs.Rename(d.file(from), d.file(to)) }

// remove removes a file. A missing file is no error.
func (d directory) remove(name string) error {
	err := d.fs.Remove(d.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// removeUnfinished removes the files of operations that a crash interrupted.
func (d directory) removeUnfinished() error {
	var errs []error
	for _, name := range []string{copyName, salvagedName, restoredName, syncName} {
		errs = append(errs, d.remove(name))
	}
	return errors.Join(errs...)
}

// create makes the directory. While it holds no log, the directories above are made durable too: an
// earlier Open may have made them and failed, or crashed, before it could do so.
func (d directory) create(hasLog bool) error {
	if err := d.fs.MkdirAll(d.path); err != nil || hasLog {
		return err
	}
	return disk.SyncAncestors(d.fs, d.path)
}

// hasLog reports whether the log's directory exists. It is created once the tree is durable, so a
// tree that is missing or empty beside it was lost; without it, such a tree was never finished.
func (d directory) hasLog() bool {
	_, err := os.Stat(d.file(logName))
	return err == nil
}

// unusedName returns a name for a damaged file that no other file has: daybook.corrupt-1.db, for
// example.
func (d directory) unusedName(name string) (string, error) {
	extension := filepath.Ext(name)
	for n := 1; ; n++ {
		unused := fmt.Sprintf("%s.corrupt-%d%s", strings.TrimSuffix(name, extension), n, extension)
		if _, err := os.Lstat(d.file(unused)); errors.Is(err, fs.ErrNotExist) {
			return unused, nil
		} else if err != nil {
			return "", err
		}
	}
}

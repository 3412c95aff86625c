// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
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
	sessionName  = "session"
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
	d, err := openDirectory(dir, disk.OS{})
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = d.fs.Close() }()
	return d.hasDaybook()
}

// canReplaceOpenFiles says whether the operating system lets a rename replace an open file.
const canReplaceOpenFiles = runtime.GOOS != "windows"

// maxRetired is the number of replaced trees that may be open, where they need a name.
const maxRetired = 16

// directory is the open directory of a daybook. The tree and the log may be elsewhere, where a
// symbolic link in their place leads. The other files that can get the tree's name, and the
// reserve, are always beside the tree: a file can only be renamed on its own disk.
type directory struct {
	path string
	tree string // path of the tree's file
	log  string // path of the log's directory
	fs   disk.FS

	// movesAside says that a compaction moves the old tree aside instead of replacing it.
	movesAside bool
}

func openDirectory(path string, system disk.System) (directory, error) {
	d := directory{path: path, movesAside: !canReplaceOpenFiles}
	var err error
	if d.fs, err = system.OpenDirectory(path); err != nil {
		return d, err
	}
	d.tree, err = d.fs.FollowLink(filepath.Join(path, TreeFile))
	if err == nil {
		err = d.checkTreeName()
	}
	if err == nil {
		d.log, err = d.fs.FollowLink(filepath.Join(path, logName))
	}
	if err != nil {
		_ = d.fs.Close()
	}
	return d, err
}

// openOrCreateDirectory is openDirectory that makes a missing directory. While it holds no log, the
// directories above are made durable too: an earlier Open may have made them and failed, or
// crashed, before it could do so.
func openOrCreateDirectory(path string, system disk.System) (directory, error) {
	if _, err := system.MkdirAll(path); err != nil {
		return directory{}, err
	}
	d, err := openDirectory(path, system)
	if err == nil && !d.hasLog() {
		if err = disk.SyncAncestors(system, path); err != nil {
			_ = d.fs.Close()
		}
	}
	return d, err
}

// file returns the path of a file of the daybook.
func (d directory) file(name string) string {
	switch name {
	case TreeFile:
		return d.tree
	case logName:
		return d.log
	case sessionName:
		return filepath.Join(d.path, sessionName)
	}
	dir, tree := filepath.Split(d.tree)
	if tree == TreeFile {
		return filepath.Join(dir, name)
	}
	// Other daybooks may have their trees in that directory too, so each tree has names of its own.
	extension := filepath.Ext(tree)
	return filepath.Join(dir, strings.TrimSuffix(tree, extension)+"."+wordOf(name)+extension)
}

// wordOf returns what tells a file beside the tree from it: "new" for copyName.
func wordOf(name string) string {
	name = strings.TrimPrefix(name, strings.TrimSuffix(TreeFile, treeExtension)+".")
	return strings.TrimSuffix(name, treeExtension)
}

// checkTreeName returns an error if a link leads to a file with a name that another daybook gives
// to a file beside its tree, where it would be removed or replaced.
func (d directory) checkTreeName() error {
	name := filepath.Base(d.tree)
	parts := strings.Split(name, ".")
	for _, part := range parts[max(1, len(parts)-2):] {
		if slices.Contains(wordsBesideTree, part) || strings.HasPrefix(part, retiredWord+"-") {
			return fmt.Errorf("the symbolic link %s leads to %s: %q stands in the names of files beside a tree; "+
				"choose another name", filepath.Join(d.path, TreeFile), d.tree, part)
		}
	}
	return nil
}

// wordsBesideTree are the words of the files that are made, replaced and removed beside the tree.
var wordsBesideTree = []string{
	wordOf(reserveName), wordOf(copyName), wordOf(salvagedName), wordOf(restoredName), wordOf(syncName),
}

const (
	treeExtension = ".db"
	retiredWord   = "old"
)

// sync makes durable which files the daybook has.
func (d directory) sync() error {
	var errs []error
	dirs := []string{d.path, filepath.Dir(d.tree), filepath.Dir(d.log)}
	for i, dir := range dirs {
		if dir = filepath.Clean(dir); !slices.Contains(dirs[:i], dir) {
			errs = append(errs, d.fs.SyncDir(dir))
		}
		dirs[i] = dir
	}
	return errors.Join(errs...)
}

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
	for n := range maxRetired {
		// Windows may refuse it while a reader that gave way still has the file mapped into
		// memory. That must not make this Open fail, and the next one tries again.
		_ = d.fs.Remove(d.retiredPath(n + 1))
	}
	if filepath.Dir(d.tree) != filepath.Clean(d.path) {
		// Before the tree became a link, its reserve was here.
		if err := d.fs.Remove(filepath.Join(d.path, reserveName)); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// hasLog reports whether the log's directory exists. It is created once the tree is durable, so a
// tree that is missing or empty beside it was lost; without it, such a tree was never finished.
func (d directory) hasLog() bool {
	_, err := d.fs.Stat(d.log)
	return err == nil
}

// hasDaybook is Exists.
func (d directory) hasDaybook() (bool, error) {
	if _, err := d.fs.Stat(d.log); !errors.Is(err, fs.ErrNotExist) {
		return err == nil, err
	}
	info, err := d.fs.Stat(d.tree)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.Size() > 0, err
}

// retiredPath returns a path for a replaced tree that queries still read: daybook.old-1.db, for
// example.
func (d directory) retiredPath(n int) string { return numbered(d.tree, retiredWord, n) }

// freeRetiredPath returns a retiredPath that no file has.
func (d directory) freeRetiredPath() (string, error) {
	for n := range maxRetired {
		free := d.retiredPath(n + 1)
		if _, err := d.fs.Lstat(free); errors.Is(err, fs.ErrNotExist) {
			return free, nil
		} else if err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("queries still read %d trees that compactions have replaced in %s: end them",
		maxRetired, d.path)
}

// numbered returns a path with a word and a number before its extension.
func numbered(path, word string, n int) string {
	extension := filepath.Ext(path)
	return fmt.Sprintf("%s.%s-%d%s", strings.TrimSuffix(path, extension), word, n, extension)
}

// freePath returns a path for a damaged file that no other file has: daybook.corrupt-1.db, for
// example.
func (d directory) freePath(name string) (string, error) {
	path := d.file(name)
	for n := 1; ; n++ {
		free := numbered(path, corruptWord, n)
		if _, err := d.fs.Lstat(free); errors.Is(err, fs.ErrNotExist) {
			return free, nil
		} else if err != nil {
			return "", err
		}
	}
}

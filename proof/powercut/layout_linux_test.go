// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package powercut

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/journal"
)

// layout says where the files of the daybook are.
type layout int

const (
	// plain: all in one directory of the disk, which the first Open creates.
	plain layout = iota
	// linked: the directory has only symbolic links, to a tree and to a log in two directories of
	// the disk. The links themselves are not on the disk, and survive.
	linked
)

// The directories of a linked daybook, relative to the root of the disk.
const (
	treeDir = "large"
	logDir  = "fast"
)

// base returns the content of the disk before the first Open.
func (l layout) base() journal.Image {
	if l == plain {
		return journal.Image{}
	}
	return journal.Image{Dirs: []string{logDir, treeDir}}
}

// open returns the directory to open, of a daybook on the disk that is mounted at root. links is
// the path of a directory that open may replace.
func (l layout) open(root, links string) (dir string, err error) {
	if l == plain {
		return filepath.Join(root, filepath.FromSlash(dbDir)), nil
	}
	err = errors.Join(os.RemoveAll(links), os.Mkdir(links, 0o700),
		os.Symlink(filepath.Join(root, treeDir, "history.db"), filepath.Join(links, engine.TreeFile)),
		os.Symlink(filepath.Join(root, logDir, "segments"), filepath.Join(links, "wal")))
	return links, err
}

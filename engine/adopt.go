// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"

	"github.com/daybook-db/daybook/engine/internal/tree"
)

// renameToTree gives a file the tree's name. A file system may return an error although it has
// renamed, or has done so in part; what counts is the file that the name leads to.
func (t *turn) renameToTree(name string, complete *tree.Tree) error {
	err := t.db.dir.rename(name, TreeFile)
	if err == nil {
		return nil
	}
	path := t.db.dir.file(TreeFile)
	if isTree, _ := complete.IsAt(path); isTree {
		return nil
	}
	if isTree, _ := t.tree().IsAt(path); isTree {
		return err
	}
	return t.strand(complete, err)
}

// adoptTree makes a file that has got the tree's name the tree, whatever else fails, because
// nothing may be written to the old file any more.
func (t *turn) adoptTree(complete *tree.Tree) error {
	complete.SetPath(t.db.dir.file(TreeFile))
	t.replace(complete)
	t.limitTree()
	t.pace.wait = 0
	if file, used, err := complete.Size(); err == nil {
		t.pace.spread = float64(file) / float64(max(used, 1))
	}
	// Until the name is durable, a power cut leaves the old file or the new one. They hold the same
	// values as long as nothing is written to either.
	err := t.db.dir.sync()
	t.renameUnsynced = err != nil
	return errors.Join(err, t.measure())
}

// syncRename makes the tree's name durable if that failed after a rename. It changes the directory
// once more first: after a failed sync the operating system may have nothing left to write, and
// another sync succeeds without having written the name. Each write to the tree begins with it.
func (t *turn) syncRename() error {
	if !t.renameUnsynced {
		return nil
	}
	dir := t.db.dir
	file, err := dir.fs.Create(dir.file(copyName))
	if err == nil {
		err = errors.Join(file.Close(), dir.remove(copyName))
	}
	if err == nil {
		err = dir.sync()
	}
	t.renameUnsynced = err != nil
	return tree.WrapNoSpace(err)
}

// strand stops all writes to the tree. It leaves both files as they are, and locked, until Close:
// after a rename that failed in an unknown state either may be the tree when the directory is
// opened again.
func (t *turn) strand(complete *tree.Tree, cause error) error {
	t.stranded, t.copy = complete, nil
	return t.tree().Fail(cause)
}

// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/daybook-db/daybook/engine/internal/tree"
)

// renameToTree gives a complete file the tree's name. A file system may return an error although it
// has done the rename, or half of it. So after an error it looks which file the name leads to: the
// complete one (the rename was done), the present tree (it was not), or neither.
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

// replaceByCopy gives a complete copy the tree's name. Where an open file cannot be replaced, the
// old one gets another path, retired, because running queries still read it. That takes three
// renames:
//
//  1. the copy from copyName to salvagedName, which says that it is complete
//  2. the old tree from TreeFile to retired
//  3. the copy from salvagedName to TreeFile
//
// After a crash the names show which renames were done. Open does the last one if the old tree has
// been moved, in finishSalvage, and removes the other files.
func (t *turn) replaceByCopy(complete *tree.Tree) (retired string, err error) {
	dir := t.db.dir
	if !dir.movesAside {
		return "", t.renameToTree(copyName, complete)
	}
	if retired, err = dir.freeRetiredPath(); err != nil {
		return "", err
	}
	err = dir.rename(copyName, salvagedName)
	if err == nil {
		err = dir.sync()
	}
	if err == nil {
		err = dir.fs.Rename(dir.tree, retired)
	}
	if err == nil {
		err = dir.rename(salvagedName, TreeFile)
	}
	if isTree, _ := complete.IsAt(dir.tree); isTree {
		return retired, nil
	}
	return "", t.undoMove(complete, retired, err)
}

// undoMove gives the old tree and its copy their names back after replaceByCopy has failed.
func (t *turn) undoMove(complete *tree.Tree, retired string, cause error) error {
	dir := t.db.dir
	if isTree, _ := t.tree().IsAt(dir.tree); !isTree {
		if err := dir.fs.Rename(retired, dir.tree); err != nil {
			return t.strand(complete, errors.Join(cause, err))
		}
	}
	_ = dir.rename(salvagedName, copyName) // where the copy is removed
	if cause == nil {
		cause = fmt.Errorf("%s is not where it was renamed to", copyName)
	}
	return cause
}

// adoptTree makes a complete file, which has the tree's name already, the tree. It does so whatever
// else fails, because nothing may be written to the old file any more. retired is the path that the
// old file got; empty: it has none any more, or keeps it.
func (t *turn) adoptTree(complete *tree.Tree, retired string) error {
	complete.SetPath(t.db.dir.file(TreeFile))
	t.replace(complete, retired)
	t.passIdentity()
	t.limitTree()
	t.pace.wait = 0 // a compaction was possible
	t.undroppable = 0
	if file, used, err := complete.Size(); err == nil {
		t.pace.spread = float64(file) / float64(max(used, 1))
	}
	// Until the name is durable, a power cut leaves the old file or the new one under it. That is
	// as good as long as nothing is written to the new one: see syncRename.
	err := t.db.dir.sync()
	t.renameUnsynced = err != nil
	return errors.Join(err, t.measure())
}

// prepareToWrite verifies that the tree is the one that the next Open opens, and makes its name
// durable. Each write to the tree begins with it.
func (t *turn) prepareToWrite() error {
	if err := t.verifyDirectory(); err != nil {
		return err
	}
	return t.syncRename()
}

// verifyDirectory makes the log and the tree fail if the directory or the tree's file was moved,
// replaced or deleted while it was open. Then the next Open would not find what is written.
func (t *turn) verifyDirectory() error {
	db := t.db
	err := db.dir.fs.Verify()
	if err == nil {
		err = db.dir.verifyTree(t.tree())
	}
	if err == nil {
		return nil
	}
	if db.log != nil {
		_ = db.log.Fail(err)
	}
	return t.tree().Fail(err)
}

// verifyTree returns an error if the tree's path leads to another file than the open tree, or to
// none.
func (d directory) verifyTree(open *tree.Tree) error {
	isTree, err := open.IsAt(d.tree)
	if isTree || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("the file %s was moved, replaced or deleted while it was open: put it back, or restore a "+
		"backup, and open the directory again", d.tree)
}

// verifyTree is what the log asks now and then: without its tree, the log's values are not found.
// It knows nothing while another file gets the tree's name.
func (db *DB) verifyTree() error {
	if !db.trees.naming.TryRLock() {
		return nil
	}
	defer db.trees.naming.RUnlock()
	return db.dir.verifyTree(db.trees.get())
}

// syncRename makes the tree's name durable if adoptTree could not. It changes the directory before
// the sync: after a failed sync the operating system may have nothing left to write, and another
// sync would succeed without having written the name.
func (t *turn) syncRename() error {
	if !t.renameUnsynced {
		return nil
	}
	dir := t.db.dir
	file, err := dir.fs.Create(dir.file(syncName))
	if err == nil {
		err = errors.Join(file.Close(), dir.remove(syncName))
	}
	if err == nil {
		err = dir.sync()
	}
	t.renameUnsynced = err != nil
	return tree.WrapNoSpace(err)
}

// strand stops all writes to the tree, after a rename in an unknown state: either file may have the
// tree's name when the directory is opened again. Both stay as they are, and locked, until Close.
func (t *turn) strand(complete *tree.Tree, cause error) error {
	t.stranded, t.copy = complete, nil
	return t.tree().Fail(cause)
}

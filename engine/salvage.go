// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

// retrySalvaged returns err, which work has returned, unless it is damage that Quarantine deals
// with: then it salvages the tree and calls work once more.
func (t *turn) retrySalvaged(ctx context.Context, err error, work func() error) error {
	if !t.db.quarantines(err) {
		return err
	}
	if err := t.salvage(ctx, err); err != nil {
		return err
	}
	return work()
}

// salvage copies what can be read of a damaged tree into a new file, sets the damaged one aside,
// and goes on with the new one. A crash leaves one or the other as the tree.
//
// It returns the damage itself on a system that cannot replace an open file, and if Check finds no
// damage. It returns another error if it failed; then everything is as before, or the tree takes no
// more writes.
func (t *turn) salvage(ctx context.Context, damage error) error {
	t.giveUpCopy(damage)
	t.db.heads.treeShrinks()
	before, err := t.tree().State()
	if errors.Is(err, daybook.ErrCorrupt) {
		return damage
	}
	_, used, sizeErr := t.tree().Size()
	err = errors.Join(err, sizeErr, t.tree().Failure(), t.db.checkRoomOnDisk(used), t.db.dir.remove(copyName))
	if err == nil {
		if found := t.tree().Check(ctx); !errors.Is(found, daybook.ErrCorrupt) {
			return cmp.Or(ctx.Err(), damage)
		}
		err = t.replaceBySalvaged(ctx, damage, before.Values)
	}
	if err != nil {
		return fmt.Errorf("the undamaged part of the tree could not take its place: %w (the damage: %v)",
			tree.WrapNoSpace(err), damage)
	}
	return nil
}

// replaceBySalvaged copies what can be read of the tree, and makes that the tree. values is the
// number of values in the damaged tree.
func (t *turn) replaceBySalvaged(ctx context.Context, damage error, values uint64) error {
	salvaged, err := t.tree().Salvage(ctx, t.db.dir.file(copyName))
	if err != nil {
		return errors.Join(err, t.db.dir.remove(copyName))
	}
	after, err := salvaged.State()
	if err == nil {
		err = t.countDestroyed(ctx, salvaged)
	}
	if err != nil {
		return errors.Join(err, salvaged.Close(), t.db.dir.remove(copyName))
	}
	if err := t.adoptSalvaged(salvaged, damage); err != nil {
		return err
	}
	t.saveQuarantined()
	t.db.opts.Logger.ErrorContext(ctx, "daybook: left out damaged values", "dir", t.db.dir.path,
		"values_left", after.Values, "values_lost", values-min(after.Values, values))
	return nil
}

// adoptSalvaged makes a salvaged file the tree, in three renames:
//
//  1. the salvaged file from copyName to salvagedName, which says that it is complete
//  2. the damaged tree from TreeFile to a name that is not in use
//  3. the salvaged file from salvagedName to TreeFile
//
// After a crash the names show which renames were done, and finishSalvage does the last one. After
// an error of the first or the second, it looks whether the damaged file still has the tree's name.
func (t *turn) adoptSalvaged(salvaged *tree.Tree, damage error) error {
	t.db.trees.naming.Lock()
	defer t.db.trees.naming.Unlock()
	dir := t.db.dir
	err := dir.rename(copyName, salvagedName)
	if err == nil {
		err = dir.sync()
	}
	if err == nil {
		err = t.db.setAside(TreeFile, damage)
	}
	if isTree, _ := t.tree().IsAt(dir.file(TreeFile)); isTree {
		return errors.Join(err, salvaged.Close(), dir.remove(copyName), dir.remove(salvagedName), dir.sync())
	}
	if err != nil {
		return t.strand(salvaged, err)
	}
	if err := t.renameToTree(salvagedName, salvaged); err != nil {
		return err
	}
	t.place = prunePlace{}        // the records that it passed over may be undamaged now
	_ = t.adoptTree(salvaged, "") // a name that is not durable yet will be before the next write
	return nil
}

// finishSalvage does the last rename of adoptSalvaged if a crash interrupted it.
func (db *DB) finishSalvage() error {
	path := db.dir.file(TreeFile)
	if _, err := db.dir.fs.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := db.dir.fs.OpenFile(db.dir.file(salvagedName), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if !disk.TryLock(file, disk.OfTree) {
		return errInUse(path)
	}
	return db.dir.rename(salvagedName, TreeFile)
}

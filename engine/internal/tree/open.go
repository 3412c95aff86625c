// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"
	"io/fs"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// Open opens or creates the file at path, in the open directory fsys, and locks it. It changes
// nothing in a damaged file.
// Errors: daybook.ErrLocked, ErrCorrupt, ErrVersion, ErrNoSpace, or the operating system's.
func Open(fsys disk.FS, path string, opts Options) (*Tree, error) {
	t := &Tree{
		mapped: mappedFile{fs: fsys, path: path}, opts: opts, coder: codec.NewCoder(),
		unsaved: make(map[uint64]bool), pin: newPin(),
	}
	info, err := fsys.Stat(path)
	missing := errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0
	if missing && opts.Existing {
		return nil, fmt.Errorf("%w: %s is missing or cut off at offset 0, though other files of the daybook exist: "+
			"restore a backup, or open it with OnCorruptionQuarantine to keep what the log has",
			daybook.ErrCorrupt, path)
	}
	if opts.ReadOnly {
		if err := t.waitForNoSign(max(opts.LockTimeout, 0)); err != nil {
			return nil, err
		}
	} else {
		t.sign = t.raiseSign()
		defer func() { t.sign.lower(); t.sign = nil }()
	}
	if !missing && !opts.ReadOnly {
		if err := t.verifyFile(); err != nil {
			return nil, err
		}
	}
	if t.bolt, err = t.openBolt(opts.ReadOnly); err != nil {
		return nil, err
	}
	t.bolt.AllocSize = allocSize
	t.SetMaxBytes(opts.MaxBytes)
	if opts.ReadOnly {
		t.mapped.lease = t.newLease()
	}
	if err := t.start(); err != nil {
		_ = t.closeBolt()
		return nil, err
	}
	return t, nil
}

// verifyFile opens the file for reading and verifies it, before it is opened for writing, because
// bbolt then believes what it finds. It empties a file whose creation was interrupted by a power
// cut.
func (t *Tree) verifyFile() (err error) {
	t.bolt, err = t.openBolt(true)
	if err == nil {
		_, err = t.examine()
		err = errors.Join(err, t.closeBolt())
	}
	if errors.Is(err, daybook.ErrCorrupt) && !t.opts.Existing {
		erased, eraseErr := eraseUnfinished(t.mapped)
		if erased || eraseErr != nil {
			return eraseErr
		}
	}
	return err
}

// start prepares the open file for use, and creates the buckets of a new one.
func (t *Tree) start() error {
	exists, err := t.examine()
	switch {
	case err != nil:
		return err
	case !exists:
		return t.create()
	case t.opts.ReadOnly:
		return nil
	}
	if err := t.confirm(); err != nil {
		return err
	}
	// The tree is not sealed if the program crashed before the seal. On a full disk the next commit
	// seals it.
	if err := t.seal(); err != nil && !errors.Is(err, daybook.ErrNoSpace) {
		return err
	}
	if saved, err := t.Identity(); err == nil && saved.IsZero() {
		t.SetIdentity(identity.New())
	}
	return nil
}

// confirm makes the file's last commit durable. It may not be: the process may have died before the
// last sync of the commit, or that sync may have failed. After a failed sync the operating system
// takes the page for clean, and another sync writes nothing. So confirm writes the meta page again.
// The pages that it leads to were synced before it was first written. An overwrite needs no space.
func (t *Tree) confirm() error {
	return t.view(func(_ *bbolt.Tx, image *pages.Image) error {
		meta, offset, err := image.MetaPage()
		if err == nil {
			_, err = t.file.WriteAt(meta, offset)
		}
		if err == nil {
			err = disk.Datasync(t.file)
		}
		return WrapNoSpace(err)
	})
}

// examine reports whether the file has a tree, and loads the checksums of its pages and the
// identity.
func (t *Tree) examine() (exists bool, err error) {
	if t.changedBeforeOpen == 0 {
		t.changedBeforeOpen = t.ChangedAt()
	}
	err = t.viewBolt(func(tx *bbolt.Tx) error {
		image := pages.NewImage(tx, nil, nil)
		if err := t.checkSize(image); err != nil {
			return err
		}
		t.useEmptyTable(image)
		if exists, err = t.hasFormat(image); err != nil {
			return err
		}
		if !exists {
			_, err = image.Free() // bbolt will read nothing else of an empty file
			return err
		}
		if metas := image.CheckMetas(); len(metas) > 0 {
			t.damagedMeta = t.mapped.describe(metas[0])
		}
		return t.load(image)
	})
	return exists, t.mapped.describe(err)
}

// load loads the checksums of the pages and the identity of a file that has a tree.
func (t *Tree) load(image *pages.Image) error {
	if err := checkKeys(image); err != nil {
		return err
	}
	if err := t.loadTable(image); err != nil {
		return err
	}
	return t.loadIdentity(image)
}

// useEmptyTable sets the table of checksums to an empty one: the last commit's pages are not known
// yet.
func (t *Tree) useEmptyTable(image *pages.Image) {
	empty := newCommittedTable(pages.NewTable(valuesBucket, recordsBucket))
	empty.from, empty.to = image.Tx(), image.Tx()
	t.committed.Store(empty)
}

// checkSize finds out that a file was cut off before its missing pages are read.
func (t *Tree) checkSize(image *pages.Image) error {
	info, err := t.mapped.fs.Stat(t.mapped.path)
	if err == nil && info.Size() < image.Size() {
		err = fmt.Errorf("%w: %s has been cut off at offset %d; its pages take %d bytes",
			daybook.ErrCorrupt, t.mapped, info.Size(), image.Size())
	}
	return err
}

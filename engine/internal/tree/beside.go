// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// besideFile is a tree's file to which another process writes. It is read without the lock that
// process has.
//
// Pages that were read while the file had no later commit are those of the commit. So OpenBeside
// believes what no checksum covers, and the caller then asks IsNewest. Every later read is
// verified: it is what the commit had, or an error.
type besideFile struct {
	fs     disk.FS
	path   string
	file   *os.File
	copies *pages.Copies
	pin    *os.File // that this reader has locked; nil: none
}

// OpenBeside opens the newest commit of a file to which another process writes. It takes no lock
// that a writer needs, changes nothing, and holds up nobody. What it returns, and what is read from
// it until then, counts only if IsNewest is true after that.
//
// The writer keeps the pages of the commit for a while. Once it has overwritten some, reading them
// fails with daybook.ErrLocked.
// Errors: daybook.ErrLocked, ErrCorrupt, ErrVersion, one that matches fs.ErrNotExist, or the
// operating system's.
func OpenBeside(fsys disk.FS, path string, opts Options) (_ *Tree, err error) {
	opts.ReadOnly = true
	t := &Tree{mapped: mappedFile{fs: fsys, path: path}, opts: opts, coder: codec.NewCoder(),
		unsaved: make(map[uint64]bool)}
	if t.file, err = fsys.OpenFile(path, os.O_RDONLY, 0); err != nil {
		return nil, err
	}
	// The lock comes before the look at the meta pages: see followPin.
	beside := &besideFile{fs: fsys, path: path, file: t.file, pin: t.showReading()}
	defer func() {
		if err != nil {
			_ = beside.close()
		}
	}()
	if beside.copies, err = pages.NewCopies(t.file); err != nil {
		return nil, t.mapped.describe(err)
	}
	copies := beside.copies
	t.mapped.beside, t.pageSize = beside, copies.PageSize()
	err = t.mapped.protect(func() error { return t.loadBeside(copies.Image(nil, nil)) })
	if err = t.mapped.describe(err); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Tree) loadBeside(image *pages.Image) error {
	t.useEmptyTable(image)
	exists, err := t.hasFormat(image)
	if err != nil {
		return err
	}
	if !exists {
		return fmt.Errorf("%s holds no daybook yet: %w", t.mapped, fs.ErrNotExist)
	}
	return t.load(image)
}

// IsBeside reports whether the tree was opened by OpenBeside.
func (t *Tree) IsBeside() bool { return t.mapped.beside != nil }

// IsNewest reports whether a tree of OpenBeside shows the newest commit of the file that has its
// path.
func (t *Tree) IsNewest() bool { return t.mapped.beside.isNewest() }

func (b *besideFile) isNewest() bool {
	own, err := b.file.Stat()
	if err != nil {
		return false
	}
	found, err := b.fs.Stat(b.path)
	return err == nil && os.SameFile(own, found) && b.copies.IsNewest()
}

func (b *besideFile) close() error {
	if b.pin != nil {
		_ = b.pin.Close()
	}
	return b.file.Close()
}

// judge returns daybook.ErrLocked for damage of a file that has changed: the page or the value was
// overwritten by one of a later commit. Other errors, and damage of a file that has not changed, it
// returns as they are. b may be nil: nobody else writes to the file.
func (b *besideFile) judge(err error) error {
	if b == nil || !errors.Is(err, daybook.ErrCorrupt) && !errors.Is(err, daybook.ErrVersion) || b.isNewest() {
		return err
	}
	return fmt.Errorf("%w: %s: the program that has it open changed it while it was read: try again",
		daybook.ErrLocked, b.path)
}

// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

const (
	// allocSize is the number of bytes by which a commit grows the file beyond what it needs. bbolt
	// grows a file at most once per commit, and commits are large and rare here, so a reserve would
	// gain nothing.
	allocSize = 4 << 10
	// mapSize is the address space that is reserved for the file, where that costs nothing. When a
	// file outgrows its mapping, bbolt waits for all readers and maps it again.
	mapSize = 64 << 30
	// mapSize32 is mapSize where the address space is small.
	mapSize32 = 256 << 20
	// mapStep is the size of a mapping from which on bbolt does not double it, but adds as much.
	mapStep = 1 << 30
	// minMapSize is the size of bbolt's smallest mapping.
	minMapSize = 32 << 10
	// windowsMapSize is mapSize on Windows, where the file itself grows to the size of its mapping.
	// A Cleanup of a new daybook fits into it beside an open snapshot.
	windowsMapSize = 256 << 10
	// maxFirstFit is the file size, in bytes, up to which bbolt searches the free pages from the
	// first on. In a larger file that search takes longer than writing the pages.
	maxFirstFit = 1 << 30
)

// openBolt opens the file, with as much address space as is available.
func (t *Tree) openBolt(readOnly bool) (*bbolt.DB, error) {
	path := t.mapped.path
	options := &bbolt.Options{
		Timeout:         max(t.opts.LockTimeout, 1), // 0 would wait for ever
		ReadOnly:        readOnly,
		FreelistType:    t.freelistType(),
		InitialMmapSize: t.initialMapSize(),
	}
	begin := time.Now()
	for deadline := begin.Add(options.Timeout); ; {
		db, file, err := t.openBoltFile(options)
		if errors.Is(err, bolterrors.ErrTimeout) && !readOnly && time.Since(begin) < maxReaderWait && t.onlyReaders() {
			time.Sleep(signInterval) // they give way
			options.Timeout = 1      // bbolt tries once
			continue
		}
		if err != nil && options.InitialMmapSize > 0 && errors.Is(err, errNoAddressSpace) {
			options.InitialMmapSize = 0
			db, file, err = t.openBoltFile(options)
		}
		switch {
		case errors.Is(err, bolterrors.ErrTimeout):
			return nil, t.lockedError()
		case err != nil:
			return nil, describeOpenError(path, err)
		}
		t.file, t.pageSize = file, db.Info().PageSize
		if err := t.findMapping(options.InitialMmapSize); err != nil {
			return nil, errors.Join(err, db.Close())
		}
		isAt, err := t.IsAt(path)
		if err == nil && isAt {
			return db, nil
		}
		// While this waited for the lock, the owner of the lock replaced the file by a compacted
		// one, which it has locked.
		if err := errors.Join(err, db.Close()); err != nil {
			return nil, err
		}
		options.Timeout = max(time.Until(deadline), 1)
	}
}

// freelistType returns bbolt's way to find free pages that are adjacent. Its map takes any group of
// pages that is large enough, and leaves small groups over. With it the file of a history of
// constant size grows by half a percent whenever a seventh of the history is replaced.
func (t *Tree) freelistType() bbolt.FreelistType {
	if info, err := t.mapped.fs.Stat(t.mapped.path); err == nil && info.Size() > maxFirstFit {
		return bbolt.FreelistMapType
	}
	return bbolt.FreelistArrayType
}

func (t *Tree) initialMapSize() int {
	switch {
	case t.opts.SmallMapping || runtime.GOOS == "windows":
		return windowsMapSize
	case math.MaxInt == math.MaxInt32:
		return mapSize32
	}
	size := uint64(mapSize)
	return int(size)
}

// openBoltFile opens the file, and also returns bbolt's handle of it. When bbolt panics over the
// content, it does not close the handle, which keeps the lock.
func (t *Tree) openBoltFile(options *bbolt.Options) (db *bbolt.DB, file *os.File, err error) {
	options.OpenFile = func(path string, flag int, mode os.FileMode) (*os.File, error) {
		opened, err := t.mapped.fs.OpenFile(path, flag, mode)
		if err == nil && !options.ReadOnly {
			t.moveSign() // before bbolt waits for the lock
		}
		file = opened
		return opened, err
	}
	returned := false
	err = t.mapped.protect(func() error {
		db, err = bbolt.Open(t.mapped.path, 0o600, options)
		returned = true
		return err
	})
	if !returned && file != nil {
		_ = closeHandle(file)
	}
	return db, file, err
}

// beginBolt begins a transaction. If both meta pages are damaged or missing, bbolt's Begin panics
// and keeps its locks, and every later call would wait for ever. So beginBolt verifies them first.
// If Begin panics all the same, the tree is not usable any more.
func (t *Tree) beginBolt(writable bool) (tx *bbolt.Tx, err error) {
	found, err := pages.HasMeta(t.file, t.pageSize)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, t.noMetaError()
	}
	return t.beginWithMeta(writable)
}

func (t *Tree) noMetaError() error {
	return fmt.Errorf("%w: %s: both meta pages, at offset 0 and at offset %d, are damaged",
		daybook.ErrCorrupt, t.mapped, t.pageSize)
}

// beginMapped is beginBolt for a read transaction, within protect and the snapshotGate, which keeps
// the mapping as it is. So it reads the meta pages there, which takes no system call.
func (t *Tree) beginMapped() (*bbolt.Tx, error) {
	if t.hasMappedMeta() {
		return t.beginWithMeta(false)
	}
	return t.beginBolt(false)
}

// hasMappedMeta reports whether a meta page in the mapping is undamaged.
func (t *Tree) hasMappedMeta() (found bool) {
	defer func() {
		if recover() != nil { // there is no mapping, or its file has been cut off
			found = false
		}
	}()
	return pages.HasMappedMeta(t.bolt)
}

// beginWithMeta is beginBolt after a meta page was found.
func (t *Tree) beginWithMeta(writable bool) (tx *bbolt.Tx, err error) {
	if t.broken.Load() {
		return nil, t.noMetaError()
	}
	returned := false
	defer func() {
		if !returned {
			t.broken.Store(true)
		}
	}()
	tx, err = t.bolt.Begin(writable)
	returned = true
	if errors.Is(err, bolterrors.ErrInvalidMapping) {
		err = fmt.Errorf("%w: %s could not be mapped into memory again when it grew: give the program more address "+
			"space, and open the daybook again", daybook.ErrFailed, t.mapped)
	}
	return tx, err
}

// viewBolt calls fn in a read transaction whose pages are not verified.
func (t *Tree) viewBolt(fn func(tx *bbolt.Tx) error) error {
	return t.mapped.protect(func() error {
		tx, err := t.beginBolt(false)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		return fn(tx)
	})
}

func (t *Tree) closeBolt() error {
	t.mapped.lease.close()
	if t.mapped.beside != nil {
		return t.mapped.beside.close()
	}
	if t.broken.Load() {
		return closeHandle(t.file)
	}
	t.pin.end()
	return t.bolt.Close()
}

// closeHandle closes the file of a bbolt.DB that cannot be closed. It unlocks the file first,
// because the mapping remains and would keep the lock.
func closeHandle(file *os.File) error {
	return errors.Join(disk.Unlock(file, disk.OfTree), file.Close())
}

// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// Options configure Open. All exported fields are required.
type Options struct {
	LockTimeout time.Duration // negative: do not wait
	ReadOnly    bool
	Existing    bool // the file must be there, with more than zeros in it
	ChunkValues int  // values in a chunk, at most
	ChunkBytes  int  // bytes of JSON in a chunk, at most, unless one value has more
	// TransactionBytes is how many bytes one transaction changes, about: the leaves that it touches, and what it adds.
	TransactionBytes int
	// MaxBytes is how long the file may become; a commit that needs more is daybook.ErrNoSpace. 0: as long as the disk lets it.
	MaxBytes int64

	copying bool // a copy of another tree is being made there
}

// Tree is an open bbolt file.
type Tree struct {
	path  string
	guard guard
	bolt  *bbolt.DB
	file  *os.File // bbolt's, to look at
	opts  Options
	coder *codec.Coder

	pageSize int // in bytes

	committed atomic.Pointer[committed] // what the pages are held against
	advance   atomic.Pointer[advance]   // of the commit that is being made

	// What only the writer touches.
	generation uint64          // of the last commit that changed anything
	sealed     bool            // the table is in the file
	unsaved    map[uint64]bool // its blocks that are not in the file, or not as they are
	saving     bool            // the commit that is being made puts them there
	lastFull   error           // a commit failed for lack of space; what bbolt has in memory may be of that one

	broken    atomic.Bool    // bbolt will never give back a lock that it holds
	snapshots sync.WaitGroup // that are open

	damagedMeta error // what Open found of the two meta pages

	failure atomic.Pointer[error] // why it takes no more writes, once a commit failed half-way
}

const (
	// allocSize is by how much more than it needs a commit grows the file, in bytes. bbolt grows it once a
	// commit, and commits are large and seldom here, so there is nothing to gain by a reserve.
	allocSize = 4 << 10
	// mapSize is how much address space is reserved for the file where that is free of cost: bbolt
	// remaps the file when it outgrows its mapping, and waits for all readers before it does.
	mapSize = 64 << 30
	// mapSize32 is the same where the address space is small.
	mapSize32 = 256 << 20
)

// Open opens or creates the file at path and takes its lock. It changes nothing in a file that is damaged.
// Errors: daybook.ErrLocked, ErrCorrupt, ErrVersion, ErrNoSpace, or the operating system's.
func Open(path string, opts Options) (*Tree, error) {
	t := &Tree{path: path, guard: guard(path), opts: opts, coder: codec.NewCoder(), unsaved: make(map[uint64]bool)}
	info, err := os.Stat(path)
	missing := errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0
	if missing && opts.Existing {
		return nil, fmt.Errorf("%w: %s is missing or cut off at offset 0, though other files of the daybook are there: "+
			"restore a backup, or open it with OnCorruption: Quarantine to go on with what the log has", daybook.ErrCorrupt, path)
	}
	// bbolt believes what it finds in a file that it opens for writing. So it is looked at before.
	if !missing && !opts.ReadOnly {
		if err := t.look(); err != nil {
			return nil, err
		}
	}
	if t.bolt, err = t.openBolt(opts.ReadOnly); err != nil {
		return nil, err
	}
	t.bolt.AllocSize = allocSize
	t.SetMaxBytes(opts.MaxBytes)
	if err := t.start(); err != nil {
		_ = t.closeBolt()
		return nil, err
	}
	return t, nil
}

// look opens the file for reading and holds it against its checksums. One whose creation a power cut stopped it
// empties.
func (t *Tree) look() (err error) {
	t.bolt, err = t.openBolt(true)
	if err == nil {
		_, err = t.examine()
		err = errors.Join(err, t.closeBolt())
	}
	if errors.Is(err, daybook.ErrCorrupt) && !t.opts.Existing {
		erased, eraseErr := eraseUnfinished(t.path)
		if erased || eraseErr != nil {
			return eraseErr
		}
	}
	return err
}

// start makes the open file ready, and creates what a new one lacks.
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
	// What a crash left unsealed. On a full disk the next commit does it.
	if err := t.seal(); err != nil && !errors.Is(err, daybook.ErrNoSpace) {
		return err
	}
	return nil
}

// confirm makes the commit durable that the file shows. It need not be: the process may have died before the
// last sync of a commit, or that may have failed, after which the operating system takes the page for clean and
// a sync alone writes nothing. So the meta page is written once more. What it leads to was synced before it was
// written first. It overwrites, so it needs no space.
func (t *Tree) confirm() error {
	return t.view(func(_ *bbolt.Tx, v *pages.Image) error {
		meta, offset, err := v.MetaPage()
		if err == nil {
			_, err = t.file.WriteAt(meta, offset)
		}
		if err == nil {
			err = disk.Datasync(t.file)
		}
		return WrapNoSpace(err)
	})
}

// examine finds out whether the file holds a tree, and loads the checksums of its pages.
func (t *Tree) examine() (exists bool, err error) {
	err = t.viewBolt(func(tx *bbolt.Tx) error {
		if err := t.checkSize(tx); err != nil {
			return err
		}
		t.first(tx)
		v := pages.NewImage(tx, nil, nil)
		if exists, err = t.hasFormat(v); err != nil {
			return err
		}
		if !exists {
			_, err = v.Free() // all that bbolt will read
			return err
		}
		if metas := v.CheckMetas(); len(metas) > 0 {
			t.damagedMeta = t.guard.fault(errors.Join(metas...))
		}
		return t.load(tx, v)
	})
	return exists, t.guard.fault(err)
}

// first has nothing known of the pages at a commit yet.
func (t *Tree) first(tx *bbolt.Tx) {
	id := uint64(tx.ID())
	t.committed.Store(&committed{table: pages.NewTable(valuesBucket, recordsBucket), from: id, to: id, superseded: make(chan struct{})})
}

// checkSize finds a file that has been cut off before its missing pages are read.
func (t *Tree) checkSize(tx *bbolt.Tx) error {
	info, err := os.Stat(t.path)
	if err == nil && info.Size() < tx.Size() {
		err = fmt.Errorf("%w: %s has been cut off at offset %d; its pages take %d bytes", daybook.ErrCorrupt, t.path, info.Size(), tx.Size())
	}
	return err
}

// openBolt opens the file, with as much address space as there is.
func (t *Tree) openBolt(readOnly bool) (*bbolt.DB, error) {
	options := &bbolt.Options{
		Timeout:         max(t.opts.LockTimeout, 1), // 0 would wait for ever
		ReadOnly:        readOnly,
		FreelistType:    freelistType(t.path),
		InitialMmapSize: initialMapSize(),
	}
	for deadline := time.Now().Add(options.Timeout); ; {
		db, file, err := openBolt(t.path, options)
		if err != nil && options.InitialMmapSize > 0 && errors.Is(err, errNoAddressSpace) {
			options.InitialMmapSize = 0
			db, file, err = openBolt(t.path, options)
		}
		if err != nil {
			return nil, describeOpen(t.path, err)
		}
		t.file, t.pageSize = file, db.Info().PageSize
		there, err := t.IsAt(t.path)
		if err == nil && there {
			return db, nil
		}
		// While this waited for the lock, the file was replaced by a compacted one. Who did that has it locked.
		if err := errors.Join(err, db.Close()); err != nil {
			return nil, err
		}
		options.Timeout = max(time.Until(deadline), 1)
	}
}

// mostFirstFit is the size of a file, in bytes, up to which free pages are searched from the first on. Beyond it, that takes
// longer than to write the pages.
const mostFirstFit = 1 << 30

// freelistType is how bbolt looks for free pages that lie together. Its map takes any stretch that is long enough, so that
// short ones are left over, and the file of a history that neither grows nor shrinks still grows, by half a percent with
// each seventh of it that is replaced.
func freelistType(path string) bbolt.FreelistType {
	if info, err := os.Stat(path); err == nil && info.Size() > mostFirstFit {
		return bbolt.FreelistMapType
	}
	return bbolt.FreelistArrayType
}

// IsAt reports whether the file is the one that a path leads to.
func (t *Tree) IsAt(path string) (bool, error) {
	mine, err := t.file.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	return os.SameFile(mine, there), nil
}

func initialMapSize() int {
	switch {
	case runtime.GOOS == "windows": // there the file itself would grow to the size of its mapping
		return 0
	case math.MaxInt == math.MaxInt32:
		return mapSize32
	}
	size := uint64(mapSize)
	return int(size)
}

// openBolt opens the file, and returns the handle that is behind it too. bbolt does not close it, and so keeps its
// lock, when it panics over what is in it.
func openBolt(path string, options *bbolt.Options) (db *bbolt.DB, file *os.File, err error) {
	options.OpenFile = func(path string, flag int, mode os.FileMode) (*os.File, error) {
		opened, err := disk.OpenFile(path, flag, mode)
		file = opened
		return opened, err
	}
	opened := false
	err = guard(path).run(func() error {
		db, err = bbolt.Open(path, 0o600, options)
		opened = true
		return err
	})
	if !opened && file != nil {
		_ = giveUp(file)
	}
	return db, file, err
}

func describeOpen(path string, err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%w: %s: close the program that has it open, or wait longer with LockTimeout", daybook.ErrLocked, path)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), strings.HasPrefix(err.Error(), "file size too small"):
		return fmt.Errorf("%w: %s is not a whole bbolt file, from offset 0 on: %w", daybook.ErrCorrupt, path, err)
	case errors.Is(err, bolterrors.ErrVersionMismatch):
		return fmt.Errorf("%w: %s: %w", daybook.ErrVersion, path, err)
	case isNoSpace(err):
		return fmt.Errorf("%w: %w", daybook.ErrNoSpace, err)
	}
	return err
}

// DamagedMeta says which of the two meta pages was damaged when the file was opened, if one was. The other one
// was used; a commit, or its seal, writes it anew.
func (t *Tree) DamagedMeta() error { return t.damagedMeta }

// State returns what the tree as a whole holds.
func (t *Tree) State() (s State, err error) {
	err = t.view(func(_ *bbolt.Tx, v *pages.Image) error {
		s, err = readState(v)
		return err
	})
	return s, err
}

// SetMaxBytes sets Options.MaxBytes. Nothing may be written meanwhile.
func (t *Tree) SetMaxBytes(maxBytes int64) { t.bolt.MaxSize = int(min(maxBytes, math.MaxInt)) }

// SetWatermark says that the values up to a sequence number, which is beyond all that are in the tree, will never be posted, as
// when they were lost; nor does any segment of the log have a greater number than lastSegment.
func (t *Tree) SetWatermark(watermark, lastSegment uint64) error {
	err := t.update(func(w *writer) error {
		w.state.Watermark, w.state.Partial = watermark, PartialPost{}
		w.state.LastSegment = max(w.state.LastSegment, lastSegment)
		return nil
	})
	if err == nil {
		err = t.seal()
	}
	return err
}

// Size returns the size of the file, and how much of it is in pages that are in use, in bytes.
func (t *Tree) Size() (file, used int64, err error) {
	file, free, pending, err := t.Room()
	return file, file - free - pending, err
}

// Room returns the size of the file, and how much of it is free, and will be free when no snapshot is older than what was
// last written, in bytes.
func (t *Tree) Room() (file, free, pending int64, err error) {
	info, err := t.file.Stat()
	if err != nil {
		return 0, 0, 0, err
	}
	err = t.view(func(tx *bbolt.Tx, v *pages.Image) error {
		stats := t.bolt.Stats()
		free, pending = int64(stats.FreePageN), int64(stats.PendingPageN)
		if t.opts.ReadOnly { // bbolt has not read it
			list, err := v.Free()
			if err != nil {
				return err
			}
			free = int64(len(list))
		}
		free, pending = free*int64(t.pageSize)+max(info.Size()-tx.Size(), 0), pending*int64(t.pageSize)
		return nil
	})
	return info.Size(), free, pending, err
}

// Failure returns why the tree takes no more writes; nil if it does.
func (t *Tree) Failure() error {
	if failure := t.failure.Load(); failure != nil {
		return *failure
	}
	return nil
}

// CloseWhenUnused closes the file when the last snapshot is closed. None may begin any more. To close it earlier would have each
// of them wait for all others in its Close.
func (t *Tree) CloseWhenUnused() error {
	t.snapshots.Wait()
	return t.Close()
}

// Close closes the file and gives up its lock. It waits for snapshots.
func (t *Tree) Close() error {
	if t.failure.Load() == nil && !t.opts.ReadOnly {
		_ = t.seal() // if it was not possible before; nothing but checksums is lost without it
	}
	return t.closeBolt()
}

func (t *Tree) closeBolt() error {
	if t.broken.Load() {
		return giveUp(t.file)
	}
	return t.bolt.Close()
}

// giveUp closes the file under a bbolt.DB that cannot be closed. The mapping stays, and would keep the lock.
func giveUp(file *os.File) error {
	return errors.Join(disk.Unlock(file), file.Close())
}

// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// Options configure Open. All exported fields but NewIdentity are required.
type Options struct {
	LockTimeout time.Duration // negative: wait for readers, which give way, and not for a writer
	ReadOnly    bool
	Directory   string // of the daybook, as disk.SignPath wants it; "": readers do not give way
	Log         string // path of the log's directory, for disk.PinPath; "": readers beside a writer have no pin
	Existing    bool   // the file must exist and have content other than zeros
	ChunkValues int    // maximum number of values in a chunk
	ChunkBytes  int    // maximum number of bytes of JSON in a chunk of several values, unless of templates
	// TransactionBytes is about how many bytes one transaction changes: the leaves that it reads,
	// and what it adds.
	TransactionBytes int
	// MaxBytes is the maximum length of the file. A commit that needs more fails with
	// daybook.ErrNoSpace. 0: no maximum.
	MaxBytes int64
	// SmallMapping maps only the file into memory, as on Windows. It is for tests.
	SmallMapping bool

	// NewIdentity is the identity of a file that Open creates. Zero: a random one.
	NewIdentity identity.Identity

	copying bool // the file is a copy of another tree that is not complete
}

// Tree is an open bbolt file.
type Tree struct {
	mapped mappedFile // the file's path
	bolt   *bbolt.DB  // nil: another process writes to the file
	file   *os.File   // bbolt's handle, or that of the copies
	opts   Options
	coder  *codec.Coder

	pageSize int   // in bytes
	sign     *sign // of a writer, while Open runs

	committed atomic.Pointer[committedTable] // the checksums of the pages
	pending   atomic.Pointer[pendingTable]   // of the commit that is being made; nil: none is

	// Only the writer uses these fields.
	generation uint64          // of the last commit that changed anything
	sealed     bool            // the committed table is saved in the file
	unsaved    map[uint64]bool // the blocks of the committed table that differ from the file's
	saving     bool            // the commit that is being made saves the table
	lastFull   error           // why the last commit had no space; bbolt may use that commit's freelist

	maxBytes int64 // as SetMaxBytes set it
	mapping  int64 // bytes of the file that are mapped, at least

	pin pin // of a reader beside this writer

	withinMap bool  // the commit that is being made must not outgrow the mapping
	fitsMap   bool  // nor can it, by the estimate
	maxUsed   int64 // bytes of the file that may be used after that commit, at most

	broken       atomic.Bool    // bbolt will never release a lock that it holds
	snapshots    sync.WaitGroup // open snapshots and backups
	snapshotGate snapshotGate

	identity storedIdentity

	changedBeforeOpen uint64

	damagedMeta error // what Open found wrong with one of the two meta pages

	failure atomic.Pointer[error] // why writes fail

	freePages atomic.Pointer[int64] // of a read-only tree, once it was read
}

// Lease returns the lease of a tree that was opened read-only; nil if it was opened for writing.
func (t *Tree) Lease() *Lease { return t.mapped.lease }

// DamagedMeta returns an error that says which of the two meta pages was damaged when the file was
// opened; nil if both were undamaged. The tree was read from the other one. The next commit, or its
// seal, writes the damaged page again.
func (t *Tree) DamagedMeta() error { return t.damagedMeta }

// State returns the state of the tree.
func (t *Tree) State() (s State, err error) {
	err = t.view(func(_ *bbolt.Tx, image *pages.Image) error {
		s, err = readState(image)
		return err
	})
	return s, err
}

// SetMaxBytes sets the maximum size of the file, in place of Options.MaxBytes, which copies of the
// tree keep. Nothing may be written meanwhile.
func (t *Tree) SetMaxBytes(maxBytes int64) {
	if FillsMapping && maxBytes > 0 {
		maxBytes = max(LargestMapping(maxBytes), minMapSize)
	}
	t.maxBytes = maxBytes
}

// SetWatermark moves the watermark past values that will never be posted, because they were lost.
// It must be at least the sequence number of every value in the tree. lastSegment is at least the
// number of every segment of the log.
func (t *Tree) SetWatermark(watermark, lastSegment uint64) error {
	err := t.update(func(w *writeTx) error {
		w.state.Watermark, w.state.Partial = watermark, PartialPost{}
		w.state.LastSegment = max(w.state.LastSegment, lastSegment)
		return nil
	})
	if err == nil {
		err = t.seal()
	}
	return err
}

// SaveLastSegment makes the tree know that segments up to a number have been in use.
func (t *Tree) SaveLastSegment(lastSegment uint64) error {
	err := t.update(func(w *writeTx) error {
		w.state.LastSegment = max(w.state.LastSegment, lastSegment)
		return nil
	})
	if err == nil {
		err = t.seal()
	}
	return err
}

// Size returns the size of the file, and the size of the pages in use, in bytes.
func (t *Tree) Size() (file, used int64, err error) {
	file, free, pending, err := t.Room()
	return file, file - free - pending, err
}

// Room returns the size of the file, the size of its free pages, and the size of the pages that
// will be free when no snapshot is older than the last commit, in bytes.
func (t *Tree) Room() (file, free, pending int64, err error) {
	info, err := t.file.Stat()
	if err != nil {
		return 0, 0, 0, err
	}
	err = t.view(func(_ *bbolt.Tx, image *pages.Image) error {
		if t.opts.ReadOnly { // then bbolt does not read the freelist
			if free, err = t.freeWhenReadOnly(image); err != nil {
				return err
			}
		} else {
			stats := t.bolt.Stats()
			free, pending = int64(stats.FreePageN), int64(stats.PendingPageN)
		}
		pageSize := int64(t.pageSize)
		free, pending = free*pageSize+max(info.Size()-image.Size(), 0), pending*pageSize
		return nil
	})
	return info.Size(), free, pending, err
}

// freeWhenReadOnly returns the number of free pages of a tree that shows one commit. It reads the
// list of them once.
func (t *Tree) freeWhenReadOnly(image *pages.Image) (int64, error) {
	if known := t.freePages.Load(); known != nil {
		return *known, nil
	}
	list, err := image.Free()
	if err != nil {
		return 0, err
	}
	free := int64(len(list))
	t.freePages.Store(&free)
	return free, nil
}

// RoomForNext is Room for the goroutine that writes. It is exact about the next transaction: free
// are the pages that this may use, and pinned those that the open snapshots keep.
func (t *Tree) RoomForNext() (file, free, pinned int64, err error) {
	if t.Failure() == nil {
		err := t.mapped.protect(func() error { // bbolt frees pages when a transaction begins
			tx, err := t.beginBolt(true)
			if err != nil {
				return err
			}
			return tx.Rollback()
		})
		if err != nil {
			return 0, 0, 0, t.mapped.describe(err)
		}
	}
	return t.Room()
}

// Failure returns why writes to the tree fail; nil if they do not.
func (t *Tree) Failure() error {
	if failure := t.failure.Load(); failure != nil {
		return *failure
	}
	return nil
}

// IsAt reports whether a path leads to the tree's file.
func (t *Tree) IsAt(path string) (bool, error) {
	own, err := t.file.Stat()
	if err != nil {
		return false, err
	}
	found, err := t.mapped.fs.Stat(path)
	if err != nil {
		return false, err
	}
	return os.SameFile(own, found), nil
}

// ChangedAt returns when the file was last written to, in ns; 0 if the system does not tell.
func (t *Tree) ChangedAt() uint64 { return disk.ChangedAt(t.file) }

// ChangedBeforeOpen returns what ChangedAt would have returned before Open, which writes to it.
func (t *Tree) ChangedBeforeOpen() uint64 { return t.changedBeforeOpen }

// SetPath sets the path of a file that was renamed. The tree may not be used meanwhile.
func (t *Tree) SetPath(path string) { t.mapped.path = path }

// CloseWhenUnused waits until all snapshots are closed, and closes the file. No new ones may begin.
// After Close, every snapshot that ends would wait for all others.
func (t *Tree) CloseWhenUnused() error {
	t.snapshots.Wait()
	return t.Close()
}

// Close closes the file and releases its lock. It waits for open snapshots.
func (t *Tree) Close() error {
	if t.failure.Load() == nil && !t.opts.ReadOnly {
		_ = t.seal() // if an earlier seal failed; without it only the checksums are not saved
	}
	return t.closeBolt()
}

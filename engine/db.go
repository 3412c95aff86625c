// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/head"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/engine/internal/wal"
)

const (
	treeName = "daybook.db"
	logName  = "wal"
)

// DB is an open directory. Its methods may be called from any number of goroutines at once. It is a
// daybook.Backend with all optional abilities of that package.
type DB struct {
	// Lock order: compacting, posting, then treeMu or mu. The log's locks are taken inside of both.

	dir     string
	opts    Options
	fs      disk.FS
	tree    *tree.Tree // is replaced with posting held and treeMu locked
	treeMu  sync.RWMutex
	log     *wal.Log // nil when read-only
	reserve *reserve

	recoveredLog int64    // bytes of the log as Open found it
	quarantined  []string // paths of what Open set aside

	gate      gate
	closeOnce sync.Once
	closeErr  error // set once closeOnce is done
	commits   commitQueue

	// posting is held, as a semaphore of one, by whoever writes to the tree.
	posting     chan struct{}
	wantPosting atomic.Int32 // how many wait for it

	compacting chan struct{} // held, as a semaphore of one, by whoever compacts
	compaction compaction    // whoever holds posting may use it

	scans    atomic.Int64   // snapshots that are open
	draining sync.WaitGroup // trees that were replaced, until their last snapshot is closed

	// mu guards what follows.
	mu           sync.RWMutex
	active       *head.Head // what commits add to
	frozen       *head.Head // what is being posted; nil when there is none
	lastSequence uint64     // of the last acknowledged value
	attempts     chan struct{}
	postFailure  error // why the last attempt to post frozen failed
	bound        bound // of Options.MaxSize

	watchers watchers

	checkpointer background
	compactor    background
	syncer       background

	// statsMu guards stats.
	statsMu sync.Mutex
	stats   daybook.Stats
}

var (
	_ daybook.Backend      = (*DB)(nil)
	_ daybook.BatchStorer  = (*DB)(nil)
	_ daybook.Scanner      = (*DB)(nil)
	_ daybook.RecordLister = (*DB)(nil)
	_ daybook.Pruner       = (*DB)(nil)
	_ daybook.Watcher      = (*DB)(nil)
	_ daybook.ChangeSource = (*DB)(nil)
	_ daybook.Statser      = (*DB)(nil)
	_ daybook.Checker      = (*DB)(nil)
	_ daybook.BackerUp     = (*DB)(nil)
	_ daybook.Compacter    = (*DB)(nil)
	_ daybook.Checkpointer = (*DB)(nil)
)

// Open opens the directory dir, and creates it if it does not exist. opts may be nil for the defaults, and
// is not modified. After a crash it replays the log, which takes at most about a second per head.
//
// Errors: daybook.ErrInvalidParams for impossible options; daybook.ErrLocked when another process has
// it open; daybook.ErrVersion when a newer program wrote it; daybook.ErrCorrupt, with file and offset,
// when it is damaged, in which case nothing is changed; daybook.ErrNoSpace; an error matching
// fs.ErrNotExist when read-only and there is no daybook; or the operating system's.
func Open(dir string, opts *Options) (*DB, error) {
	options, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if opts == nil || opts.Tuning.HeadSize == 0 {
		options.Tuning.HeadSize = min(options.Tuning.HeadSize, headOnDisk(dir))
	}
	return open(dir, options, disk.OS{})
}

// headOnDisk is how large a head may be by default on the disk of a directory, which may not be there yet. What the log holds
// of it cannot be deleted without being posted, for which there must be room.
func headOnDisk(dir string) int64 {
	for {
		if free, known := disk.FreeSpace(dir); known {
			return max(free/headOfFree, leastDefaultHead)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return DefaultHeadSize
		}
		dir = parent
	}
}

func open(dir string, opts Options, fsys disk.FS) (_ *DB, err error) {
	defer func() { err = tree.WrapNoSpace(err) }()
	db := newDB(dir, opts, fsys)
	state, err := db.openWhole()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = db.closeTree()
		}
	}()
	if damage := db.tree.DamagedMeta(); damage != nil {
		opts.Logger.Warn("daybook: one of the tree's two meta pages is damaged, and the other one is used", "dir", dir, "error", damage)
	}
	recovery, err := db.recoverWhole(state)
	if err == nil {
		state, err = db.tree.State()
	}
	if err != nil {
		return nil, err
	}
	db.recoveredLog = recovery.Size()
	if opts.ReadOnly {
		db.reserve.find()
		return db, nil
	}
	if err := db.openLog(recovery, state.LastSegment); err != nil {
		return nil, err
	}
	return db, nil
}

func newDB(dir string, opts Options, fsys disk.FS) *DB {
	return &DB{
		reserve:    newReserve(dir, fsys),
		dir:        dir,
		opts:       opts,
		fs:         fsys,
		posting:    make(chan struct{}, 1),
		compacting: make(chan struct{}, 1),
		active:     head.New(opts.Tuning.HeadSize),
		attempts:   make(chan struct{}),
	}
}

// openTree opens the tree, and returns its state. One that is to be fresh may be missing beside a log.
func (db *DB) openTree(fresh bool) (state tree.State, err error) {
	path := filepath.Join(db.dir, treeName)
	// The log's directory is made once the tree is durable, so a tree that is not there, or blank, beside
	// it was lost; without it, one that is blank was never finished.
	_, err = os.Stat(filepath.Join(db.dir, logName))
	existing := err == nil
	if db.opts.ReadOnly {
		if info, err := os.Stat(path); !existing && (errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0) {
			return state, fmt.Errorf("%s holds no daybook: %w", db.dir, fs.ErrNotExist)
		}
	} else if err := db.makeDir(existing); err != nil {
		return state, err
	} else if err := db.finishSalvage(fresh); err != nil {
		return state, err
	}
	opened, err := tree.Open(path, tree.Options{
		LockTimeout:      db.opts.LockTimeout,
		ReadOnly:         db.opts.ReadOnly,
		Existing:         existing && !fresh,
		ChunkValues:      db.opts.Tuning.ChunkValues,
		ChunkBytes:       db.opts.Tuning.ChunkBytes,
		TransactionBytes: int(db.opts.Tuning.TransactionSize),
		MaxBytes:         db.opts.maxTree(),
	})
	if err != nil {
		return state, err
	}
	db.tree = opened
	if !db.opts.ReadOnly {
		if err = db.removeLeftovers(); err == nil {
			err = db.fs.SyncDir(db.dir) // the file may be new
		}
	}
	if err == nil {
		state, err = db.tree.State()
	}
	if err != nil {
		_ = db.tree.Close()
	}
	return state, err
}

// removeLeftovers removes what a crash left of files that were to become the tree.
func (db *DB) removeLeftovers() error {
	var errs []error
	for _, name := range []string{copyName, salvagedName, restoredName} {
		errs = append(errs, db.removeIfThere(name))
	}
	return errors.Join(errs...)
}

// makeDir makes the directory. Until there is a daybook in it, the directories above are made durable by each Open:
// one that made them may have failed, or died, before it came to that.
func (db *DB) makeDir(existing bool) error {
	if err := db.fs.MkdirAll(db.dir); err != nil || existing {
		return err
	}
	return disk.SyncAncestors(db.fs, db.dir)
}

// Initialize does nothing: Open has done it.
func (db *DB) Initialize(ctx context.Context) error {
	if err := db.enter(ctx); err != nil {
		return err
	}
	db.gate.leave()
	return nil
}

// Close posts what is in the head, empties the log, and closes the directory. It waits for the calls
// that are running; calls that begin later return daybook.ErrClosed. Called again, it waits for the first
// call and returns what that did.
//
// When the last checkpoint fails, on a full disk say, Close closes all the same and returns why:
// nothing is lost, the log is kept, and the next Open replays it.
func (db *DB) Close() error {
	db.gate.close()
	db.closeOnce.Do(func() {
		db.watchers.end()
		db.closeErr = db.shutDown()
	})
	return db.closeErr
}

func (db *DB) shutDown() error {
	db.syncer.stop()
	db.compactor.stop()
	db.checkpointer.stop()
	var err error
	if db.log != nil {
		if err = db.checkpoint(context.Background()); err != nil {
			err = fmt.Errorf("closed without a last checkpoint; the log keeps the values: %w", err)
			err = errors.Join(err, db.log.Sync())
		}
		err = errors.Join(err, db.log.Close(err == nil))
	}
	return errors.Join(err, db.closeTree())
}

func (db *DB) closeTree() error {
	err := db.tree.Close()
	if db.compaction.stranded != nil {
		err = errors.Join(err, db.compaction.stranded.Close())
	}
	db.draining.Wait()
	return err
}

// enter begins a call of a public method, which ends with db.gate.leave.
func (db *DB) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return db.gate.enter()
}

// enterWriting is enter for a method that changes something.
func (db *DB) enterWriting(ctx context.Context) error {
	err := db.enter(ctx)
	if err == nil && db.opts.ReadOnly {
		db.gate.leave()
		return fmt.Errorf("%w: %s was opened with Options.ReadOnly", daybook.ErrReadOnly, db.dir)
	}
	return err
}

// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/engine/internal/wal"
)

// DB is an open directory. Any number of goroutines may call its methods at once. It is a
// daybook.Backend with all optional abilities of that package.
type DB struct {
	// Locks are taken in this order: compacting, the turn, those of the log and of the tree, those
	// in watchers, and last those in heads, space, reserve, commits, statistics and gate, which
	// guard the fields beside them.

	dir      directory
	opts     Options
	beside   bool // another process writes to the directory, and has its lock
	identity currentIdentity

	log     *wal.Log // nil when read-only, and while Open replays it
	heads   *heads
	trees   trees
	reserve *reserve
	session session

	quarantined quarantined

	holdClock holdClock // set by Open
	arrivals  arrivals

	turns        turns
	commits      commitQueue
	streams      streamLocks
	neverDropped tree.Holds // what Options.DropExcept spares
	space        space
	stats        statistics

	gate      gate
	closeOnce sync.Once
	closeErr  error // set once closeOnce is done

	compacting   chan struct{} // holds one element while a compaction runs
	watchers     watchers
	checkpointer background
	compactor    background
	sealer       background
	syncer       background
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
	_ daybook.Holder       = (*DB)(nil)
	_ daybook.Receiver     = (*DB)(nil)
	_ daybook.Checker      = (*DB)(nil)
	_ daybook.BackerUp     = (*DB)(nil)
	_ daybook.Compacter    = (*DB)(nil)
	_ daybook.Checkpointer = (*DB)(nil)
)

// Open opens the directory dir, and creates it if it does not exist. opts may be nil for the
// defaults; Open does not modify it. After a crash Open replays the log, which takes about a second
// per head.
//
// Errors: daybook.ErrInvalidParams for impossible options; daybook.ErrLocked when another process
// has the directory open, but see Options.BesideWriter; daybook.ErrVersion when a newer program
// wrote it; daybook.ErrCorrupt, with file and offset, when it is damaged, and then no value is
// changed; daybook.ErrNoSpace; an error that matches fs.ErrNotExist when Options.ReadOnly is set
// and dir holds no daybook; or the operating system's.
func Open(dir string, opts *Options) (*DB, error) {
	options, err := opts.withDefaultsForDisk(headSizeForDisk(filepath.Join(dir, logName)))
	if err != nil {
		return nil, err
	}
	if options.BesideWriter {
		return openBesideWriter(dir, options, disk.OS{})
	}
	return open(dir, options, disk.OS{})
}

// headSizeForDisk returns the maximum default size of a head on the disk of dir, the log's
// directory, which may not exist yet. The log keeps the values of a head until they are posted, and
// the disk must have room for both.
func headSizeForDisk(dir string) int64 {
	for {
		if free, known := disk.FreeSpace(dir); known {
			return max(free/headPartOfFreeDisk, minDefaultHeadSize)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return DefaultHeadSize
		}
		dir = parent
	}
}

// open opens a directory that no other process writes to.
func open(path string, opts Options, system disk.System) (*DB, error) {
	return openAs(path, opts, system, false)
}

// openAs opens the tree, replays the log, and starts the background work. beside says that another
// process writes to the directory.
func openAs(path string, opts Options, system disk.System, beside bool) (_ *DB, err error) {
	defer func() { err = tree.WrapNoSpace(err) }()
	openIt := openOrCreateDirectory
	if opts.ReadOnly {
		openIt = openDirectory
	}
	dir, err := openIt(path, system)
	if err != nil && opts.ReadOnly && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no daybook: %w", path, err)
	}
	if err != nil {
		return nil, err
	}
	dir.movesAside = dir.movesAside || opts.movesAside
	db := newDB(dir, opts)
	db.beside = beside
	db.reserve.find()
	t := newTurn(db)
	if err := t.openTree(); err != nil {
		return nil, errors.Join(err, dir.fs.Close())
	}
	defer func() {
		if err != nil {
			_ = t.closeDirectory()
		}
	}()
	if err := db.session.read(); err != nil {
		return nil, err
	}
	if db.session.state == sessionForeign {
		opts.Logger.Warn("daybook: the file session is not daybook's and stays as it is; without one of its own, "+
			"daybook cannot tell that files were removed from the log", "path", dir.file(sessionName))
	}
	recovery, err := t.recoverLog()
	if gaveWay := db.reading(context.Background()).Err(); gaveWay != nil {
		err = gaveWay // the log may have been changed while it was read
	}
	if err != nil {
		return nil, err
	}
	db.stats.logFound = recovery.Size()
	if err := db.listQuarantined(); err != nil {
		opts.Logger.Warn("daybook: the files in quarantine could not be listed", "dir", dir.path, "error", err)
	}
	origin, err := t.chooseEpoch(recovery)
	if err != nil {
		return nil, err
	}
	if !opts.ReadOnly {
		if err := t.openLog(recovery, origin); err != nil {
			return nil, err
		}
		if err := t.renewHoldEpochs(); err != nil {
			opts.Logger.Warn("daybook: the places of holds could not be renewed", "dir", dir.path, "err", err)
		}
		db.warnOfSmallDisk()
		t.saveQuarantined()
		t.sampleHolds()
		db.startBackground()
	}
	t.end()
	return db, nil
}

func newDB(dir directory, opts Options) *DB {
	db := &DB{
		dir:        dir,
		opts:       opts,
		heads:      newHeads(opts.Tuning.HeadSize),
		reserve:    &reserve{dir: dir},
		session:    session{dir: dir},
		turns:      turns{free: make(chan *turn, 1)},
		compacting: make(chan struct{}, 1),
		watchers:   newWatchers(),
	}
	db.neverDropped, _ = opts.droppedNever() // withDefaults has compiled the patterns
	db.identity.set(identity.Identity{})     // until Open has read it
	return db
}

// openTree opens the tree, and creates it in a new directory. With OnCorruptionQuarantine it puts
// a new tree in the place of one that does not open.
func (t *turn) openTree() error {
	found, _ := t.db.dir.fs.Stat(t.db.dir.file(TreeFile)) // to tell whether another process replaces it meanwhile
	err := t.openTreeFile(t.db.dir.hasLog(), identity.Identity{})
	if t.db.quarantines(err) {
		err = t.replaceUnreadableTree(found, err)
	}
	if err != nil {
		return err
	}
	if damage := t.tree().DamagedMeta(); damage != nil {
		t.db.opts.Logger.Warn("daybook: one of the tree's two meta pages is damaged; using the other",
			"dir", t.db.dir.path, "error", damage)
	}
	if err = t.prepareIdentity(); err != nil {
		err = errors.Join(err, t.closeTrees())
	}
	return err
}

// openTreeFile opens the file of the tree. mustExist says that a missing or empty file is damage. A
// new file gets the identity ifNew; zero: a random one.
func (t *turn) openTreeFile(mustExist bool, ifNew identity.Identity) error {
	db := t.db
	if err := db.prepareDirectory(); err != nil {
		return err
	}
	openIt := tree.Open
	if db.beside {
		openIt = tree.OpenBeside
	}
	opened, err := openIt(db.dir.fs, db.dir.file(TreeFile), tree.Options{
		LockTimeout:      db.opts.LockTimeout,
		ReadOnly:         db.opts.ReadOnly,
		Directory:        db.dir.path,
		Log:              db.dir.log,
		Existing:         mustExist,
		ChunkValues:      db.opts.Tuning.ChunkValues,
		ChunkBytes:       db.opts.Tuning.ChunkBytes,
		TransactionBytes: int(db.opts.Tuning.TransactionSize),
		MaxBytes:         db.opts.budget().treePart(),
		SmallMapping:     db.opts.smallMapping,
		NewIdentity:      ifNew,
	})
	if err != nil {
		return err
	}
	if !db.opts.ReadOnly {
		if err = db.dir.removeUnfinished(); err == nil {
			err = db.dir.sync() // the tree's file may be new
		}
	}
	if err == nil {
		_, err = opened.State()
	}
	if err == nil {
		err = t.loadNotes(opened)
	}
	if err != nil {
		_ = opened.Close()
		return err
	}
	db.trees.current = opened
	t.limitTree()
	return nil
}

// loadNotes reads what a tree that is being opened has noted.
func (t *turn) loadNotes(opened *tree.Tree) error {
	notes, err := opened.Notes()
	if err != nil {
		return err
	}
	posted, err := positionsIn(notes)
	if err != nil {
		return err
	}
	t.db.heads.setPosted(posted)
	t.db.quarantined.load(notes)
	t.holds, err = holdsIn(notes)
	t.db.holdClock = newHoldClock(t.holds)
	t.holdsChanged()
	return err
}

// prepareDirectory ends a salvage that a crash interrupted. A read-only Open changes nothing, and
// needs a daybook that is there.
func (db *DB) prepareDirectory() error {
	if !db.opts.ReadOnly {
		return db.finishSalvage()
	}
	if exists, err := db.dir.hasDaybook(); err == nil && !exists {
		return fmt.Errorf("%s holds no daybook: %w", db.dir.path, fs.ErrNotExist)
	}
	return nil
}

// startBackground starts the goroutines of checkpoints, compactions, seals and, under Interval,
// syncs.
func (db *DB) startBackground() {
	if db.opts.Durability == DurabilityInterval {
		db.syncer.start(db.syncEveryInterval)
	}
	db.checkpointer.start(db.postWhenFrozen)
	db.compactor.start(db.compactWhenFree)
	db.sealer.start(db.sealWhenPruned)
	// A device that crashes often should not replay the same values each time, so they are posted
	// soon.
	if !db.heads.activeEmpty() {
		db.heads.freeze()
		db.checkpointer.nudge()
	}
}

// Initialize does nothing, because Open has prepared the directory.
func (db *DB) Initialize(ctx context.Context) error {
	if err := db.enter(ctx); err != nil {
		return err
	}
	db.gate.leave()
	return nil
}

// Close posts the values in the heads, empties the log, and closes the directory. It waits for the
// calls that are running; later calls return daybook.ErrClosed. It ends the loops over Scan,
// Records and Changes, also one whose body calls Close: they end with daybook.ErrClosed. A second
// Close waits for the first and returns its error.
//
// When the last checkpoint fails, for example because the disk is full, Close closes the directory
// all the same and returns the reason. No value is lost then: the log stays, and the next Open
// replays it.
func (db *DB) Close() error {
	if db == nil {
		return errNilDB
	}
	db.gate.close()
	db.closeOnce.Do(func() {
		db.watchers.end()
		db.closeErr = db.shutDown()
	})
	return db.closeErr
}

func (db *DB) shutDown() error {
	db.stopBackground()
	t, err := db.turns.take(context.Background()) // and never ends it
	if err != nil {
		return err
	}
	if db.log == nil {
		return t.closeDirectory()
	}
	if err = t.lastCheckpoint(); err != nil {
		err = errors.Join(fmt.Errorf("closed without a last checkpoint; the log keeps the values: %w", err),
			db.log.Sync())
	}
	if err == nil {
		err = t.endSession() // after that the log may be empty
	}
	isEmpty := err == nil
	if err = errors.Join(err, db.log.Close(isEmpty)); isEmpty {
		t.takeReserve() // the log may have had a part of it
	}
	return errors.Join(err, t.closeDirectory())
}

func (db *DB) stopBackground() {
	db.syncer.stop()
	db.compactor.stop()
	db.sealer.stop()
	db.checkpointer.stop()
}

// errNilDB is the error of the methods of a nil *DB, which a program has that does not look at the
// error of Open.
var errNilDB = fmt.Errorf("%w: the *engine.DB is nil: look at the error of Open", daybook.ErrNotConfigured)

// enter begins a call of a public method, which ends with db.gate.leave.
func (db *DB) enter(ctx context.Context) error {
	if db == nil {
		return errNilDB
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return db.gate.enter()
}

// checkOpen returns ErrClosed after Close, or ctx's error. The result may be outdated at once.
func (db *DB) checkOpen(ctx context.Context) error {
	if db.gate.isClosed() {
		return daybook.ErrClosed
	}
	return ctx.Err()
}

// reading returns the context for a call that reads. When the directory is open read-only and a
// writer waits for it, the context ends with daybook.ErrLocked.
func (db *DB) reading(ctx context.Context) context.Context {
	if !db.opts.ReadOnly {
		return ctx
	}
	return db.trees.get().Lease().Context(ctx)
}

// enterWriting is enter for a method that changes the daybook.
func (db *DB) enterWriting(ctx context.Context) error {
	err := db.enter(ctx)
	if err == nil && db.opts.ReadOnly {
		db.gate.leave()
		return fmt.Errorf("%w: %s was opened with Options.ReadOnly", daybook.ErrReadOnly, db.dir.path)
	}
	return err
}

// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/daybook-db/daybook"
)

// Options.MaxSize is divided among the log, the reserve, and the tree, which has the rest.
const (
	logPart     = 4  // the log has one part in four
	segmentPart = 32 // a segment of the log has at most one part in 32

	// DropOldest deletes the oldest sixteenth of all JSON at a time, until the new values fit. The
	// first time it wants one part in 32 of MaxSize to be free as well, so that it is not needed
	// again for the next value.
	dropPart    = 16
	minFreePart = 32

	// maxValuePart: one value may have one part in 128. Two or three large values share a leaf of
	// the tree, which is written again as a whole.
	maxValuePart = 128
	// maxBatchPart: the names and the JSON of a batch may have one part in 16, which is what the
	// log has room for beside the segments that it keeps.
	maxBatchPart = 16
)

// The space that values need in the tree at most. Pages are half full after a split. A name stands
// in both buckets and in their branch pages.
const (
	treeBytesPerValue     = 256
	treeBytesPerValueByte = 2
	treeBytesPerNameByte  = 4

	// transactionsAhead is the number of transactions for which the tree must have room. Until the
	// next transaction, the old pages of the last one are not free yet; and a large chunk needs
	// free pages that lie together, of which there may be none although enough pages are free.
	transactionsAhead = 8
)

// demand describes values that are to be stored, for an estimate of the space that they need.
type demand struct {
	values     int64 // number of values
	valueBytes int64 // of JSON
	nameBytes  int64 // of record names
	logBytes   int64 // of frames that are not in the log yet
}

// inTree returns the bytes of the tree's file that the values need at most.
func (d demand) inTree() int64 {
	return d.values*treeBytesPerValue + d.valueBytes*treeBytesPerValueByte + d.nameBytes*treeBytesPerNameByte
}

// demandOf returns the demand of a group of commits.
func demandOf(group []*commit) demand {
	var d demand
	for _, c := range group {
		d.values += int64(len(c.values))
		d.logBytes += int64(len(c.payload))
		for i := range c.values {
			d.valueBytes += int64(len(c.values[i].Value))
			d.nameBytes += int64(len(c.values[i].RecordName))
		}
	}
	return d
}

// space is the account of Options.MaxSize: the sizes in bytes of the tree's file, of its free
// pages, and of a compaction's copy, as they were after the last write to any of them. Values that
// were stored since then are in the heads, and count with the space that they can need at most.
type space struct {
	mu   sync.Mutex // guards the fields below
	file int64
	free int64
	copy int64
}

// treePart returns the part of MaxSize that the tree's file has, in bytes; 0 when there is no
// maximum.
func (o *Options) treePart() int64 {
	if o.MaxSize == 0 {
		return 0
	}
	return o.MaxSize - o.MaxSize/logPart - reserveSize
}

// maxTreeFile returns the maximum size of the tree's file in bytes; 0 when there is none. While the
// reserve does not take up its space, the tree may use that too.
func (db *DB) maxTreeFile() int64 {
	part := db.opts.treePart()
	if part == 0 {
		return 0
	}
	return part + reserveSize - db.reserve.size()
}

// limitTree sets the maximum size of the tree's file. Call it after each change of the reserve or
// the tree.
func (t *turn) limitTree() { t.tree().SetMaxBytes(t.db.maxTreeFile()) }

// releaseReserve gives the reserve's space to the tree, and reports whether there was a reserve.
func (t *turn) releaseReserve() bool {
	released := t.db.reserve.release()
	t.limitTree()
	return released
}

// takeReserve takes the reserve's space back, unless the tree has grown into it.
func (t *turn) takeReserve() {
	if part := t.db.opts.treePart(); part > 0 {
		if file, _, err := t.tree().Size(); err != nil || file > part {
			return
		}
	}
	t.db.reserve.take()
	t.limitTree()
}

// segmentSizes returns the sizes of the log's first segment and of the others, in bytes.
func segmentSizes(maxSize int64) (first, others int64) {
	others = segmentSize
	if maxSize > 0 {
		others = min(others, maxSize/segmentPart)
	}
	return min(firstSegmentSize, others), others
}

// measure updates the account after a write to the tree or to the copy.
func (t *turn) measure() error {
	db := t.db
	if db.opts.MaxSize == 0 {
		return nil
	}
	file, free, pending, err := t.tree().Room()
	if err != nil {
		return err
	}
	if db.trees.snapshots.Load() == 0 { // the next transaction may use them
		free += pending
	}
	size := int64(0)
	if t.copy != nil {
		size = t.copy.Size()
	}
	db.space.mu.Lock()
	defer db.space.mu.Unlock()
	db.space.file, db.space.free, db.space.copy = file, free, size
	return nil
}

// spaceLeft returns the number of bytes below MaxSize that remain when values with the given demand
// are stored. It is negative if they do not fit.
func (db *DB) spaceLeft(d demand) int64 { return db.spaceLeftWithout(0, d) }

// spaceLeftWithout is spaceLeft if a number of bytes of the tree were free as well. The file does
// not shrink by that.
func (db *DB) spaceLeftWithout(dropped int64, d demand) int64 {
	if db.opts.MaxSize == 0 {
		return math.MaxInt64
	}
	_, segment := segmentSizes(db.opts.MaxSize)
	log := db.log.Size() + d.logBytes + 2*segment // it may begin a segment, and prepare the next one
	// The heads are read first: values that are posted meanwhile count twice rather than not at
	// all.
	growth := db.heads.demand().inTree() + d.inTree()
	transaction := db.opts.Tuning.TransactionSize

	db.space.mu.Lock()
	defer db.space.mu.Unlock()
	tree := db.space.file - db.space.free + transactionsAhead*transaction - dropped + growth
	all := max(tree, db.space.file) + log + reserveSize
	if db.space.copy > 0 { // the copy takes in the heads' values too, and a transaction's pages twice
		all += db.space.copy + growth + 2*transaction
	}
	return min(db.opts.treePart()-tree, db.opts.MaxSize-all)
}

// makeSpaceFor returns nil when values with the given demand may be stored. As far as it must and
// may, it posts the heads, gives up a compaction's copy, and drops the oldest values. stuck is why
// the heads could not be posted; nil if they could.
// Errors: daybook.ErrNoSpace, or those of posting and pruning.
func (db *DB) makeSpaceFor(ctx context.Context, d demand, stuck error) error {
	if stuck == nil && db.spaceLeft(d) >= 0 {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	return db.withTurn(ctx, func(t *turn) error {
		if err := t.postWhatFits(ctx); err != nil {
			return err
		}
		if db.spaceLeft(d) < 0 && t.giveUpCopy(daybook.ErrNoSpace) {
			if err := t.measure(); err != nil {
				return err
			}
		}
		if db.opts.WhenFull == DropOldest {
			if err := t.dropOldest(ctx, d); err != nil {
				return err
			}
		}
		if db.heads.failureToPost() == nil && db.spaceLeft(d) >= 0 {
			return nil
		}
		return db.errMaxSize()
	})
}

// postWhatFits posts the heads. When there is no room for all of that, heads.failureToPost says so.
func (t *turn) postWhatFits(ctx context.Context) error {
	if _, err := t.postAll(ctx, nil); err != nil && !errors.Is(err, daybook.ErrNoSpace) {
		return err
	}
	t.db.log.RemoveReleased()
	return t.measure()
}

// dropOldest deletes the oldest values until values with the given demand fit, a little space is
// left for the next ones, and the heads can be posted. It deletes nothing for values that would not
// fit into an empty tree, nor while a query keeps the pages that would become free.
func (t *turn) dropOldest(ctx context.Context, d demand) error {
	db := t.db
	for wanted := db.opts.MaxSize / minFreePart; ; wanted = 0 {
		stuck := db.heads.failureToPost() != nil
		if !stuck && db.spaceLeft(d) >= wanted {
			return nil
		}
		if hopeless, err := t.droppingIsHopeless(d, stuck); hopeless || err != nil {
			return err
		}
		deleted, err := t.dropSome(ctx)
		if deleted == 0 || err != nil {
			return err
		}
		if err := t.postWhatFits(ctx); err != nil {
			return err
		}
		db.opts.Logger.InfoContext(ctx, "daybook: dropped the oldest values because MaxSize was reached",
			"dir", db.dir.path, "deleted", deleted, "max_size", db.opts.MaxSize)
	}
}

// droppingIsHopeless reports whether no deletion makes room for values with the given demand.
func (t *turn) droppingIsHopeless(d demand, stuck bool) (bool, error) {
	file, free, pending, err := t.tree().Room()
	if err != nil {
		return true, err
	}
	tooLarge := !stuck && t.db.spaceLeftWithout(file-free, d) < 0
	pinned := t.db.trees.snapshots.Load() > 0 && pending > free
	if tooLarge || pinned {
		return true, nil
	}
	state, err := t.tree().State()
	return state.Values == 0, err
}

// dropSome deletes the oldest values, one part in dropPart of all JSON. It passes over damaged
// values.
func (t *turn) dropSome(ctx context.Context) (deleted uint64, err error) {
	keep := func(all uint64) uint64 { return all - min(all, all/dropPart+1) }
	deleted, err = t.pruneTo(ctx, allRecords, keep, 0)
	if deleted == 0 {
		return 0, err
	}
	switch {
	case errors.Is(err, daybook.ErrCorrupt):
		t.db.opts.Logger.ErrorContext(ctx, "daybook: damaged values could not be dropped; dropped others",
			"dir", t.db.dir.path, "error", err)
	case err != nil && !errors.Is(err, daybook.ErrNoSpace): // what was deleted may be space enough
		return deleted, err
	}
	return deleted, nil
}

// errMaxSize says that the directory has reached MaxSize, and what helps.
func (db *DB) errMaxSize() error {
	remedy := "delete values with Cleanup or Prune, compact it if it was larger before, or open it with a greater " +
		"MaxSize"
	if db.trees.snapshots.Load() > 0 {
		remedy = "running queries keep pages from being used again; end them, or " + remedy
	}
	return fmt.Errorf("%w: %s has reached MaxSize, %d bytes: %s", daybook.ErrNoSpace, db.dir.path, db.opts.MaxSize,
		remedy)
}

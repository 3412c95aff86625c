// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/daybook-db/daybook"
)

// This file keeps a commit from waiting for snapshots for ever. bbolt maps the file into memory.
// When a commit outgrows the mapping, bbolt waits until all read transactions have ended, and keeps
// new ones from beginning. A program that stores within the loop of a Scan would wait for itself.
// So beside snapshots a commit ends without a change before it might outgrow the mapping. Then it
// is made again when there is no snapshot, and fails with ErrHeldUp if the snapshots do not end
// soon. Elsewhere than on Windows and on 32-bit systems the mapping is so large that this does not
// happen.

// ErrHeldUp is the error of a commit that open snapshots hold up. Nothing was written, and the
// commit succeeds when they have ended. It matches daybook.ErrNoSpace.
var ErrHeldUp = fmt.Errorf("%w: the tree's file cannot grow on this system while a query is open: "+
	"end the loops of Scan and Changes, and running Backups and Checks", daybook.ErrNoSpace)

const (
	// A commit keeps new snapshots out for maxShut at a time, and lets them in for openBetween
	// before it tries again, because the loop of an open snapshot may wait for a new one.
	maxShut     = 100 * time.Millisecond
	openBetween = 100 * time.Millisecond
	maxHoldUp   = 2 * time.Second // after which it fails

	// A commit may grow the file at most by maxGrowth times the bytes that it may rewrite, which
	// are about TransactionBytes, beside what is posted with it, and by the list of free pages and
	// the checksums, which take one part in tablePart of the file, and minGrowth. When bbolt splits
	// a page it leaves up to half of each new one empty, and rounds each up to whole pages.
	maxGrowth = 8
	tablePart = 64
	minGrowth = 64 << 10
)

// snapshotGate counts the open snapshots, and lets a commit keep new ones out.
type snapshotGate struct {
	mu     sync.Mutex
	open   int
	shut   chan struct{} // nil: new snapshots may begin; otherwise they wait until it is closed
	nobody chan struct{} // not nil: is closed when no snapshot is open any more
}

func (g *snapshotGate) enter() {
	for {
		g.mu.Lock()
		shut := g.shut
		if shut == nil {
			g.open++
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		<-shut
	}
}

// anyOpen reports whether a snapshot is open.
func (g *snapshotGate) anyOpen() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open > 0
}

func (g *snapshotGate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open--
	if g.open == 0 && g.nobody != nil {
		close(g.nobody)
		g.nobody = nil
	}
}

// shutOut keeps new snapshots out until reopen, and waits until the open ones have ended. It
// reports false, and does not keep any out, if they have not after a while.
func (g *snapshotGate) shutOut(patience time.Duration) bool {
	g.mu.Lock()
	g.shut = make(chan struct{})
	if g.open == 0 {
		g.mu.Unlock()
		return true
	}
	g.nobody = make(chan struct{})
	nobody := g.nobody
	g.mu.Unlock()
	select {
	case <-nobody:
		return true
	case <-time.After(patience):
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == 0 {
		return true
	}
	g.nobody = nil
	g.reopenLocked()
	return false
}

func (g *snapshotGate) reopen() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reopenLocked()
}

func (g *snapshotGate) reopenLocked() {
	close(g.shut)
	g.shut = nil
}

// MappedSize returns the size of bbolt's mapping of a file, in bytes: a power of two, or gibibytes.
func MappedSize(file int64) int64 {
	for size := int64(minMapSize); size <= mapStep; size *= 2 {
		if file <= size {
			return size
		}
	}
	return (file + mapStep - 1) / mapStep * mapStep
}

// FillsMapping says that the file has the size of its mapping.
const FillsMapping = runtime.GOOS == "windows"

// LargestMapping returns the size of the largest mapping of up to limit bytes; 0 if there is none.
func LargestMapping(limit int64) int64 {
	switch {
	case limit < minMapSize:
		return 0
	case limit >= mapStep:
		return limit / mapStep * mapStep
	}
	size := int64(minMapSize)
	for 2*size <= limit {
		size *= 2
	}
	return size
}

// findMapping finds out how large the mapping of the open file is.
func (t *Tree) findMapping(initial int) error {
	info, err := t.file.Stat()
	if err == nil {
		t.mapping = MappedSize(max(info.Size(), int64(initial)))
	}
	return err
}

// withMapping calls commit, which may grow the file by about growth bytes. If it may outgrow the
// mapping, no snapshot is open meanwhile. After ErrHeldUp it is called once more, but not for an
// incomplete copy, which has no snapshots.
// Errors: ErrHeldUp, or commit's.
func (t *Tree) withMapping(growth int64, commit func() error) error {
	used, err := t.usedBytes()
	if err != nil {
		return err
	}
	t.fitsMap = used+growth+ownGrowth(used) < t.mapping
	// Beside a snapshot a commit is tried although it seems too large, because most are smaller.
	if (t.fitsMap || t.snapshotGate.anyOpen()) && !t.opts.copying {
		if err := t.withinMapping(commit); !errors.Is(err, ErrHeldUp) {
			return err
		}
	}
	for deadline := time.Now().Add(t.maxHoldUp()); !t.snapshotGate.shutOut(maxShut); time.Sleep(openBetween) {
		if time.Now().After(deadline) {
			return ErrHeldUp
		}
	}
	defer t.snapshotGate.reopen()
	t.limitFile(math.MaxInt64)
	err = commit()
	if used, usedErr := t.usedBytes(); usedErr == nil {
		t.mapping = max(t.mapping, MappedSize(used))
	}
	return err
}

// ownGrowth returns by how much the list of free pages and the checksums may grow a file, in bytes.
func ownGrowth(used int64) int64 { return used/tablePart + minGrowth }

func (t *Tree) maxHoldUp() time.Duration {
	if t.opts.SmallMapping { // in tests
		return maxHoldUp / 10
	}
	return maxHoldUp
}

// withinMapping calls commit, which fails if it might outgrow the mapping.
func (t *Tree) withinMapping(commit func() error) error {
	t.withinMap = true
	defer func() { t.withinMap = false }()
	t.limitFile(t.mapping)
	err := commit()
	if errors.Is(err, bolterrors.ErrMaxSizeReached) && (t.maxBytes == 0 || t.mapping < t.maxBytes) {
		return ErrHeldUp
	}
	return err
}

// checkGrowth returns ErrHeldUp if the transaction might outgrow the mapping and must not. It must
// be called after the last change. The limit that bbolt has for the file is not enough: on Windows
// bbolt does not hold a commit to it that needs the mapping up to its last page. Such a commit maps
// the file again, and would wait for the snapshots.
func (t *Tree) checkGrowth(w *writeTx) error {
	used := w.tx.Size()
	t.maxUsed = used + maxGrowth*int64(w.rewritten()) + ownGrowth(used)
	if t.withinMap && t.maxUsed >= t.mapping {
		return ErrHeldUp
	}
	return nil
}

// limitFile sets the maximum length of the file for the next commit: MaxBytes or less.
func (t *Tree) limitFile(maxBytes int64) {
	if t.maxBytes > 0 {
		maxBytes = min(maxBytes, t.maxBytes)
	} else if maxBytes == math.MaxInt64 {
		maxBytes = 0
	}
	t.bolt.MaxSize = int(min(maxBytes, math.MaxInt))
}

// usedBytes returns the size of the file up to its last page, in bytes.
func (t *Tree) usedBytes() (used int64, err error) {
	err = t.viewBolt(func(tx *bbolt.Tx) error {
		used = tx.Size()
		return nil
	})
	return used, err
}

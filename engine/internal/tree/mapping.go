// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/daybook-db/daybook"
)

// This file keeps a commit from waiting for snapshots for ever. bbolt maps the file into memory.
// When a commit outgrows the mapping, bbolt waits until all read transactions have ended, and keeps
// new ones from beginning. A program that stores within the loop of a Scan would wait for itself.
// So a commit that might outgrow the mapping begins only when there is no snapshot, and fails with
// ErrHeldUp if the snapshots do not end soon. Elsewhere than on Windows and on 32-bit systems the
// mapping is so large that this does not happen.

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

	// A commit may grow the file at most by growthTransactions times TransactionBytes beside what
	// is posted with it, and by the list of free pages and the checksums, which take one part in
	// tablePart of the file, and minGrowth.
	growthTransactions = 8
	tablePart          = 64
	minGrowth          = 64 << 10
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

// mappedSize returns the size of bbolt's mapping of a file, in bytes.
func mappedSize(file int64) int64 {
	for size := int64(minMapSize); size <= mapStep; size *= 2 {
		if file <= size {
			return size
		}
	}
	return (file + mapStep - 1) / mapStep * mapStep
}

// findMapping finds out how large the mapping of the open file is.
func (t *Tree) findMapping(initial int) error {
	info, err := t.file.Stat()
	if err == nil {
		t.mapping = mappedSize(max(info.Size(), int64(initial)))
	}
	return err
}

// withMapping calls commit, which may grow the file by a number of bytes. If that may outgrow the
// mapping, no snapshot is open meanwhile.
// Errors: ErrHeldUp, or commit's.
func (t *Tree) withMapping(growth int64, commit func() error) error {
	used, err := t.usedBytes()
	if err != nil {
		return err
	}
	growth += used/tablePart + minGrowth
	if used+growth < t.mapping {
		return t.withinMapping(commit)
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
		t.mapping = max(t.mapping, mappedSize(used))
	}
	return err
}

func (t *Tree) maxHoldUp() time.Duration {
	if t.opts.SmallMapping { // in tests
		return maxHoldUp / 10
	}
	return maxHoldUp
}

// withinMapping calls commit, which fails if it outgrows the mapping against all expectation.
func (t *Tree) withinMapping(commit func() error) error {
	t.limitFile(t.mapping)
	err := commit()
	if errors.Is(err, bolterrors.ErrMaxSizeReached) && (t.maxBytes == 0 || t.mapping < t.maxBytes) {
		return ErrHeldUp
	}
	return err
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

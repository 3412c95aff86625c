// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/daybook-db/daybook/engine/internal/tree"
)

// trees are the open tree and its predecessors. Compaction and salvage replace the tree by another
// file; the old one stays open until its last snapshot is closed.
type trees struct {
	mu      sync.RWMutex // guards the replacement of current
	current *tree.Tree

	naming sync.RWMutex // is held while another file gets the tree's name and becomes current

	snapshots atomic.Int64   // open snapshots and backups, of all trees
	ended     atomic.Uint64  // number of those that were closed
	attempted atomic.Uint64  // ended, when a head was posted last
	retiring  sync.WaitGroup // replaced trees that are still open
}

// get returns the tree that is open at the moment of the call.
func (ts *trees) get() *tree.Tree {
	ts.mu.RLock()
	defer ts.mu.RUnlock()
	return ts.current
}

// snapshot begins a snapshot of the tree. Closing it must be followed by a call of snapshotClosed.
func (ts *trees) snapshot() (*tree.Snapshot, error) {
	ts.mu.RLock()
	defer ts.mu.RUnlock()
	snapshot, err := ts.current.Snapshot()
	if err == nil {
		ts.snapshots.Add(1)
	}
	return snapshot, err
}

func (ts *trees) snapshotClosed() {
	ts.snapshots.Add(-1)
	ts.ended.Add(1)
}

// beginAttempt is called before an attempt to post a head.
func (ts *trees) beginAttempt() { ts.attempted.Store(ts.ended.Load()) }

// endedSinceAttempt reports whether a snapshot has ended since the last attempt to post a head. The
// pages that it kept in use may be free now.
func (ts *trees) endedSinceAttempt() bool { return ts.ended.Load() != ts.attempted.Load() }

// state returns the state of the tree that is open at the moment of the call.
func (ts *trees) state() (tree.State, error) {
	ts.mu.RLock()
	defer ts.mu.RUnlock()
	return ts.current.State()
}

// size returns the size of the tree's file and how much of it is in use, in bytes.
func (ts *trees) size() (file, used int64, err error) {
	ts.mu.RLock()
	defer ts.mu.RUnlock()
	return ts.current.Size()
}

// replace makes another file the tree. retired is the path that the old one got; empty: it has none
// any more.
func (t *turn) replace(other *tree.Tree, retired string) {
	ts := &t.db.trees
	ts.mu.Lock()
	old := ts.current
	ts.current = other
	ts.mu.Unlock()
	ts.retiring.Go(func() {
		_ = old.CloseWhenUnused()
		if retired != "" {
			_ = t.db.dir.fs.Remove(retired) // or the next Open does
		}
	})
}

// closeDirectory closes the tree and then the directory.
func (t *turn) closeDirectory() error {
	return errors.Join(t.db.session.close(), t.closeTrees(), t.db.dir.fs.Close())
}

// closeTrees closes the tree, and waits until replaced trees are closed.
func (t *turn) closeTrees() error {
	errs := []error{t.tree().Close()}
	if t.stranded != nil {
		errs = append(errs, t.stranded.Close())
	}
	t.db.trees.retiring.Wait()
	return errors.Join(errs...)
}

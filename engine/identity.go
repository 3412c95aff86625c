// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/engine/internal/wal"
)

// This file has what the engine does so that a sequence number never means two values within an
// epoch. Open decides whether a new epoch begins. The segments of the log that are written then
// name it, and the tree gets it with the next commit, so it costs no sync. Until then the log and
// the tree keep the evidence from which the next Open would decide the same.

// currentIdentity is the identity of the open directory. A new epoch replaces it as a whole. So a
// caller that needs several answers about one moment gets the identity once.
type currentIdentity struct {
	now     atomic.Pointer[identity.Identity]
	forking sync.Mutex // is held while the identity is given to the tree, without the turn or with it
}

func (c *currentIdentity) get() identity.Identity { return *c.now.Load() }

func (c *currentIdentity) set(i identity.Identity) { c.now.Store(&i) }

// cursorAt returns the cursor of the value with a sequence number.
func (db *DB) cursorAt(sequence uint64) daybook.Cursor { return db.identity.get().CursorAt(sequence) }

// resolve returns the sequence number after which a consumer with a cursor goes on.
// Errors: *daybook.ForkedError.
func (db *DB) resolve(cursor daybook.Cursor) (after uint64, err error) {
	return db.identity.get().Resolve(cursor, db.heads.last())
}

// prepareIdentity gives the tree of an older version an identity, and replaces a damaged one.
func (t *turn) prepareIdentity() error {
	_, err := t.tree().Identity()
	if t.db.quarantines(err) {
		known, findErr := t.db.dir.identityOfLog()
		if findErr != nil {
			return findErr
		}
		if known.IsZero() {
			known = identity.New()
		}
		t.tree().SetIdentity(known)
		err = t.quarantineOpenTree(err)
	}
	if err != nil || t.db.opts.ReadOnly {
		return err
	}
	return t.saveIdentity()
}

// identityOfLog returns the identity that the segments of the log show; zero if none shows any.
func (d directory) identityOfLog() (identity.Identity, error) {
	begins, err := wal.FindBeginning(d.file(logName), d.fs)
	if begins.Origin == (identity.Origin{}) {
		return identity.Identity{}, err
	}
	return identity.FromOrigin(begins.Origin), err
}

// knownToLog returns what the tree says about the log beside it.
func (t *turn) knownToLog(state tree.State) wal.Known {
	saved, _ := t.tree().Identity() // prepareIdentity has dealt with damage
	return wal.Known{
		Watermark: state.Watermark, Identity: saved, Tree: t.db.dir.file(TreeFile),
		Expected: t.db.session.expectedOfLog(saved, state.Watermark), Live: t.db.beside,
	}
}

// chooseEpoch decides whether Open begins a new epoch, and returns the origin of the values that
// will be stored. A new one is needed if the log was not closed, because numbers may have been
// given to values that are lost, but were seen. It is also needed in a copy of the directory,
// because the original goes on to give numbers.
//
// The session shows more: that the directory was not closed although no segment is left, or that
// the tree is not the one that was closed.
//
// Nothing would show the next Open that this log is lost, because its directory is made again. So
// the tree knows the epoch first.
func (t *turn) chooseEpoch(recovery *wal.Recovery) (origin identity.Origin, err error) {
	known := recovery.Identity()
	switch {
	case known.IsZero(): // it is of an older version, and open for reading: its cursors hold until Close
		known.Epochs = []identity.Epoch{{ID: identity.NewID()}}
	case !t.db.opts.ReadOnly && (recovery.Unclean() || t.tree().IsElsewhere() || t.sessionIsUnclean()):
		known, origin = known.BeginRandom(recovery.NextSequence()-1,
			recovery.EpochUsed() || t.db.session.usedEpoch(known.Store, known.Current()))
		t.tree().SetIdentity(known)
		if recovery.IsLost() {
			err = t.saveIdentity()
		}
	default:
		origin = known.Origin()
	}
	t.db.identity.set(known)
	return origin, err
}

// forkAfter begins a new epoch after a sequence number, because frames with greater ones were
// undone that a Follower may have read. The leader calls it, without the turn.
func (db *DB) forkAfter(shared uint64) (origin identity.Origin) {
	db.identity.forking.Lock()
	defer db.identity.forking.Unlock()
	known, origin := db.identity.get().BeginRandom(shared, true)
	db.identity.set(known)
	db.trees.get().SetIdentity(known)
	return origin
}

// passIdentity gives the identity to a tree that has taken the place of another. Meanwhile
// forkAfter may have told the other one of a new epoch.
func (t *turn) passIdentity() {
	known := &t.db.identity
	known.forking.Lock()
	defer known.forking.Unlock()
	if now := known.get(); !now.IsZero() && !now.Equal(t.tree().NextIdentity()) {
		t.tree().SetIdentity(now)
	}
}

// forkAfterLoss makes the tree begin a new epoch with its next commit, because the values after a
// sequence number are lost with a log.
func (t *turn) forkAfterLoss(known identity.Identity, shared uint64) {
	known, _ = known.BeginRandom(shared, true)
	t.tree().SetIdentity(known)
}

// saveIdentity makes the tree know the present identity, if it does not know it yet.
func (t *turn) saveIdentity() error {
	return t.saveUsingReserve(func() error { return t.tree().SaveIdentity() })
}

// saveUsingReserve calls save, on a full disk with the space of the reserve.
func (t *turn) saveUsingReserve(save func() error) error {
	err := t.syncRename()
	if err == nil {
		err = save()
	}
	if errors.Is(err, daybook.ErrNoSpace) && t.releaseReserve() {
		defer t.takeReserve()
		err = save()
	}
	return err
}

// releaseEvidence lets the log release the files that show that a new epoch was needed, once the
// tree knows the epoch.
func (t *turn) releaseEvidence() {
	if t.db.log.KeepsEvidence() && t.tree().IdentitySaved() {
		t.db.log.ReleaseEvidence()
	}
}

// lastCheckpoint posts all values, so that the log can be emptied. The tree must know the epoch
// too, because the log is the evidence of it. It must know the numbers of the segments that have
// been in use: a Follower takes another segment with such a number for the one that it has read.
func (t *turn) lastCheckpoint() error {
	err := t.checkpoint(context.Background())
	if err == nil && t.db.log.Failure() != nil {
		err = t.forkAfterFailure()
	}
	if err == nil {
		err = t.saveIdentity()
	}
	if err == nil {
		err = t.saveLastSegment()
	}
	if err == nil {
		err = t.verifyDirectory() // the log is only emptied beside the tree that has its values
	}
	return err
}

// forkAfterFailure begins a new epoch for the next process, because the log may have frames whose
// Store has failed. A Follower may have read them, and nothing shows that once the log is empty.
func (t *turn) forkAfterFailure() error {
	err := t.verifyDirectory()
	if err == nil {
		t.db.forkAfter(t.db.heads.last())
	}
	return err
}

// saveLastSegment makes the tree know the numbers of the segments that have been in use. It does so
// already unless nothing was posted after the last one.
func (t *turn) saveLastSegment() error {
	used := t.db.log.LastUsed()
	if used <= t.savedSegment {
		return nil
	}
	return t.saveUsingReserve(func() error { return t.tree().SaveLastSegment(used) })
}

// releaseLog removes all files of the log that are not needed.
func (t *turn) releaseLog() {
	state, err := t.tree().State()
	if err == nil && t.db.log.KeepsEvidence() && t.tree().SaveIdentity() == nil { // otherwise the files stay
		t.releaseEvidence()
		t.db.log.Release(state.Watermark)
	}
	t.db.log.RemoveReleased()
}

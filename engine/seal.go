// SPDX-License-Identifier: Apache-2.0

package engine

import "time"

// sealDelay is how long the last transaction of a deletion stays without its seal. A deletion is
// durable without it, and the seal takes as many syncs as the deletion. Deletions that follow one
// another within this time, as those of a policy's rules do, have one seal in common. It is short:
// while the seal is missing, a crash makes the next Open believe the newest pages as they are.
const sealDelay = 10 * time.Millisecond

// sealWhenPruned is the background work of deletions: it seals their last transaction. If that
// fails, for example because the disk is full, the next transaction seals it, or Close.
func (db *DB) sealWhenPruned(stopping <-chan struct{}) {
	for {
		select {
		case <-stopping:
			return
		case <-db.sealer.nudged:
		}
		select {
		case <-stopping:
			return
		case <-time.After(sealDelay):
		}
		_ = db.withTurnInBackground((*turn).seal)
	}
}

// seal seals the tree's last transaction.
func (t *turn) seal() error {
	if err := t.tree().Seal(); err != nil {
		return err
	}
	return t.measure()
}

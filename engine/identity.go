// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"sync/atomic"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

// currentIdentity is the identity of the open directory. A new epoch replaces it as a whole. So a
// caller that needs several answers about one moment gets the identity once.
type currentIdentity struct {
	now atomic.Pointer[identity.Identity]
}

// provisional is the identity of every directory, until directories keep their own.
var provisional = identity.Identity{Store: [16]byte{1}, Epochs: []identity.Epoch{{ID: [16]byte{2}}}}

func (c *currentIdentity) get() identity.Identity { return *c.now.Load() }

func (c *currentIdentity) set(i identity.Identity) { c.now.Store(&i) }

// cursorAt returns the cursor of the value with a sequence number.
func (db *DB) cursorAt(sequence uint64) daybook.Cursor { return db.identity.get().CursorAt(sequence) }

// resolve returns the sequence number after which a consumer with a cursor goes on.
// Errors: *daybook.ForkedError.
func (db *DB) resolve(cursor daybook.Cursor) (after uint64, err error) {
	return db.identity.get().Resolve(cursor, db.heads.last())
}

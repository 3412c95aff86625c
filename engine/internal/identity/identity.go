// SPDX-License-Identifier: Apache-2.0

// Package identity says which store a directory holds, and which history its sequence numbers
// belong to.
//
// A store has an [Identity]: 16 random bytes that never change, and its epochs, each named by 16
// random bytes. A new epoch begins whenever a sequence number could be given a second time: after a
// crash, after a loss, and in a copy. So within an epoch a number never means two values, and
// (epoch, number) is the same value for ever.
//
//	epoch A   1 ......... 700 ......... 1,000     the power fails; 1,000 values were seen
//	epoch B               701 ... 850             began after 700: A and B share 1..700
//	epoch C                       851 ...         began after 850: B and C share 1..850
//
// A cursor in A up to 700 is a place in today's history. A cursor in A after 700 names a value that
// today's history does not have. That is a *daybook.ForkedError, which says that both share 1..700.
//
// The epochs form a list, because a store has one history. Copies of a store have their own lists,
// with a common beginning.
package identity

import (
	"crypto/rand"
	"math"
	"slices"

	"github.com/daybook-db/daybook"
)

// MaxEpochs is the maximum number of epochs that an Identity has. When another begins, the oldest
// one is forgotten. A cursor in a forgotten epoch shares nothing with the history.
const MaxEpochs = 1024

// Identity is the identity of a store and of its history. It is not changed after it was made, so
// any number of goroutines may use it. The zero Identity is that of a directory from before there
// were identities.
type Identity struct {
	Store  [16]byte
	Epochs []Epoch // oldest first; the last is the current one
}

// Epoch is a history in which each sequence number means one value.
type Epoch struct {
	ID     [16]byte
	Shared uint64 // the last sequence number that it shares with the epoch before it
}

// NewID returns 16 random bytes.
func NewID() (id [16]byte) {
	_, _ = rand.Read(id[:]) // it never fails
	return id
}

// New returns the identity of a new store.
func New() Identity { return Identity{Store: NewID(), Epochs: []Epoch{{ID: NewID()}}} }

// IsZero reports whether it is the identity of a directory from before there were identities.
func (i Identity) IsZero() bool { return i.Store == [16]byte{} }

// Equal reports whether both are the same store with the same epochs.
func (i Identity) Equal(other Identity) bool {
	return i.Store == other.Store && slices.Equal(i.Epochs, other.Epochs)
}

// Current returns the epoch in which values are stored.
func (i Identity) Current() Epoch {
	if len(i.Epochs) == 0 {
		return Epoch{}
	}
	return i.Epochs[len(i.Epochs)-1]
}

// Origin is what a segment of the log knows of the history that its values belong to. With it the
// epochs can be found again that the tree does not know yet.
type Origin struct {
	Store  [16]byte
	Epoch  [16]byte
	Parent [16]byte // the epoch that was current when Epoch began; zero: it was the first one
	Shared uint64   // the last sequence number that Epoch shares with Parent
}

// Origin returns the origin of the values that are stored in the current epoch.
func (i Identity) Origin() Origin {
	now := i.Current()
	o := Origin{Store: i.Store, Epoch: now.ID, Shared: now.Shared}
	if len(i.Epochs) > 1 {
		o.Parent = i.Epochs[len(i.Epochs)-2].ID
	}
	return o
}

// FromOrigin returns the identity that an origin shows.
func FromOrigin(o Origin) Identity {
	i := Identity{Store: o.Store}
	if o.Parent != ([16]byte{}) {
		i.Epochs = []Epoch{{ID: o.Parent}}
	}
	i.Epochs = append(i.Epochs, Epoch{ID: o.Epoch, Shared: o.Shared})
	return i
}

// Extend returns the identity with the epoch of an origin, which is one of its epochs already, or
// begins after the current one, and after last, the last sequence number of the history. Otherwise
// the origin belongs to another store, or to another copy of this one, and ok is false.
func (i Identity) Extend(o Origin, last uint64, used bool) (extended Identity, ok bool) {
	switch {
	case o.Store != i.Store:
		return i, false
	case i.Has(o.Epoch):
		return i, true
	case o.Parent != i.Current().ID || o.Shared < last:
		return i, false
	}
	return i.Begin(o.Epoch, o.Shared, used), true
}

// Has reports whether an epoch is one of the identity's.
func (i Identity) Has(epoch [16]byte) bool {
	return slices.ContainsFunc(i.Epochs, func(e Epoch) bool { return e.ID == epoch })
}

// Begin returns the identity with another current epoch, which has the values up to the sequence
// number shared, and no others yet. used says whether the epoch that ends may have given a number
// to a value. An epoch that has not is left out, because no cursor can name it.
func (i Identity) Begin(id [16]byte, shared uint64, used bool) Identity {
	before := i.Epochs
	if !used && len(before) > 0 {
		before = before[:len(before)-1]
	}
	before = before[max(0, len(before)+1-MaxEpochs):]
	i.Epochs = append(slices.Clone(before), Epoch{ID: id, Shared: shared})
	return i
}

// BeginRandom is Begin with a random epoch. It also returns the origin of its values. The origin's
// parent is the epoch that ends, even if that is left out, because the tree may have it.
func (i Identity) BeginRandom(shared uint64, used bool) (Identity, Origin) {
	begun := i.Begin(NewID(), shared, used)
	origin := begun.Origin()
	origin.Parent = i.Current().ID
	return begun, origin
}

// CursorAt returns the cursor of the value with a sequence number. It stays the same in all later
// epochs that share the value. So it never names an epoch without values.
func (i Identity) CursorAt(sequence uint64) daybook.Cursor {
	if sequence == 0 || len(i.Epochs) == 0 {
		return daybook.Cursor{}
	}
	at := len(i.Epochs) - 1
	for at > 0 && i.Epochs[at].Shared >= sequence {
		at--
	}
	return daybook.Cursor{Epoch: i.Epochs[at].ID, Sequence: sequence}
}

// Resolve returns the sequence number after which a consumer with a cursor goes on. last is the
// last number of the history.
// Errors: *daybook.ForkedError.
func (i Identity) Resolve(cursor daybook.Cursor, last uint64) (after uint64, err error) {
	if cursor.IsZero() {
		return 0, nil
	}
	common := min(i.LastOf(cursor.Epoch), last)
	if cursor.Sequence <= common {
		return cursor.Sequence, nil
	}
	return 0, &daybook.ForkedError{Common: i.CursorAt(common), Current: i.CursorAt(last)}
}

// LastOf returns the last sequence number that an epoch shares with the current history, which may
// not have reached it yet. The current epoch shares all numbers, and an unknown one shares nothing.
func (i Identity) LastOf(epoch [16]byte) (last uint64) {
	last = math.MaxUint64
	for at := len(i.Epochs) - 1; at >= 0; at-- {
		if i.Epochs[at].ID == epoch {
			return last
		}
		last = min(last, i.Epochs[at].Shared)
	}
	return 0
}

// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"sync/atomic"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// Keys of the meta bucket.
var (
	identityKey = []byte("identity")
	placeKey    = []byte("place")
)

// storedIdentity is the identity of the store as the file has it, and as it is to be.
type storedIdentity struct {
	saved  identity.Identity
	damage error      // why saved could not be read
	place  disk.Place // of the file when the identity was saved
	here   disk.Place // of the open file

	// next is the identity that the next commit saves; nil: it is saved. Any goroutine may set it.
	next atomic.Pointer[identity.Identity]
}

// Identity returns the identity that the file has. It is the zero Identity in a file of format 3.
func (t *Tree) Identity() (identity.Identity, error) { return t.identity.saved, t.identity.damage }

// IsElsewhere reports whether the file is known to be at another place than when its identity was
// saved: it is a copy, or the disk is in another machine.
func (t *Tree) IsElsewhere() bool { return t.identity.place.Differs(t.identity.here) }

// SetIdentity sets the identity that the next commit of values saves, with the place of the file.
func (t *Tree) SetIdentity(i identity.Identity) { t.identity.next.Store(&i) }

// NextIdentity returns the identity that was set last.
func (t *Tree) NextIdentity() identity.Identity {
	if next := t.identity.next.Load(); next != nil {
		return *next
	}
	return t.identity.saved
}

// IdentitySaved reports whether the identity that was set last is in the file, durably.
func (t *Tree) IdentitySaved() bool { return t.identity.next.Load() == nil }

// SaveIdentity saves the identity that was set last with a commit of its own, unless it is saved,
// and seals the commit that has saved it.
func (t *Tree) SaveIdentity() error {
	var err error
	if !t.IdentitySaved() {
		err = t.update(func(*writeTx) error { return nil })
	}
	if err == nil {
		err = t.seal() // otherwise the older meta page leads to a tree without the identity
	}
	return err
}

// putIdentity writes the identity that is to be saved, and returns a function to call after the
// commit.
func (t *Tree) putIdentity(tx *bbolt.Tx) (committed func(), err error) {
	next := t.identity.next.Load()
	if next == nil {
		return func() {}, nil
	}
	meta, here := tx.Bucket([]byte(metaBucket)), t.identity.here
	if err = meta.Put(identityKey, next.Append(nil)); err == nil {
		err = meta.Put(placeKey, encodeFields(here.Fields()))
	}
	return func() {
		t.identity.saved, t.identity.damage, t.identity.place = *next, nil, here
		t.identity.next.CompareAndSwap(next, nil)
	}, err
}

// loadIdentity reads the identity that an image shows. Damage of it is not damage of the tree.
func (t *Tree) loadIdentity(image *pages.Image) error {
	t.identity.here = disk.PlaceOf(t.file)
	format, err := readFormat(image)
	if err != nil || format < identityFormat {
		return err
	}
	t.identity.saved, t.identity.place, err = readIdentity(image)
	t.identity.damage = t.mapped.describe(err)
	return nil
}

func readIdentity(image *pages.Image) (i identity.Identity, place disk.Place, err error) {
	meta, err := image.Bucket(metaBucket)
	if err != nil {
		return i, place, err
	}
	data, err := meta.Cursor().Get(identityKey)
	if err != nil {
		return i, place, err
	}
	i, ok := identity.Decode(data)
	if !ok {
		return i, place, meta.Damage("the identity of the store does not match its checksum")
	}
	if data, err = meta.Cursor().Get(placeKey); err == nil && !decodeFields(data, place.Fields()) {
		err = meta.Damage("the place of the file does not match its checksum")
	}
	return i, place, err
}

// checkIdentity compares the identity in the file with the one that was read or written last.
func (t *Tree) checkIdentity(image *pages.Image) error {
	if t.identity.damage != nil {
		return t.identity.damage // even if the identity can be read another time
	}
	if t.identity.saved.IsZero() {
		return nil // a file of format 3 that is open for reading
	}
	found, _, err := readIdentity(image)
	if err == nil && !found.Equal(t.identity.saved) {
		err = image.RootDamage("the identity of the store differs from the one in use")
	}
	return err
}

// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"math"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

// checkStore returns an error if a segment belongs to another store than the tree. A segment of a
// version without an identity counts as one of the tree's store.
func (r *Recovery) checkStore(s *segment) error {
	if r.ofAnyStore || !s.header().hasOrigin() || s.origin.Store == r.known.Identity.Store {
		return nil
	}
	return corruptAt(s.path, 0, fmt.Sprintf("it belongs to store %x, but %s belongs to store %x%s",
		s.origin.Store, r.known.Tree, r.known.Identity.Store, mendForeign))
}

// mendForeign ends the errors of a log that does not belong to the tree.
const mendForeign = ": put the two together again that belong together, or move the log away. " +
	"OnCorruptionQuarantine sets the log aside"

// extendIdentity adds the epoch of a segment in use to the identity, and reports whether it is one
// of the identity's epochs now.
func (r *Recovery) extendIdentity(s *segment) (known bool) {
	if r.ofAnyStore || !s.header().hasOrigin() {
		return true
	}
	now := r.identity.Current()
	used := r.lastSeen == now.ID || s.origin.Shared > now.Shared
	if r.identity, known = r.identity.Extend(s.origin, r.next-1, used); known {
		r.lastSeen = s.origin.Epoch
	}
	return known
}

// endsInEpoch reports whether a segment has no values after the end of its epoch. Others belong to
// a copy of the directory in which the epoch went on.
func (r *Recovery) endsInEpoch(s *segment) bool {
	return r.ofAnyStore || !s.header().hasOrigin() || s.lastSequence <= r.identity.LastOf(s.origin.Epoch)
}

func (r *Recovery) errOtherCopy(s *segment) error {
	return corruptAt(s.path, 0, fmt.Sprintf("its values from %d on belong to epoch %x of store %x, which began after "+
		"value %d of epoch %x, but %s and the log before it are at value %d of epoch %x: "+
		"they belong to two copies of one directory%s", s.firstSequence, s.origin.Epoch, s.origin.Store,
		s.origin.Shared, s.origin.Parent, r.known.Tree, r.next-1, r.identity.Current().ID, mendForeign))
}

// Beginning is where a log begins.
type Beginning struct {
	Sequence uint64          // number of the first value; 0: there is none
	Origin   identity.Origin // of the first segment that has one; zero: none has
}

// FindBeginning returns where the log in dir begins, as far as its segments have readable headers.
func FindBeginning(dir string, fsys disk.FS) (b Beginning, err error) {
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return Beginning{}, nil
	}
	r := &Recovery{dir: dir, fs: fsys, watermark: math.MaxUint64, ofAnyStore: true}
	for _, entry := range entries {
		if number, ok := numberOf(entry.Name()); ok {
			if err := r.add(number); err != nil && !errors.Is(err, daybook.ErrCorrupt) {
				return Beginning{}, err
			}
		}
	}
	for i := range r.segments {
		if b.Sequence == 0 {
			b.Sequence = r.segments[i].firstSequence
		}
		if b.Origin = r.segments[i].origin; b.Origin != (identity.Origin{}) {
			break
		}
	}
	return b, err
}

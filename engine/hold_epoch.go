// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

// A hold whose epoch is among the oldest identity.MaxEpochs - maxHoldEpochs is given a later epoch.
// So the directory never forgets the epoch of a hold, unless it goes through more epochs than the
// rest at once. The hold would begin at the beginning then, and count values as lost that its
// consumer has taken.
const maxHoldEpochs = 3 * identity.MaxEpochs / 4

// renewHoldEpochs names the places of holds by an epoch in the middle, where the epoch that they
// are in will soon be forgotten. The place is the same. The middle epoch has had values, so no
// crash loses it.
func (t *turn) renewHoldEpochs() error {
	known := t.db.identity.get()
	if len(known.Epochs) <= maxHoldEpochs {
		return nil
	}
	old := identity.Identity{Epochs: known.Epochs[:len(known.Epochs)-maxHoldEpochs]}
	middle := known.Epochs[len(known.Epochs)-maxHoldEpochs/2].ID
	for _, h := range t.holds {
		if !old.Has(h.At.Epoch) {
			continue
		}
		renewed := *h
		renewed.At = daybook.Cursor{Epoch: middle, Sequence: t.db.placeOf(h.At)}
		if renewed.At.Sequence == 0 {
			renewed.At = daybook.Cursor{}
		}
		if err := t.putHold(&renewed); err != nil {
			return err
		}
	}
	return nil
}

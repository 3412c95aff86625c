// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"math"
	"slices"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/index"
)

// Hold spares values of the records that a pattern matches from Prune.
type Hold struct {
	Pattern *index.Pattern
	At      uint64 // sequence number up to which the hold's consumer has taken all values
	From    uint64 // the values with greater numbers are spared; at least At
}

// Holds are all holds of a daybook.
type Holds []Hold

// spared says which values of one record holds spare, and counts for each hold the deleted values
// that its consumer had not taken.
type spared struct {
	after uint64   // values with greater sequence numbers are spared
	at    []uint64 // of each hold of the record: its At
	lost  []*uint64
}

// sparesNone is for a record without holds.
var sparesNone = spared{after: math.MaxUint64}

// of returns what the holds spare of a record. It counts in lost[i] what hs[i] loses.
func (hs Holds) of(record string, lost []uint64) spared {
	s := sparesNone
	for i := range hs {
		if hs[i].Pattern.Match(record) {
			s.after = min(s.after, hs[i].From)
			s.at, s.lost = append(s.at, hs[i].At), append(s.lost, &lost[i])
		}
	}
	return s
}

// Spare reports whether the holds spare a value of a record.
func (hs Holds) Spare(record string, sequence uint64) bool {
	return slices.ContainsFunc(hs, func(h Hold) bool { return sequence > h.From && h.Pattern.Match(record) })
}

// spares reports whether a value is spared.
func (s *spared) spares(sequence uint64) bool { return sequence > s.after }

// counts reports whether the deletion of values with sequence numbers from low to high may count as
// a loss, and whether it is the same for all of them.
func (s *spared) counts(low, high uint64) (some, same bool) {
	same = true
	for _, at := range s.at {
		some = some || at < high
		same = same && (at < low || at >= high)
	}
	return some, same
}

// addAll counts the deletion of a number of values, of which low is the smallest sequence number.
// counts must have said that it is the same for all of them.
func (s *spared) addAll(low uint64, values uint64) {
	for i, at := range s.at {
		if at < low {
			*s.lost[i] += values
		}
	}
}

// add counts the deletion of a value.
func (s *spared) add(e *codec.Entry) { s.addAll(e.Sequence, 1) }

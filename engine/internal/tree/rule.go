// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"sort"

	"github.com/daybook-db/daybook/codec"
)

// Rule says which values of a record are deleted. They are always its oldest ones.
type Rule struct {
	OlderThan    uint64 // delete values with a smaller timestamp; 0: none
	StoredBefore uint64 // with timestamp OlderThan, delete those with a smaller sequence number; 0: none
	KeepNewest   uint64 // of the values above, keep the newest KeepNewest of the record
	MaxPerRecord uint64 // delete all but the newest MaxPerRecord; 0: no limit

	oldest uint64 // delete this number of values in any case
}

// ByAgeAlone reports whether the deletion of a value depends only on the value's own timestamp and
// sequence number.
func (r Rule) ByAgeAlone() bool { return r.KeepNewest == 0 && r.MaxPerRecord == 0 }

// MayDelete reports whether the rule may delete, by age, some of the values of which the oldest has
// the given timestamp.
func (r Rule) MayDelete(oldest uint64) bool { return r.deletes(oldest, 0) }

// deletes reports whether the rule deletes a value by age.
func (r Rule) deletes(timestamp, sequence uint64) bool {
	return timestamp < r.OlderThan || timestamp == r.OlderThan && sequence < r.StoredBefore
}

// deleted returns the values of a run that the rule deletes by age.
func (r Rule) deleted(run []codec.Entry) []codec.Entry {
	return run[:sort.Search(len(run), func(i int) bool { return !r.deletes(run[i].Timestamp, run[i].Sequence) })]
}

// affects reports whether the rule may delete values of a record.
func (r Rule) affects(e *codec.CatalogueEntry) bool {
	return r.MayDelete(e.Oldest) && e.Count > r.KeepNewest || r.MaxPerRecord > 0 && e.Count > r.MaxPerRecord
}

// limits returns how many values of a record the rule may delete by age, and how many it deletes
// whatever their age.
func (r Rule) limits(count uint64) (byAge, byCount uint64) {
	if r.MaxPerRecord > 0 {
		byCount = count - min(count, r.MaxPerRecord)
	}
	return count - min(count, r.KeepNewest), max(byCount, r.oldest)
}

// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"math"
	"sort"

	"github.com/daybook-db/daybook/codec"
)

// Rule says which values of a record are deleted: its oldest ones, with NewerThan those of a span
// of time, or with StoredThrough those that were stored first.
type Rule struct {
	// NewerThan deletes the values with a greater timestamp, and with OlderThan only those between
	// both. Then all other fields are 0. 0: OlderThan deletes the oldest values.
	NewerThan uint64

	OlderThan    uint64 // delete values with a smaller timestamp; 0: none
	StoredBefore uint64 // with timestamp OlderThan, delete those with a smaller sequence number; 0: none
	KeepNewest   uint64 // of the values above, keep the newest KeepNewest of the record
	MaxPerRecord uint64 // delete all but the newest MaxPerRecord; 0: no limit

	// StoredThrough deletes the values with sequence numbers up to this one, whatever their time,
	// and with OlderThan only the older ones of them. Then all other fields but KeepNewest are 0.
	// 0: none.
	StoredThrough uint64

	oldest uint64 // delete this number of values in any case
}

// ByTimeAlone reports whether the deletion of a value depends only on the value's own timestamp and
// sequence number.
func (r Rule) ByTimeAlone() bool { return r.KeepNewest == 0 && r.MaxPerRecord == 0 }

// MayDelete reports whether the rule may delete, by time, some of the values of which the oldest
// and the newest have the given timestamps.
func (r Rule) MayDelete(oldest, newest uint64) bool {
	switch {
	case r.StoredThrough > 0 && r.OlderThan == 0:
		return true
	case r.NewerThan > 0:
		span := r.span()
		return !span.Empty() && span.Overlaps(oldest, newest)
	}
	return r.deletes(oldest, 0)
}

// Doomed returns the timestamps whose values the rule deletes, however many a record has. The range
// is empty if there are none.
func (r Rule) Doomed() codec.Range {
	switch {
	case r.NewerThan > 0:
		return r.span()
	case r.KeepNewest > 0 || r.OlderThan == 0 || r.StoredThrough > 0:
		return noTimestamp
	}
	return codec.Range{End: r.OlderThan - 1}
}

// span returns the timestamps that a rule with NewerThan deletes.
func (r Rule) span() codec.Range {
	switch {
	case r.NewerThan == math.MaxUint64:
		return noTimestamp
	case r.OlderThan == 0:
		return codec.Range{Start: r.NewerThan + 1, End: math.MaxUint64}
	}
	return codec.Range{Start: r.NewerThan + 1, End: r.OlderThan - 1}
}

// noTimestamp is an empty range.
var noTimestamp = codec.Range{Start: 1}

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
	return r.MayDelete(e.Oldest, e.Newest) && e.Count > r.KeepNewest || r.MaxPerRecord > 0 && e.Count > r.MaxPerRecord
}

// limits returns how many values of a record the rule may delete by age, and how many it deletes
// whatever their age.
func (r Rule) limits(count uint64) (byAge, byCount uint64) {
	if r.MaxPerRecord > 0 {
		byCount = count - min(count, r.MaxPerRecord)
	}
	return count - min(count, r.KeepNewest), max(byCount, r.oldest)
}

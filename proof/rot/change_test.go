// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"math"
	"slices"

	"github.com/daybook-db/daybook"
)

// afterChange knows the values that a store may have after a deletion and a batch.
type afterChange struct {
	before       *oracle
	olderThan    uint64 // the deletion selects older values ...
	maxPerRecord int    // ... or, if this is not 0, the values beyond it in each record
	deleted      bool   // the selected values must be deleted; otherwise the oldest of them may be
	stored       bool   // the batch must be there; otherwise its values may be
}

const newRecord = "rot.new"

// batch returns the values that are stored after the deletion: one in a new record, and one in the
// first and the last existing record.
func (a afterChange) batch() (batch []daybook.StoredValue) {
	names := a.before.records
	for _, record := range []string{newRecord, names[0], names[len(names)-1]} {
		v := daybook.StoredValue{RecordName: record, Value: []byte(`"new"`), StoredAt: math.MaxUint32}
		batch = append(batch, v)
	}
	return batch
}

func (a afterChange) records() []string { return append(slices.Clone(a.before.records), newRecord) }

// doomed returns the number of a record's oldest values that the deletion selects.
func (a afterChange) doomed(record string) (n int) {
	values := a.before.values[record]
	if a.maxPerRecord > 0 {
		return max(0, len(values)-a.maxPerRecord)
	}
	for n < len(values) && values[n].At < a.olderThan {
		n++
	}
	return n
}

// allDoomed returns the number of values that the deletion selects in all records.
func (a afterChange) allDoomed() (n uint64) {
	for _, record := range a.before.records {
		n += uint64(a.doomed(record))
	}
	return n
}

// difference describes how the values of a record, the oldest first, differ from those that it may
// have. It is empty if they do not.
func (a afterChange) difference(record string, got []daybook.StoredValue) string {
	want := a.before.answer(question{record, daybook.QueryParams{Order: daybook.OldestFirst}})
	for _, v := range a.batch() {
		isThere := len(got) > 0 && got[len(got)-1].StoredAt == v.StoredAt
		if v.RecordName == record && (a.stored || isThere) {
			want = append(want, v)
		}
	}
	deleted := a.doomed(record)
	if !a.deleted {
		deleted = min(max(len(want)-len(got), 0), deleted)
	}
	return difference(got, want[deleted:], true)
}

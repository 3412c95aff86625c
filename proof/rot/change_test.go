// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"math"
	"slices"

	"github.com/daybook-db/daybook"
)

// rotAfter is what a store may hold once it has been changed.
type rotAfter struct {
	wanted    *rotWanted
	olderThan uint64 // what is older is doomed,
	most      int    // or, if this is not 0, all but the newest so many of each record
	cleaned   bool   // the doomed must be gone; else the oldest of them may be
	stored    bool   // the batch must be there; else it may be
}

const rotNew = "rot.new"

// batch is stored after the cleanup: a new record, and one more value of the first and of the last one.
func (a rotAfter) batch() (batch []daybook.StoredValue) {
	names := a.wanted.records
	for _, record := range []string{rotNew, names[0], names[len(names)-1]} {
		batch = append(batch, daybook.StoredValue{RecordName: record, Value: []byte(`"new"`), StoredAt: math.MaxUint32})
	}
	return batch
}

func (a rotAfter) records() []string { return append(slices.Clone(a.wanted.records), rotNew) }

// doomed is how many of a record's oldest values are to go.
func (a rotAfter) doomed(record string) (n int) {
	values := a.wanted.values[record]
	if a.most > 0 {
		return max(0, len(values)-a.most)
	}
	for n < len(values) && values[n].At < a.olderThan {
		n++
	}
	return n
}

func (a rotAfter) allDoomed() (n uint64) {
	for _, record := range a.wanted.records {
		n += uint64(a.doomed(record))
	}
	return n
}

// differ says how a record, oldest value first, differs from what it may be.
func (a rotAfter) differ(record string, got []daybook.StoredValue) string {
	want := a.wanted.answer(rotQuestion{record, daybook.QueryParams{Order: daybook.OldestFirst}})
	for _, v := range a.batch() {
		isNew := len(got) > 0 && got[len(got)-1].StoredAt == v.StoredAt
		if v.RecordName == record && (a.stored || isNew) {
			want = append(want, v)
		}
	}
	gone := a.doomed(record) // how many of the oldest are gone
	if !a.cleaned {
		gone = min(max(len(want)-len(got), 0), gone)
	}
	return rotDiffer(got, want[gone:], true)
}

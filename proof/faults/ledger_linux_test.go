// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package faults

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/daybook-db/daybook"
)

// fate says whether a value must be visible.
type fate int

const (
	absent       fate = iota // the value must never be visible
	present                  // the value must be visible
	maybeStored              // not visible before the next Open, which shows whether the value was stored
	maybeDeleted             // not visible before the next Open, which shows whether the value was deleted
)

// ledgerEntry is a value that a test has tried to store.
type ledgerEntry struct {
	daybook.StoredValue
	batch int // the values of a batch are stored together or not at all
	fate  fate
	lost  bool // it was deleted before the hold's consumer had taken it

	deleted bool // it was visible, and a deletion has counted it
}

// ledger knows which values a store must show. The entries are in the order of the attempts to
// store them. The JSON of a value contains the index of its entry, which is called its id.
type ledger []ledgerEntry

// add adds an absent value of approximately size bytes, and returns it.
func (l *ledger) add(record string, at uint64, batch, size int) daybook.StoredValue {
	text := fmt.Sprintf(`{"id":%d,"text":"`, len(*l))
	text += strings.Repeat("all work and no play ", size/21+1)[:max(0, size-len(text)-2)] + `"}`
	v := daybook.StoredValue{RecordName: record, Value: []byte(text), StoredAt: at}
	*l = append(*l, ledgerEntry{StoredValue: v, batch: batch})
	return v
}

// set sets the fate of the last n entries.
func (l ledger) set(n int, f fate) {
	for i := range l[len(l)-n:] {
		l[len(l)-n+i].fate = f
	}
}

// doomed returns the ids of the present values that a deletion selects in a record, or in all
// records if the name is empty. It selects the values that are older than a timestamp, and those
// beyond maxPerRecord unless that is 0. A hold may spare some of them.
func (l ledger) doomed(record string, olderThan uint64, maxPerRecord int, hold heldState) (ids []int) {
	spared := l.spared(hold)
	byRecord := make(map[string][]int)
	for id := range l {
		if e := &l[id]; e.fate == present && (record == "" || record == e.RecordName) {
			byRecord[e.RecordName] = append(byRecord[e.RecordName], id)
		}
	}
	for _, all := range byRecord {
		slices.SortFunc(all, l.newestFirst)
		for rank, id := range all {
			isDoomed := l[id].StoredAt < olderThan || maxPerRecord > 0 && rank >= maxPerRecord
			if isDoomed && !spared[id] {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// newestFirst compares two values of a record by their ids.
func (l ledger) newestFirst(a, b int) int {
	return cmp.Or(cmp.Compare(l[b].StoredAt, l[a].StoredAt), cmp.Compare(b, a))
}

// identify returns the ids of values. It returns an error unless each value was attempted and
// appears once, and all are in the order of a query.
func (l ledger) identify(values []daybook.StoredValue) (ids []int, err error) {
	for _, v := range values {
		id := -1
		if _, err := fmt.Sscanf(string(v.Value[:min(len(v.Value), 20)]), `{"id":%d,`, &id); err != nil || id >= len(l) {
			return nil, fmt.Errorf("%s at %d was never stored: %.60s", v.RecordName, v.StoredAt, v.Value)
		}
		if e := &l[id]; e.RecordName != v.RecordName || e.StoredAt != v.StoredAt || string(e.Value) != string(v.Value) {
			return nil, fmt.Errorf("value %d of %s at %d is not what was stored", id, v.RecordName, v.StoredAt)
		}
		ids = append(ids, id)
	}
	for i := 1; i < len(ids); i++ {
		a, b := ids[i-1], ids[i]
		if cmp.Or(cmp.Compare(l[a].RecordName, l[b].RecordName), l.newestFirst(a, b)) >= 0 {
			return nil, fmt.Errorf("value %d is before value %d, or twice in the result", a, b)
		}
	}
	return ids, nil
}

// missing returns those of the ids that are not visible.
func (l ledger) missing(ids []int, visible []daybook.StoredValue) (missing []int, err error) {
	seen, err := l.identify(visible)
	visibleIDs := setOf(seen)
	for _, id := range ids {
		if !visibleIDs[id] {
			missing = append(missing, id)
		}
	}
	return missing, err
}

// verify compares all visible values with the fates of the entries.
func (l ledger) verify(visible []daybook.StoredValue) error {
	return l.compare(visible, func(fate) bool { return false })
}

// verifyReopened is verify after the store was opened again. A value whose fate was in doubt is
// present afterwards if it is visible, and absent otherwise.
func (l ledger) verifyReopened(visible []daybook.StoredValue) error {
	err := l.compare(visible, func(f fate) bool { return f == maybeStored || f == maybeDeleted })
	if err != nil {
		return err
	}
	ids, _ := l.identify(visible)
	visibleIDs, batches := setOf(ids), make(map[int]bool)
	for id := range l {
		e := &l[id]
		isVisible := visibleIDs[id]
		if e.fate == maybeStored {
			if first, ok := batches[e.batch]; ok && first != isVisible {
				return fmt.Errorf("a part of batch %d is visible; value %d is: %t", e.batch, id, isVisible)
			}
			batches[e.batch] = isVisible
		}
		e.fate = absent
		if isVisible {
			e.fate = present
		}
	}
	return nil
}

// compare compares the visible values with the fates. A value that is not present may be visible if
// its fate is tolerated.
func (l ledger) compare(visible []daybook.StoredValue, tolerated func(fate) bool) error {
	ids, err := l.identify(visible)
	if err != nil {
		return err
	}
	visibleIDs := setOf(ids)
	for id := range l {
		e := &l[id]
		switch isVisible := visibleIDs[id]; {
		case e.fate == present && !isVisible:
			return fmt.Errorf("value %d of %s at %d was acknowledged, and is lost", id, e.RecordName, e.StoredAt)
		case e.fate != present && isVisible && !tolerated(e.fate):
			return fmt.Errorf("value %d of %s at %d is visible, although its store failed or it was deleted",
				id, e.RecordName, e.StoredAt)
		}
	}
	return nil
}

func setOf(ids []int) map[int]bool {
	set := make(map[int]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// count returns the number of present values.
func (l ledger) count() (n int) {
	for id := range l {
		if l[id].fate == present {
			n++
		}
	}
	return n
}

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

// fate is what is known of a value.
type fate int

const (
	absent       fate = iota // it must not be seen, now or ever
	present                  // it must be seen
	maybeStored              // absent until the store is opened again, which shows whether it was stored
	maybeDeleted             // the same, whether it was deleted
)

// ledgerEntry is a value that was attempted.
type ledgerEntry struct {
	daybook.StoredValue
	batch int // values of one batch are stored together or not at all
	fate  fate
}

// ledger knows what a store must show. Its entries are in the order in which they were attempted, and an
// entry's index is in its JSON.
type ledger []ledgerEntry

// add makes a value up, as absent. It has about size bytes.
func (l *ledger) add(record string, at uint64, batch, size int) daybook.StoredValue {
	text := fmt.Sprintf(`{"id":%d,"text":"`, len(*l))
	text += strings.Repeat("all work and no play ", size/21+1)[:max(0, size-len(text)-2)] + `"}`
	v := daybook.StoredValue{RecordName: record, Value: []byte(text), StoredAt: at}
	*l = append(*l, ledgerEntry{StoredValue: v, batch: batch})
	return v
}

// set decides about the last n entries.
func (l ledger) set(n int, f fate) {
	for i := range l[len(l)-n:] {
		l[len(l)-n+i].fate = f
	}
}

// doomed returns those present entries that a rule takes from a record whose name matches; "" is every record.
func (l ledger) doomed(record string, olderThan uint64, most int) (ids []int) {
	byRecord := make(map[string][]int)
	for id := range l {
		if e := &l[id]; e.fate == present && (record == "" || record == e.RecordName) {
			byRecord[e.RecordName] = append(byRecord[e.RecordName], id)
		}
	}
	for _, all := range byRecord {
		slices.SortFunc(all, l.newestFirst)
		for rank, id := range all {
			if l[id].StoredAt < olderThan || most > 0 && rank >= most {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// newestFirst is the order of one record's values, by id.
func (l ledger) newestFirst(a, b int) int {
	return cmp.Or(cmp.Compare(l[b].StoredAt, l[a].StoredAt), cmp.Compare(b, a))
}

// identify returns the ids of values, which must be what was attempted, each once, in the order of a query.
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
			return nil, fmt.Errorf("value %d is followed by %d, or there twice", a, b)
		}
	}
	return ids, nil
}

// missing returns which of the ids a query did not return.
func (l ledger) missing(ids []int, visible []daybook.StoredValue) (gone []int, err error) {
	seen, err := l.identify(visible)
	there := setOf(seen)
	for _, id := range ids {
		if !there[id] {
			gone = append(gone, id)
		}
	}
	return gone, err
}

// shows holds what a query of everything returned against what must be there.
func (l ledger) shows(visible []daybook.StoredValue) error {
	return l.hold(visible, func(fate) bool { return false })
}

// showsAgain is shows after the store has been opened again, which decides what was in doubt.
func (l ledger) showsAgain(visible []daybook.StoredValue) error {
	err := l.hold(visible, func(f fate) bool { return f == maybeStored || f == maybeDeleted })
	if err != nil {
		return err
	}
	ids, _ := l.identify(visible)
	visibleIDs, batches := setOf(ids), make(map[int]bool)
	for id := range l {
		e := &l[id]
		there := visibleIDs[id]
		if before, met := batches[e.batch]; e.fate == maybeStored && met && before != there {
			return fmt.Errorf("batch %d is there in part: value %d is there: %t", e.batch, id, there)
		} else if e.fate == maybeStored {
			batches[e.batch] = there
		}
		e.fate = absent
		if there {
			e.fate = present
		}
	}
	return nil
}

func (l ledger) hold(visible []daybook.StoredValue, tolerated func(fate) bool) error {
	ids, err := l.identify(visible)
	if err != nil {
		return err
	}
	visibleIDs := setOf(ids)
	for id := range l {
		e := &l[id]
		switch there := visibleIDs[id]; {
		case e.fate == present && !there:
			return fmt.Errorf("value %d of %s at %d, which was acknowledged, is lost", id, e.RecordName, e.StoredAt)
		case e.fate != present && there && !tolerated(e.fate):
			return fmt.Errorf("value %d of %s at %d is there, though its store failed or it was deleted", id, e.RecordName, e.StoredAt)
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

// count is how many values must be there.
func (l ledger) count() (n int) {
	for id := range l {
		if l[id].fate == present {
			n++
		}
	}
	return n
}

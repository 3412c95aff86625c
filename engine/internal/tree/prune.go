// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/index"
)

// Rule says which values of a record go. They are always its oldest ones.
type Rule struct {
	OlderThan    uint64 // those with a lesser timestamp; 0: none
	StoredBefore uint64 // and of those with that timestamp, the ones with a lesser sequence number; 0: none
	KeepNewest   uint64 // but not the newest KeepNewest
	MaxPerRecord uint64 // and all but the newest MaxPerRecord; 0: no limit

	oldest uint64 // and so many whatever they are
}

// ByAgeAlone reports whether a value's fate depends on nothing but its own timestamp and sequence number.
func (r Rule) ByAgeAlone() bool { return r.KeepNewest == 0 && r.MaxPerRecord == 0 }

// MayTake reports whether values may go by age of which the oldest has a timestamp.
func (r Rule) MayTake(oldest uint64) bool { return r.takes(oldest, 0) }

// takes reports whether a value goes by age.
func (r Rule) takes(timestamp, sequence uint64) bool {
	return timestamp < r.OlderThan || timestamp == r.OlderThan && sequence < r.StoredBefore
}

// taken returns those values of a run that go by age.
func (r Rule) taken(run []codec.Entry) []codec.Entry {
	return run[:sort.Search(len(run), func(i int) bool { return !r.takes(run[i].Timestamp, run[i].Sequence) })]
}

// A transaction of Prune changes leastPrune bytes, or deletes leastChunks of a record, at the least, however full the
// disk is: else it would free less than it takes.
const (
	leastPrune  = 4 << 10
	leastChunks = 16
)

// Deletion is how many of a record's oldest values went.
type Deletion struct {
	Record string
	Values uint64
}

// Pruning says how Prune works together with what else writes to the tree and the disk.
type Pruning struct {
	Deleted             func([]Deletion) // called after each transaction that deleted some, with those
	BetweenTransactions func()           // called between two transactions; it may write to the tree
	Pause               func()           // called between two changes; it may sleep
	FreeSpace           func() bool      // frees space on a full disk, and reports whether it did
}

// Prune deletes what the rule says from the records that the pattern matches, in as many transactions as
// it takes, and returns how many values it deleted. After an error, that many are gone for good.
//
// A record of which something is damaged stays as it is, the others do not, and the error says so in the end.
//
// Deleting takes space too, until the transaction is over: on a full disk it goes on with smaller and
// smaller transactions, which each leave free pages to the next, and then with what Release frees.
func (t *Tree) Prune(ctx context.Context, pattern *index.Pattern, rule Rule, with Pruning) (deleted uint64, err error) {
	if rule == (Rule{KeepNewest: rule.KeepNewest}) { // which takes nothing
		return 0, nil
	}
	defer func() { _ = t.seal() }() // as after Post
	size := t.opts.TransactionBytes
	var faults damages
	for from, more := "", true; more; {
		if err := ctx.Err(); err != nil {
			return deleted, err
		}
		gone, next, unfinished, err := t.prunePart(ctx, pattern, rule, with, from, size, &faults)
		if faults.add(err) {
			continue
		}
		if errors.Is(err, daybook.ErrNoSpace) && (size > leastPrune || with.FreeSpace()) {
			size = max(size/4, leastPrune)
			continue
		}
		if err != nil {
			return deleted, err
		}
		for _, g := range gone {
			deleted += g.Values
		}
		if len(gone) > 0 {
			with.Deleted(gone)
		}
		from, more = next, unfinished
		size = min(2*size, t.opts.TransactionBytes)
		if more {
			with.BetweenTransactions()
		}
	}
	return deleted, faults.error()
}

// errNothing ends a transaction that has nothing to do.
var errNothing = errors.New("nothing to prune")

// prunePart prunes records from a name on, but for damaged ones, in one transaction that changes about size bytes, and returns
// the name to go on from.
func (t *Tree) prunePart(ctx context.Context, pattern *index.Pattern, rule Rule, with Pruning, from string, size int, except *damages) (gone []Deletion, next string, more bool, err error) {
	err = t.update(func(w *writer) error {
		w.opts.TransactionBytes = size
		w.yield = with.Pause
		cursor := index.NewNameCursor(w.recordsBefore.Cursor(), pattern, from)
		for seen := 0; ; {
			name, data, err := nextMatch(ctx, cursor)
			if err != nil {
				return err
			}
			if name == nil {
				break
			}
			if except.of(name) {
				if len(gone) > 0 { // so that no other damage undoes that
					next, more = string(name), true
					break
				}
				continue
			}
			entry, err := t.guard.decodeEntry(w.before, name, data)
			if err != nil {
				return t.guard.inRecord(name, err)
			}
			if seen++; seen%namesPerLook == 0 && ctx.Err() != nil { // Prune says so, once this is committed
				next, more = string(name), true
				break
			}
			if !rule.affects(&entry) {
				continue
			}
			if len(gone) > 0 && w.full() {
				next, more = string(name), true
				break
			}
			record := string(name)
			n, rest, err := w.prune(record, entry, rule)
			if err != nil {
				return t.guard.inRecord(name, err)
			}
			if n == 0 {
				w.yield()
				continue
			}
			gone = append(gone, Deletion{record, n})
			w.state.Values -= n
			if rest {
				next, more = record, true
				break
			}
		}
		if len(gone) == 0 {
			return errNothing
		}
		return nil
	})
	if err != nil && !errors.Is(err, errNothing) {
		return nil, "", false, err
	}
	return gone, next, more, nil
}

func (r Rule) affects(e *codec.CatalogueEntry) bool {
	return r.MayTake(e.Oldest) && e.Count > r.KeepNewest || r.MaxPerRecord > 0 && e.Count > r.MaxPerRecord
}

// prune deletes values of one record, until the transaction is full, and reports whether there are more. It finds
// the chunks in the tree as it was when the transaction began, which is how this record and its entry still are.
func (w *writer) prune(record string, entry codec.CatalogueEntry, rule Rule) (deleted uint64, more bool, err error) {
	if err := w.aroundNames.VerifyAround([]byte(record)); err != nil {
		return 0, false, err
	}
	byAge, byCount := rule.most(entry.Count)
	cursor := w.chunksBefore
	first, err := w.readAt(record, func() ([]byte, []byte, error) { return cursor.Seek(codec.AppendLowerBound(nil, record, 0)) })
	for chunks := 0; err == nil && first != nil; chunks++ {
		if more = chunks >= leastChunks && w.full(); more {
			break
		}
		var old, gone uint64
		if old, err = w.countOlder(record, first, rule); err != nil {
			return 0, false, err
		}
		doomed := max(min(old, byAge-min(byAge, deleted)), min(uint64(first.Count), byCount-min(byCount, deleted)))
		if doomed == 0 {
			break
		}
		if gone, err = w.shorten(record, first, doomed, &entry); err != nil {
			return 0, false, err
		}
		deleted += gone
		w.yield()
		if gone < uint64(first.Count) {
			break
		}
		first, err = w.readAt(record, cursor.Next)
	}
	if err == nil && deleted > 0 {
		err = w.finishPrune(record, &entry, deleted, first)
	}
	return deleted, more, err
}

// most returns how many of a record's values may go by their age, and how many go whatever that is.
func (r Rule) most(count uint64) (byAge, byCount uint64) {
	if r.MaxPerRecord > 0 {
		byCount = count - min(count, r.MaxPerRecord)
	}
	return count - min(count, r.KeepNewest), max(byCount, r.oldest)
}

// finishPrune puts the catalogue entry of a record that has lost its oldest values; rest is its first chunk
// now.
func (w *writer) finishPrune(record string, entry *codec.CatalogueEntry, deleted uint64, rest *chunk) error {
	entry.Count -= deleted
	switch {
	case (rest == nil) != (entry.Count == 0):
		return w.miscounted(record)
	case rest == nil:
		w.state.Records--
		return w.catalogue.delete(record)
	}
	entry.Oldest = rest.First
	return w.catalogue.put(record, entry)
}

func (w *writer) miscounted(record string) error {
	return fmt.Errorf("%w: catalogue entry of record %q does not agree with its chunks", daybook.ErrCorrupt, record)
}

// shorten deletes up to n values from the front of a record's first chunk, which is then what is left of it.
func (w *writer) shorten(record string, c *chunk, n uint64, entry *codec.CatalogueEntry) (deleted uint64, err error) {
	if uint64(c.Count) <= n {
		entry.Bytes -= c.ValueBytes
		w.state.Bytes -= c.ValueBytes
		return uint64(c.Count), w.delete(c.key)
	}
	rest, err := w.tail(record, c, n)
	if err != nil {
		return 0, err
	}
	gone := c.ValueBytes - rest.ValueBytes
	entry.Bytes -= gone
	w.state.Bytes -= gone
	var right *chunk
	if rest.First == c.Last { // else it does not start where the next one does
		if right, err = w.after(record, c); err != nil {
			return 0, err
		}
	}
	c.First = rest.First
	return n, w.replace(record, right, []keyed{{rest.key, rest.encoded}}, codec.Key{Record: record, Timestamp: rest.First}, [][]byte{c.key})
}

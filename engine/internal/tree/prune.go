// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"errors"
	"fmt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/index"
)

// A transaction of Prune changes at least minPruneBytes, or deletes at least minPruneChunks of a
// record, even on a full disk. With less it would free less than it takes.
const (
	minPruneBytes  = 4 << 10
	minPruneChunks = 16
)

// Deletion is the deletion of a record's oldest values.
type Deletion struct {
	Record string
	Values uint64
}

// Pruning has functions that Prune calls. All are required.
type Pruning struct {
	// Deleted is called with the deletions of each transaction after it is committed.
	Deleted func([]Deletion)
	// BetweenTransactions is called between two transactions. It may write to the tree.
	BetweenTransactions func()
	// Pause is called between two changes. It may sleep.
	Pause func()
	// FreeSpace frees space on a full disk, and reports whether it did.
	FreeSpace func() bool
}

// Prune deletes the values that the rule says from the records that the pattern matches, in several
// transactions. It returns how many values it deleted. Even after an error those are gone for good.
//
// A damaged record stays as it is. Prune continues with the others, and returns the damage at the
// end.
//
// A deletion takes space until its transaction is committed. On a full disk Prune continues with
// smaller transactions, each of which leaves free pages for the next, and then with the space that
// FreeSpace frees.
func (t *Tree) Prune(
	ctx context.Context, pattern *index.Pattern, rule Rule, with Pruning,
) (deleted uint64, err error) {
	if rule == (Rule{KeepNewest: rule.KeepNewest}) { // which deletes nothing
		return 0, nil
	}
	defer func() { _ = t.seal() }() // its error does not matter, as in Post
	p := pruner{
		tree: t, ctx: ctx, pattern: pattern, rule: rule, pause: with.Pause,
		transactionBytes: t.opts.TransactionBytes,
	}
	for p.more = true; p.more; {
		if err := ctx.Err(); err != nil {
			return deleted, err
		}
		deletions, err := p.pruneSome()
		if p.damaged.add(err) {
			continue
		}
		if errors.Is(err, daybook.ErrNoSpace) && (p.transactionBytes > minPruneBytes || with.FreeSpace()) {
			p.transactionBytes = max(p.transactionBytes/4, minPruneBytes)
			continue
		}
		if err != nil {
			return deleted, err
		}
		for _, d := range deletions {
			deleted += d.Values
		}
		if len(deletions) > 0 {
			with.Deleted(deletions)
		}
		p.transactionBytes = min(2*p.transactionBytes, t.opts.TransactionBytes)
		if p.more {
			with.BetweenTransactions()
		}
	}
	return deleted, p.damaged.err()
}

// pruner is the state of a Prune.
type pruner struct {
	tree    *Tree
	ctx     context.Context
	pattern *index.Pattern
	rule    Rule
	pause   func()

	from             string // the name to continue from
	more             bool   // there may be more to delete
	transactionBytes int    // about how many bytes the next transaction changes
	damaged          damagedRecords
}

// errNothing ends a transaction that has nothing to delete.
var errNothing = errors.New("nothing to prune")

// pruneSome prunes records in one transaction.
func (p *pruner) pruneSome() (deletions []Deletion, err error) {
	next := ""
	err = p.tree.update(func(w *writeTx) (err error) {
		deletions, next, err = p.pruneUntilFull(w)
		if err == nil && len(deletions) == 0 {
			err = errNothing
		}
		return err
	})
	if err != nil && !errors.Is(err, errNothing) {
		return nil, err
	}
	p.from, p.more = next, next != ""
	return deletions, nil
}

// pruneUntilFull prunes records until the transaction is full, and returns the name of the record
// to continue from; "" at the end.
func (p *pruner) pruneUntilFull(w *writeTx) (deletions []Deletion, next string, err error) {
	w.opts.TransactionBytes = p.transactionBytes
	cursor := index.NewNameCursor(w.recordsBefore.Cursor(), p.pattern, p.from)
	for seen := 1; ; seen++ {
		name, data, err := nextMatch(p.ctx, cursor)
		if name == nil || err != nil {
			return deletions, "", err
		}
		if seen%namesPerCheck == 0 && p.ctx.Err() != nil { // Prune returns the error after the commit
			return deletions, string(name), nil
		}
		entry, choice, err := p.choose(w, name, data, len(deletions) > 0)
		switch {
		case err != nil:
			return nil, "", err
		case choice == endBefore:
			return deletions, string(name), nil
		case choice == skipRecord:
			continue
		}
		deleted, more, err := w.prune(string(name), entry, p.rule, p.pause)
		switch {
		case err != nil:
			return nil, "", w.mapped.describeIn(name, err)
		case deleted == 0:
			p.pause()
			continue
		}
		deletions = append(deletions, Deletion{string(name), deleted})
		w.state.Values -= deleted
		if more {
			return deletions, string(name), nil
		}
	}
}

// pruneChoice is what a transaction does with a record.
type pruneChoice int

const (
	pruneRecord pruneChoice = iota
	skipRecord
	endBefore // the transaction ends, and the next one begins with the record
)

// choose returns what the transaction, which may have deletions already, does with a record.
func (p *pruner) choose(
	w *writeTx, name, data []byte, hasDeletions bool,
) (entry codec.CatalogueEntry, choice pruneChoice, err error) {
	if p.damaged.has(name) {
		if hasDeletions { // commit them, so that damage of the next record does not undo them
			return entry, endBefore, nil
		}
		return entry, skipRecord, nil
	}
	entry, err = w.mapped.decodeEntry(w.before, name, data)
	switch {
	case err != nil:
		return entry, skipRecord, w.mapped.describeIn(name, err)
	case !p.rule.affects(&entry):
		return entry, skipRecord, nil
	case hasDeletions && w.full():
		return entry, endBefore, nil
	}
	return entry, pruneRecord, nil
}

// prune deletes values of one record until the transaction is full, and reports whether there are
// more to delete. It finds the chunks in the image before the transaction, which has not changed
// this record yet.
func (w *writeTx) prune(
	record string, entry codec.CatalogueEntry, rule Rule, pause func(),
) (deleted uint64, more bool, err error) {
	if err := w.nameGuard.VerifyAround([]byte(record)); err != nil {
		return 0, false, err
	}
	byAge, byCount := rule.limits(entry.Count)
	first, err := w.readAt(record, func() ([]byte, []byte, error) {
		return w.chunksBefore.Seek(codec.AppendLowerBound(nil, record, 0))
	})
	if err != nil {
		return 0, false, err
	}
	for chunks := 0; first != nil; chunks++ {
		if more = chunks >= minPruneChunks && w.full(); more {
			break
		}
		n, err := w.pruneChunk(record, first, rule, &entry, byAge-min(byAge, deleted), byCount-min(byCount, deleted))
		if err != nil {
			return 0, false, err
		}
		if n == 0 {
			break
		}
		deleted += n
		pause()
		if n < uint64(first.Count) {
			break
		}
		if first, err = w.readAt(record, w.chunksBefore.Next); err != nil {
			return 0, false, err
		}
	}
	if deleted == 0 {
		return 0, more, nil
	}
	return deleted, more, w.updatePrunedEntry(record, &entry, deleted, first)
}

// pruneChunk deletes the oldest values of a record's first chunk c: up to byAge values that the
// rule deletes by age, or byCount values whatever their age, if that is more.
func (w *writeTx) pruneChunk(
	record string, c *chunk, rule Rule, entry *codec.CatalogueEntry, byAge, byCount uint64,
) (deleted uint64, err error) {
	old, err := w.countDeleted(record, c, rule)
	if err != nil {
		return 0, err
	}
	n := max(min(old, byAge), min(uint64(c.Count), byCount))
	if n == 0 {
		return 0, nil
	}
	return w.deleteOldest(record, c, n, entry)
}

// updatePrunedEntry updates the catalogue entry of a record that has lost its oldest values. first
// is the record's first remaining chunk; nil if there is none.
func (w *writeTx) updatePrunedEntry(
	record string, entry *codec.CatalogueEntry, deleted uint64, first *chunk,
) error {
	entry.Count -= deleted
	switch {
	case (first == nil) != (entry.Count == 0):
		return miscounted(record)
	case first == nil:
		w.state.Records--
		return w.catalogue.delete(record)
	}
	entry.Oldest = first.First
	return w.catalogue.put(record, entry)
}

func miscounted(record string) error {
	return fmt.Errorf("%w: the catalogue entry of record %q does not agree with its chunks", daybook.ErrCorrupt, record)
}

// deleteOldest deletes up to n of the oldest values of a record's first chunk c. If values remain,
// it changes c's first timestamp to theirs.
func (w *writeTx) deleteOldest(
	record string, c *chunk, n uint64, entry *codec.CatalogueEntry,
) (deleted uint64, err error) {
	if uint64(c.Count) <= n {
		entry.Bytes -= c.ValueBytes
		w.state.Bytes -= c.ValueBytes
		return uint64(c.Count), w.delete(c.key)
	}
	rest, err := w.tail(record, c, n)
	if err != nil {
		return 0, err
	}
	entry.Bytes -= c.ValueBytes - rest.ValueBytes
	w.state.Bytes -= c.ValueBytes - rest.ValueBytes
	g := gap{record: record}
	if rest.First == c.Last { // otherwise the next chunk starts at a later timestamp
		if g.right, err = w.next(record, c); err != nil {
			return 0, err
		}
	}
	c.First = rest.First
	last := codec.Key{Record: record, Timestamp: rest.First}
	encoded := []codec.EncodedChunk{{Key: rest.key, Chunk: rest.encoded}}
	return n, w.replace(g, encoded, last, [][]byte{c.key})
}

// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"errors"
	"slices"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/arena"
	"github.com/daybook-db/daybook/index"
)

// A transaction of Prune changes at least minPruneBytes, or deletes at least minPruneChunks of a
// record, even on a full disk. With less it would free less than it takes.
const (
	minPruneBytes  = 4 << 10
	minPruneChunks = 16
)

// Deletion is the deletion of some of a record's oldest values, of all or of those newer than a
// time: of the Among oldest ones, those with sequence numbers up to After were deleted, which are
// Values values.
type Deletion struct {
	Record    string
	Values    uint64
	NewerThan uint64 // 0: of all
	Among     uint64
	After     uint64
}

// Pruning has what Prune spares, and functions that it calls. All functions are required; NotesOf
// and Lost only with Holds.
type Pruning struct {
	// Holds spare values.
	Holds Holds
	// NotesOf returns the notes that a transaction writes in which Holds[i] loses lost[i] values.
	NotesOf func(lost []uint64) Notes
	// Lost is called with the argument of NotesOf after the transaction is committed.
	Lost func(lost []uint64)
	// Deleted is called with the deletions of each transaction after it is committed.
	Deleted func([]Deletion)
	// BetweenTransactions is called between two transactions. It may write to the tree.
	BetweenTransactions func()
	// Pause is called between two changes. It may sleep.
	Pause func()
	// FreeSpace frees space on a full disk, and reports whether it did.
	FreeSpace func() bool
	// Progress is where Prune begins. When ctx interrupts it, it sets Progress to the place where
	// it stopped, from which the same Prune can go on. nil: it begins with the first record.
	Progress *Progress
}

// Progress says which records a Prune has yet to look at: those from a name on, and after the last
// record those before another name. The zero value is all records.
type Progress struct {
	From   string
	Before string // "": none, or if Around is set all the rest
	Around bool   // the last record has been passed: the rest lies between From and Before

	damaged damagedRecords // that were passed over
}

// AllFrom returns the Progress that begins at the same name and has yet to look at all records.
func (p Progress) AllFrom() Progress { return Progress{From: p.From, Before: p.From} }

// Prune deletes the values that the rule says from the records that the pattern matches, in several
// transactions. It returns how many values it deleted. Even after an error those are gone for good.
//
// A damaged record stays as it is. Prune continues with the others, and returns the damage at the
// end.
//
// The last transaction is durable, and is not sealed: the caller calls Seal soon, or commits again.
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
	p := pruner{
		tree: t, ctx: ctx, pattern: pattern, rule: rule, with: with,
		transactionBytes: t.opts.TransactionBytes,
	}
	if with.Progress != nil {
		p.rest, p.damaged = *with.Progress, with.Progress.damaged
		defer func() {
			*with.Progress = p.rest
			with.Progress.damaged = p.damaged
		}()
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
		p.tellDeleted(deletions)
		p.transactionBytes = min(2*p.transactionBytes, t.opts.TransactionBytes)
		if p.more {
			with.BetweenTransactions()
		}
	}
	err = p.damaged.err()
	p.damaged = damagedRecords{} // a further Prune looks again
	return deleted, err
}

// pruner is the state of a Prune.
type pruner struct {
	tree    *Tree
	ctx     context.Context
	pattern *index.Pattern
	rule    Rule
	with    Pruning

	names            arena.Names // of the deletions
	lost             []uint64    // of each hold, in the transaction
	rest             Progress    // where to continue
	more             bool        // there may be more to delete
	transactionBytes int         // about how many bytes the next transaction changes
	damaged          damagedRecords
}

// errNothing ends a transaction that has nothing to delete.
var errNothing = errors.New("nothing to prune")

// pruneSome prunes records in one transaction.
func (p *pruner) pruneSome() (deletions []Deletion, err error) {
	next := ""
	err = p.tree.update(func(w *writeTx) (err error) {
		p.lost = make([]uint64, len(p.with.Holds))
		deletions, next, err = p.pruneUntilFull(w)
		switch {
		case err != nil:
			return err
		case len(deletions) == 0:
			return errNothing
		case p.lostAny():
			return w.putNotes(p.with.NotesOf(p.lost))
		}
		return nil
	})
	if err != nil && !errors.Is(err, errNothing) {
		return nil, err
	}
	p.advance(next)
	return deletions, nil
}

// advance continues at the next name; "": there is no further one.
func (p *pruner) advance(next string) {
	p.rest.From, p.more = next, next != ""
	if !p.more && p.rest.Before != "" && !p.rest.Around {
		p.rest.Around, p.more = true, true
	} else if !p.more {
		p.rest = Progress{}
	}
}

// lostAny reports whether a hold lost values in the transaction.
func (p *pruner) lostAny() bool {
	return slices.ContainsFunc(p.lost, func(n uint64) bool { return n > 0 })
}

// tellDeleted tells the caller of Prune what a transaction has deleted.
func (p *pruner) tellDeleted(deletions []Deletion) {
	if p.lostAny() {
		p.with.Lost(p.lost)
	}
	if len(deletions) > 0 {
		p.with.Deleted(deletions)
	}
}

// pruneUntilFull prunes records until the transaction is full, and returns the name of the record
// to continue from; "" at the end.
func (p *pruner) pruneUntilFull(w *writeTx) (deletions []Deletion, next string, err error) {
	w.opts.TransactionBytes = p.transactionBytes
	cursor := index.NewNameCursor(w.recordsBefore.Cursor(), p.pattern, p.rest.From)
	for seen := 1; ; seen++ {
		name, data, err := nextMatch(p.ctx, cursor)
		if name != nil && (err != nil || seen%namesPerCheck == 0 && p.ctx.Err() != nil) {
			return deletions, string(name), nil // Prune returns ctx's error after the commit
		}
		if name == nil || err != nil || p.rest.Around && string(name) >= p.rest.Before {
			return deletions, "", err
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
		record := p.names.Copy(name)
		spare := p.with.Holds.of(record, p.lost)
		deletion, more, err := w.prune(record, entry, p.rule, spare, p.with.Pause)
		switch {
		case err != nil:
			return nil, "", w.mapped.describeIn(name, err)
		case deletion.Values == 0:
			p.with.Pause()
			continue
		}
		deletions = append(deletions, deletion)
		w.state.Values -= deletion.Values
		if more {
			return deletions, record, nil
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

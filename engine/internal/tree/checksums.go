// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// committed is the table of checksums that goes with some commits. It is immutable.
type committed struct {
	table      *pages.Table
	rest       *pages.OtherPages // of the commit to; nil before anything is known
	from, to   uint64            // the commits that it describes, as bbolt numbers them
	superseded chan struct{}     // closed when there is a later one
}

// mostRetries is how often commits can overtake the beginning of a read transaction.
const mostRetries = 1000

// patience is how long a reader waits for the table of a commit before it looks again.
const patience = 5 * time.Millisecond

// advance is the table of a commit that is being made. bbolt shows a commit before the last sync of it, which can
// take seconds. So whoever needs the table first makes it: the writer, or a read that begins meanwhile.
type advance struct {
	id     uint64 // of the commit
	before *committed

	once    sync.Once
	next    *committed
	changed []uint64 // blocks
	err     error
}

// make makes the table from the pages as a transaction shows them.
func (a *advance) make(guard guard, tx *bbolt.Tx) error {
	a.once.Do(func() {
		a.err = guard.run(func() (err error) {
			v := pages.NewImage(tx, nil, nil)
			next := &committed{from: a.before.from, to: a.id, superseded: make(chan struct{})}
			if next.table, a.changed, err = a.before.table.Advance(v); err != nil {
				return err
			}
			if next.table != a.before.table {
				next.from = a.id
			}
			next.rest, err = pages.ReadOtherPages(v, metaBucket, pagesBucket)
			a.next = next
			return err
		})
	})
	return a.err
}

// begin begins a read transaction, and returns its view.
func (t *Tree) begin() (*bbolt.Tx, *pages.Image, error) {
	for range mostRetries {
		advance := t.advance.Load()
		tx, err := t.beginBolt(false)
		if err != nil {
			return nil, nil, err
		}
		current, id := t.committed.Load(), uint64(tx.ID())
		if advance != nil && advance.id == id && advance.make(t.guard, tx) == nil {
			current = advance.next
		}
		if current.from <= id && id <= current.to {
			rest := current.rest
			if id != current.to { // its own is not kept
				rest = nil
			}
			return tx, pages.NewImage(tx, current.table, rest), nil
		}
		if err := tx.Rollback(); err != nil {
			return nil, nil, err
		}
		if id > current.to {
			select {
			case <-current.superseded:
			case <-time.After(patience): // the commit may have failed, and its meta page have been seen for a moment
			}
		}
	}
	return nil, nil, t.lostCommit()
}

// lostCommit says that bbolt has fallen back to an earlier commit, while the file is open.
func (t *Tree) lostCommit() error {
	return fmt.Errorf("%w: %s: the newer meta page, at offset 0 or %d, is damaged", daybook.ErrCorrupt, t.path, t.pageSize)
}

// beginBolt is bbolt's Begin. That panics when neither meta page makes sense, or when they are not there any more,
// and keeps its locks, so that whatever comes after would wait for ever. So they are looked at first; if they go
// just then all the same, the tree is of no more use.
func (t *Tree) beginBolt(writable bool) (tx *bbolt.Tx, err error) {
	found, err := pages.HasMeta(t.file, t.pageSize)
	if err != nil {
		return nil, err
	}
	if t.broken.Load() || !found {
		return nil, fmt.Errorf("%w: %s: both meta pages, at offset 0 and at offset %d, are damaged", daybook.ErrCorrupt, t.path, t.pageSize)
	}
	begun := false
	defer func() {
		if !begun {
			t.broken.Store(true)
		}
	}()
	tx, err = t.bolt.Begin(writable)
	begun = true
	return tx, err
}

// viewBolt runs fn in a read transaction whose pages are held against nothing.
func (t *Tree) viewBolt(fn func(tx *bbolt.Tx) error) error {
	return t.guard.run(func() error {
		tx, err := t.beginBolt(false)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		return fn(tx)
	})
}

// publish makes the table of the commit that was made the one that reads use. If the pages make no sense, the one
// before stays, which knows nothing of the new pages: reads that need them say so, and nothing is written any more.
func (t *Tree) publish() error {
	advance := t.advance.Load()
	err := t.viewBolt(func(tx *bbolt.Tx) error { return advance.make(t.guard, tx) })
	next := advance.next
	if err != nil {
		next = &committed{table: advance.before.table, from: advance.before.from, to: advance.id, superseded: make(chan struct{})}
	}
	for _, block := range advance.changed {
		t.unsaved[block] = true
	}
	t.committed.Store(next)
	close(advance.before.superseded)
	return t.guard.fault(err)
}

// saveTable puts the table of the last commit into the file, as far as it is not there. It can only be done
// by the next commit, since bbolt gives pages their numbers when it commits.
func (t *Tree) saveTable(tx *bbolt.Tx) error {
	last := t.committed.Load()
	blocks, err := pages.NewImage(tx, last.table, last.rest).Bucket(pagesBucket)
	if err != nil {
		return err
	}
	around, bucket := blocks.Guard(), tx.Bucket([]byte(pagesBucket))
	for index := range t.unsaved {
		key := binary.BigEndian.AppendUint64(nil, index)
		if err := around.VerifyAround(key); err != nil {
			return err
		}
		encoded := last.table.Block(index)
		if encoded == nil {
			err = bucket.Delete(key)
		} else {
			err = bucket.Put(key, encoded)
		}
		if err != nil {
			return err
		}
	}
	t.saving = true
	return putSummary(tx, t.generation, last.table)
}

func putSummary(tx *bbolt.Tx, generation uint64, table *pages.Table) error {
	s := summaryOf(generation, table)
	return tx.Bucket([]byte(metaBucket)).Put(summaryKey, encodeFields(s.fields()))
}

// summary says which state the saved table belongs to, and ties its blocks together.
type summary struct {
	generation    uint64
	values        uint64 // root page
	valuesInline  uint64 // checksum of an inline root page
	records       uint64
	recordsInline uint64
	sum           uint64
}

func (s *summary) fields() []*uint64 {
	return []*uint64{&s.generation, &s.values, &s.valuesInline, &s.records, &s.recordsInline, &s.sum}
}

func summaryOf(generation uint64, table *pages.Table) summary {
	s := table.Summary()
	values, records := s.Roots[valuesBucket], s.Roots[recordsBucket]
	return summary{generation, values.Page, uint64(values.Sum), records.Page, uint64(records.Sum), s.Sum}
}

func (s *summary) toTable() pages.Summary {
	return pages.Summary{Sum: s.sum, Roots: map[string]pages.Root{
		valuesBucket:  {Page: s.values, Sum: uint32(s.valuesInline)},
		recordsBucket: {Page: s.records, Sum: uint32(s.recordsInline)},
	}}
}

// seal saves the table of the last commit with a commit of its own, after which nothing but checksums has
// changed: should the newer one of bbolt's two meta pages be lost, the older one leads to the same values.
func (t *Tree) seal() error {
	if t.sealed {
		return nil
	}
	err := t.commit(t.saveTable)
	t.sealed = err == nil
	return err
}

// load reads the table that the file holds, and holds the file against it as far as that needs no reading of
// all pages. After a crash between a commit and its seal it belongs to the state before; the pages that were
// new then are taken for what they are.
func (t *Tree) load(tx *bbolt.Tx, v *pages.Image) error {
	state, err := readState(v)
	if err != nil {
		return err
	}
	table, generation, err := readTable(v)
	if err != nil {
		return err
	}
	rest, err := pages.ReadOtherPages(v, metaBucket, pagesBucket)
	if err != nil {
		return err
	}
	now := &committed{table: table, rest: rest, from: uint64(tx.ID()), to: uint64(tx.ID()), superseded: make(chan struct{})}
	meta, err := v.Bucket(metaBucket)
	if err != nil {
		return err
	}
	t.generation, t.sealed = state.Generation, generation == state.Generation
	clear(t.unsaved)
	switch {
	case t.sealed:
	case generation+1 == state.Generation:
		var changed []uint64
		now.table, changed, err = table.Advance(v)
		for _, block := range changed {
			t.unsaved[block] = true
		}
	default:
		err = meta.Damage(fmt.Sprintf("the checksums of pages are those of generation %d; the tree has %d", generation, state.Generation))
	}
	t.committed.Store(now)
	if err == nil {
		err = checkRoots(tx, now.table)
	}
	return err
}

// checkRoots holds the buckets' roots and the freelist against a table.
func checkRoots(tx *bbolt.Tx, table *pages.Table) error {
	v := pages.NewImage(tx, table, nil)
	for _, name := range []string{valuesBucket, recordsBucket} {
		if _, err := v.Bucket(name); err != nil {
			return err
		}
	}
	return table.CheckFree(v, metaBucket, pagesBucket)
}

// readTable reads the saved table, and the generation it belongs to.
func readTable(v *pages.Image) (*pages.Table, uint64, error) {
	meta, err := v.Bucket(metaBucket)
	if err != nil {
		return nil, 0, err
	}
	data, err := meta.Cursor().Get(summaryKey)
	if err != nil {
		return nil, 0, err
	}
	var s summary
	if !decodeFields(data, s.fields()) {
		return nil, 0, meta.Damage("the summary of the pages' checksums does not agree with its own")
	}
	blocks, err := v.Bucket(pagesBucket)
	if err != nil {
		return nil, 0, err
	}
	cursor := blocks.Cursor()
	move := cursor.First
	table, err := pages.ReadTable(v, s.toTable(), func() (index uint64, encoded []byte, err error) {
		key, encoded, err := move()
		move = cursor.Next
		if err == nil && key != nil && len(key) != 8 {
			err = blocks.Damage(fmt.Sprintf("key %x in the table of checksums", key))
		}
		if err != nil || key == nil {
			return 0, nil, err
		}
		return binary.BigEndian.Uint64(key), encoded, nil
	})
	return table, s.generation, err
}

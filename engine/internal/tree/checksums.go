// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

const (
	// maxOvertaken is how often commits may overtake the beginning of a read transaction.
	maxOvertaken = 1000
	// tableWait is how long a reader waits for the table of a commit before it begins again.
	tableWait = 5 * time.Millisecond
)

// committedTable is the table of checksums of one commit, or of several that changed no page of the
// table's buckets. Apart from content it is immutable.
type committedTable struct {
	table      *pages.Table
	others     *pages.OtherPages // of commit to; nil if they are not known yet
	from, to   uint64            // the commits, as bbolt numbers them
	superseded chan struct{}     // closed when there is a later table

	content atomic.Pointer[content] // of commit to; nil: no read transaction has kept it
}

func newCommittedTable(table *pages.Table) *committedTable {
	return &committedTable{table: table, superseded: make(chan struct{})}
}

// pendingTable is the table of a commit that is being made. bbolt shows a commit to readers before
// its last sync, which can take seconds. So the table is built by its first user: the writer, or a
// read transaction that begins meanwhile.
type pendingTable struct {
	id     uint64 // of the commit
	before *committedTable

	once    sync.Once
	next    *committedTable
	changed []uint64 // blocks
	err     error
}

// build builds the table from the pages that a transaction shows, unless it is built already.
func (p *pendingTable) build(mapped mappedFile, tx *bbolt.Tx) error {
	p.once.Do(func() {
		p.err = mapped.protect(func() (err error) {
			image := pages.NewImage(tx, nil, nil)
			next := newCommittedTable(nil)
			next.from, next.to = p.before.from, p.id
			if next.table, p.changed, err = p.before.table.Advance(image); err != nil {
				return err
			}
			if next.table != p.before.table {
				next.from = p.id
			}
			next.others, err = pages.ReadOtherPages(image, metaBucket, pagesBucket)
			p.next = next
			return err
		})
	})
	return p.err
}

// begin begins a read transaction, each time that it tries with beginTx.
func (t *Tree) begin(beginTx func() (*bbolt.Tx, error)) (readTx, error) {
	if t.mapped.beside != nil {
		last := t.committed.Load()
		return readTx{tree: t, commit: last, image: t.mapped.beside.copies.Image(last.table, last.others)}, nil
	}
	for range maxOvertaken {
		pending := t.pending.Load()
		tx, err := beginTx()
		if err != nil {
			return readTx{}, err
		}
		current, id := t.committed.Load(), uint64(tx.ID())
		if pending != nil && pending.id == id && pending.build(t.mapped, tx) == nil {
			current = pending.next
		}
		if current.from <= id && id <= current.to {
			others := current.others
			if id != current.to { // then those of this commit are not known any more
				others = nil
			}
			return readTx{t, tx, pages.NewImage(tx, current.table, others), current}, nil
		}
		if err := tx.Rollback(); err != nil {
			return readTx{}, err
		}
		if id > current.to {
			select {
			case <-current.superseded:
			case <-time.After(tableWait): // a commit that fails may show its meta page for a moment
			}
		}
	}
	return readTx{}, t.lostCommitError()
}

// lostCommitError returns the error for an open file in which bbolt shows an earlier commit than
// before.
func (t *Tree) lostCommitError() error {
	return fmt.Errorf("%w: %s: the newer meta page, at offset 0 or %d, is damaged",
		daybook.ErrCorrupt, t.mapped, t.pageSize)
}

// publish sets the table of the commit that was made as the committed one. If the commit's pages
// make no sense, the previous table remains, which has no checksums of the new pages: reads that
// need them return an error, and the caller must stop all writes.
func (t *Tree) publish() error {
	pending := t.pending.Load()
	err := t.viewBolt(func(tx *bbolt.Tx) error { return pending.build(t.mapped, tx) })
	next := pending.next
	if err != nil {
		next = newCommittedTable(pending.before.table)
		next.from, next.to = pending.before.from, pending.id
	}
	for _, block := range pending.changed {
		t.unsaved[block] = true
	}
	t.committed.Store(next)
	close(pending.before.superseded)
	return t.mapped.describe(err)
}

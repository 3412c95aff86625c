// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/engine/internal/pages"
)

// Seal seals the last commit, unless it is sealed already. A commit that nobody seals is sealed by
// the next one, or by Close.
func (t *Tree) Seal() error { return t.seal() }

// seal saves the committed table with a commit of its own, unless it is saved already. That commit
// changes nothing but saved checksums: if the newer of bbolt's two meta pages is lost, the older
// one leads to the same values.
func (t *Tree) seal() error {
	if t.sealed {
		return nil
	}
	err := t.commit(0, t.saveTable)
	t.sealed = err == nil
	return err
}

// saveTable writes the blocks of the committed table that differ from the file's. Only the next
// commit can do that, because bbolt numbers pages when it commits.
func (t *Tree) saveTable(tx *bbolt.Tx) error {
	last := t.committed.Load()
	blocks, err := pages.NewImage(tx, last.table, last.others).Bucket(pagesBucket)
	if err != nil {
		return err
	}
	guard, bucket := blocks.Guard(), tx.Bucket([]byte(pagesBucket))
	for index := range t.unsaved {
		key := binary.BigEndian.AppendUint64(nil, index)
		if err := guard.VerifyAround(key); err != nil {
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

// savedSummary is a table's summary as the file has it, with the generation that the table belongs
// to.
type savedSummary struct {
	generation    uint64
	values        uint64 // root page
	valuesInline  uint64 // checksum of an inline root page
	records       uint64
	recordsInline uint64
	sum           uint64
}

func (s *savedSummary) fields() []*uint64 {
	return []*uint64{&s.generation, &s.values, &s.valuesInline, &s.records, &s.recordsInline, &s.sum}
}

func putSummary(tx *bbolt.Tx, generation uint64, table *pages.Table) error {
	summary := table.Summary()
	values, records := summary.Roots[valuesBucket], summary.Roots[recordsBucket]
	s := savedSummary{
		generation, values.Page, uint64(values.Sum), records.Page, uint64(records.Sum), summary.Sum,
	}
	return tx.Bucket([]byte(metaBucket)).Put(summaryKey, encodeFields(s.fields()))
}

func (s *savedSummary) summary() pages.Summary {
	return pages.Summary{Sum: s.sum, Roots: map[string]pages.Root{
		valuesBucket:  {Page: s.values, Sum: uint32(s.valuesInline)},
		recordsBucket: {Page: s.records, Sum: uint32(s.recordsInline)},
	}}
}

// loadTable reads the saved table, and verifies the roots of its buckets and the freelist. After a
// crash between a commit and its seal the table is that of the previous generation. Then the pages
// that are new in this one cannot be verified, and are believed.
func (t *Tree) loadTable(image *pages.Image) error {
	state, err := readState(image)
	if err != nil {
		return err
	}
	table, generation, err := readSavedTable(image)
	if err != nil {
		return err
	}
	meta, err := image.Bucket(metaBucket)
	if err != nil {
		return err
	}
	loaded := newCommittedTable(table)
	loaded.from, loaded.to = image.Tx(), image.Tx()
	if loaded.others, err = pages.ReadOtherPages(image, metaBucket, pagesBucket); err != nil {
		return err
	}
	t.generation, t.sealed = state.Generation, generation == state.Generation
	clear(t.unsaved)
	switch {
	case t.sealed:
	case generation+1 == state.Generation:
		var changed []uint64
		loaded.table, changed, err = table.Advance(image)
		for _, block := range changed {
			t.unsaved[block] = true
		}
	default:
		err = meta.Damage(fmt.Sprintf("the checksums of pages are those of generation %d; the tree has generation %d",
			generation, state.Generation))
	}
	t.committed.Store(loaded)
	if err == nil {
		err = checkRoots(image.With(loaded.table, nil), loaded.table)
	}
	return err
}

// checkRoots verifies the roots of the table's buckets, and the freelist.
func checkRoots(image *pages.Image, table *pages.Table) error {
	if _, _, err := dataBuckets(image); err != nil {
		return err
	}
	return table.CheckFree(image, metaBucket, pagesBucket)
}

// readSavedTable reads the saved table, and the generation that it belongs to.
func readSavedTable(image *pages.Image) (*pages.Table, uint64, error) {
	meta, err := image.Bucket(metaBucket)
	if err != nil {
		return nil, 0, err
	}
	data, err := meta.Cursor().Get(summaryKey)
	if err != nil {
		return nil, 0, err
	}
	var s savedSummary
	if !decodeFields(data, s.fields()) {
		return nil, 0, meta.Damage("the summary of the pages' checksums does not match its own checksum")
	}
	blocks, err := image.Bucket(pagesBucket)
	if err != nil {
		return nil, 0, err
	}
	cursor := blocks.Cursor()
	move := cursor.First
	table, err := pages.ReadTable(image, s.summary(), func() (index uint64, encoded []byte, err error) {
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

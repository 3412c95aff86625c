// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"math"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

const (
	// valuesFill and recordsFill are how full bbolt makes the leaves when it splits them. Chunks
	// that are new are written once and read often, so their leaves are filled. bbolt puts at least
	// two chunks into a leaf, whatever their size.
	valuesFill  = 1.0
	recordsFill = 0.9
	// leafElementBytes is what a leaf takes for a key and a value beside these.
	leafElementBytes = 16
)

// writeTx changes records within one write transaction. The pages that it reads through bbolt are
// verified first: bbolt writes again what it has read, and damage would become part of the tree.
type writeTx struct {
	chunkReader
	tx        *bbolt.Tx
	opts      Options
	values    *bbolt.Bucket
	chunks    *bbolt.Cursor
	catalogue catalogue
	state     State

	before        *pages.Image // the tree when the transaction began
	recordsBefore *pages.Bucket
	entriesBefore *pages.Cursor
	chunksBefore  *pages.Cursor
	finder        imageFinder
	chunkGuard    *pages.Guard
	nameGuard     *pages.Guard

	added            int // bytes of chunks
	grown            int // bytes of leaves that a post has added for chunks, less those of replaced ones
	noted            int // bytes of notes
	useAllProcessors func() bool
	deferred         deferredChunks
	scratch, bound   []byte
}

func (t *Tree) newWriteTx(tx *bbolt.Tx) (*writeTx, error) {
	last := t.committed.Load()
	before := pages.NewImage(tx, last.table, last.others)
	state, err := readState(before)
	if err != nil {
		return nil, err
	}
	valuesBefore, recordsBefore, err := dataBuckets(before)
	if err != nil {
		return nil, err
	}
	values, records := tx.Bucket([]byte(valuesBucket)), tx.Bucket([]byte(recordsBucket))
	values.FillPercent, records.FillPercent = valuesFill, recordsFill
	w := &writeTx{
		chunkReader:   chunkReader{mapped: t.mapped, coder: t.coder},
		tx:            tx,
		opts:          t.opts,
		values:        values,
		chunks:        values.Cursor(),
		catalogue:     catalogue{bucket: records},
		state:         state,
		before:        before,
		recordsBefore: recordsBefore,
		entriesBefore: recordsBefore.Cursor(),
		chunksBefore:  valuesBefore.Cursor(),
		chunkGuard:    valuesBefore.Guard(),
		nameGuard:     recordsBefore.Guard(),
	}
	w.finder = imageFinder{chunkReader: &w.chunkReader, cursor: valuesBefore.Cursor()}
	return w, nil
}

// dataBuckets returns the buckets that have checksums.
func dataBuckets(image *pages.Image) (values, records *pages.Bucket, err error) {
	if values, err = image.Bucket(valuesBucket); err != nil {
		return nil, nil, err
	}
	records, err = image.Bucket(recordsBucket)
	return values, records, err
}

// full reports whether the transaction changes as many bytes as one may. It counts the leaves that
// it has read, of which it changes most.
func (w *writeTx) full() bool {
	return w.chunkGuard.LeafBytes()+w.nameGuard.LeafBytes()+w.added >= w.opts.TransactionBytes
}

// rewritten returns how many bytes the commit may write again at most: the pages that bbolt has
// read or may merge with them, and what was put.
func (w *writeTx) rewritten() int {
	return w.chunkGuard.PageBytes() + w.nameGuard.PageBytes() + w.added + w.catalogue.added + w.noted
}

// replaced counts chunks in whose place others are put.
func (w *writeTx) replaced(chunks []*chunk) {
	for _, c := range chunks {
		w.grown -= leafElementBytes + len(c.key) + len(c.encoded)
	}
}

// fillAfter returns how full bbolt is to make the leaves when leaves with used bytes have grown
// by others. When the chunks of many records grow a little, each full leaf is split. Cut into a
// full leaf and a small rest, it would be split again by the next post, and most leaves would be
// nearly empty. So a leaf that was full is cut into equal parts.
func fillAfter(grown, used int) float64 {
	if grown <= 0 || used <= 0 {
		return valuesFill
	}
	full := 1 + float64(grown)/float64(used)
	return full / math.Ceil(full)
}

// entry returns the catalogue entry of a record that the transaction has not changed yet, and
// whether there is one.
func (w *writeTx) entry(record string) (entry codec.CatalogueEntry, found bool, err error) {
	name := []byte(record)
	if err := w.nameGuard.VerifyAround(name); err != nil {
		return codec.CatalogueEntry{}, false, err
	}
	key, data, err := w.entriesBefore.Seek(name)
	if err == nil {
		w.catalogue.lookedUp(name, key, data)
	}
	if !bytes.Equal(key, name) || err != nil {
		return codec.CatalogueEntry{}, false, w.mapped.describe(err)
	}
	entry, err = codec.DecodeCatalogueEntry(name, data)
	return entry, err == nil, w.mapped.describeEntry(err, record, 0)
}

// lastStartingBy returns the record's last chunk that starts at a timestamp or before; nil if there
// is none.
func (w *writeTx) lastStartingBy(record string, timestamp uint64) (*chunk, error) {
	w.bound = codec.AppendUpperBound(w.bound[:0], record, timestamp)
	if err := w.chunkGuard.VerifyAround(w.bound); err != nil {
		return nil, err
	}
	key, encoded := w.chunks.Seek(w.bound)
	switch {
	case key == nil:
		key, encoded = w.chunks.Last()
	case string(key) != string(w.bound):
		return w.chunkBefore(record, bytes.Clone(w.bound))
	}
	return w.read(record, key, encoded)
}

// previous returns the record's chunk before c; nil if there is none.
func (w *writeTx) previous(record string, c *chunk) (*chunk, error) {
	if err := w.chunkGuard.VerifyAround(c.key); err != nil {
		return nil, err
	}
	w.chunks.Seek(c.key)
	return w.chunkBefore(record, c.key)
}

// chunkBefore returns the record's last chunk whose key is less than bound, after a Seek of bound;
// nil if there is none.
func (w *writeTx) chunkBefore(record string, bound []byte) (last *chunk, err error) {
	if key, encoded := w.chunks.Prev(); key != nil {
		return w.read(record, key, encoded)
	}
	// Prev returns nil at the beginning of the bucket, but also at a leaf that this transaction has
	// emptied. Seek and Next pass over such a leaf.
	c, err := w.next(record, nil)
	for err == nil && c != nil && bytes.Compare(c.key, bound) < 0 {
		last = c
		c, err = w.next(record, c)
	}
	return last, err
}

// next returns the record's chunk after c, or its first one if c is nil; nil if there is none.
func (w *writeTx) next(record string, c *chunk) (*chunk, error) {
	if c == nil {
		w.bound = codec.AppendLowerBound(w.bound[:0], record, 0)
		if err := w.chunkGuard.VerifyAround(w.bound); err != nil {
			return nil, err
		}
		key, encoded := w.chunks.Seek(w.bound)
		return w.read(record, key, encoded)
	}
	if err := w.chunkGuard.VerifyAround(c.key); err != nil {
		return nil, err
	}
	w.chunks.Seek(c.key)
	key, encoded := w.chunks.Next()
	return w.read(record, key, encoded)
}

func (w *writeTx) put(key, encoded []byte) error {
	if err := w.chunkGuard.VerifyAround(key); err != nil {
		return err
	}
	w.added += len(key) + len(encoded)
	w.grown += leafElementBytes + len(key) + len(encoded)
	return w.values.Put(key, encoded)
}

func (w *writeTx) delete(key []byte) error {
	if err := w.chunkGuard.VerifyAround(key); err != nil {
		return err
	}
	// A walk in the order of the keys deletes the next one, which is faster than to search for it.
	if found, _ := w.chunks.Next(); bytes.Equal(found, key) {
		return w.chunks.Delete()
	}
	if found, _ := w.chunks.Seek(key); bytes.Equal(found, key) {
		return w.chunks.Delete()
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// mostFaults is how many faults Check collects before it gives up.
const mostFaults = 100

// Check reads everything and returns every fault it finds, joined, each matching daybook.ErrCorrupt and saying
// where in the file it is: the pages and their checksums, the chunks' checksums, order and sequence numbers,
// and the catalogue and the totals against the chunks.
func (t *Tree) Check(ctx context.Context) error {
	c := checker{ctx: ctx, guard: t.guard, coder: t.coder}
	err := t.view(func(tx *bbolt.Tx, v *pages.Image) error {
		c.view = v
		if err := t.checkSize(tx); err != nil {
			c.fault(err)
			return nil // what has been cut off cannot be read
		}
		for _, err := range v.CheckMetas() {
			c.fault(err)
		}
		if damaged := t.damagedMeta; damaged != nil && !slices.ContainsFunc(c.faults, func(err error) bool { return err.Error() == damaged.Error() }) {
			c.fault(damaged) // it has been written anew since
		}
		if err := t.checkFormat(v); err != nil {
			c.fault(err)
		}
		if err := t.checkTable(v); err != nil {
			c.fault(err)
		}
		return c.check()
	})
	return errors.Join(append(c.faults, err)...)
}

// checkTable holds the saved table of checksums, and the freelist, against the one in memory.
func (t *Tree) checkTable(v *pages.Image) error {
	if err := t.committed.Load().table.CheckAll(v, metaBucket, pagesBucket); err != nil || !t.sealed {
		return err
	}
	saved, _, err := readTable(v)
	if err == nil && !saved.Equal(t.committed.Load().table) {
		err = v.RootDamage("the saved checksums of pages are not those in use")
	}
	return err
}

// checker walks the chunks and the catalogue side by side.
type checker struct {
	ctx    context.Context
	guard  guard
	view   *pages.Image
	coder  *codec.Coder
	faults []error
	said   *State // by the tree; nil if it cannot be read
	found  State  // what the chunks add up to

	buffer codec.Buffer
	record string               // the one whose chunks are being read
	seen   codec.CatalogueEntry // what its chunks add up to
	last   codec.Entry          // its last value so far
}

var errTooManyFaults = fmt.Errorf("%w: more than %d faults; the rest was not checked", daybook.ErrCorrupt, mostFaults)

func (c *checker) fault(err error) { c.faults = append(c.faults, c.guard.fault(err)) }

func (c *checker) faultf(format string, args ...any) {
	c.faults = append(c.faults, fmt.Errorf("%w: %s: %w", daybook.ErrCorrupt, string(c.guard), fmt.Errorf(format, args...)))
}

func (c *checker) check() error {
	if said, err := readState(c.view); err != nil {
		c.fault(err)
	} else {
		c.said = &said
	}
	values, records := c.bucket(valuesBucket), c.bucket(recordsBucket)
	if values == nil || records == nil {
		return nil
	}
	catalogue := records.Cursor()
	err := values.Walk(
		func(key, encoded []byte) error { return c.element(catalogue, key, encoded) },
		func(err error) error { return c.suspect(values, err, c.decodeChunk) })
	if err != nil {
		return err
	}
	c.endRecord(catalogue)
	return c.totals(records)
}

// bucket returns a bucket whose root is what was committed; else nil.
func (c *checker) bucket(name string) *pages.Bucket {
	bucket, err := c.view.Bucket(name)
	switch {
	case err == nil:
		return bucket
	case bucket == nil:
		c.fault(err)
	case name == valuesBucket:
		_ = c.suspect(bucket, err, c.decodeChunk)
	default:
		_ = c.suspect(bucket, err, c.decodeEntry)
	}
	return nil
}

func (c *checker) decodeChunk(key, encoded []byte) error {
	record, _, _, err := codec.SplitKey(key)
	if err == nil {
		err = c.coder.Decode(&c.buffer, key, encoded)
	}
	return c.guard.chunkFault(err, string(record), key, c.view.Offset(encoded))
}

func (c *checker) decodeEntry(name, data []byte) error {
	_, err := c.guard.decodeEntry(c.view, name, data)
	return err
}

// enough says why the check ends here, if it does.
func (c *checker) enough() error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if len(c.faults) >= mostFaults {
		return errTooManyFaults
	}
	return nil
}

// suspect notes that a page is damaged, and which of the values that it seems to hold are.
func (c *checker) suspect(bucket *pages.Bucket, err error, decode func(key, value []byte) error) error {
	if err := c.enough(); err != nil {
		return err
	}
	c.fault(err)
	var fault *pages.DamagedPage
	if !errors.As(err, &fault) {
		return nil
	}
	for key, value := range bucket.Suspects(fault) {
		if err := decode(key, value); err != nil && len(c.faults) < mostFaults {
			c.fault(err)
		}
	}
	return nil
}

// element checks what stands under one key.
func (c *checker) element(catalogue *pages.Cursor, key, encoded []byte) error {
	if err := c.enough(); err != nil {
		return err
	}
	record, _, _, err := codec.SplitKey(key)
	if err != nil {
		c.fault(err)
		return nil
	}
	if string(record) != c.record {
		c.endRecord(catalogue)
		c.record, c.seen, c.last = string(record), codec.CatalogueEntry{}, codec.Entry{}
		c.found.Records++
	}
	c.chunk(key, encoded)
	return nil
}

// chunk checks one chunk and adds it to its record's sums.
func (c *checker) chunk(key, encoded []byte) {
	if err := c.coder.Decode(&c.buffer, key, encoded); err != nil {
		c.fault(c.guard.chunkFault(err, c.record, key, c.view.Offset(encoded)))
		return
	}
	entries := c.buffer.Entries
	for i, e := range entries {
		if c.seen.Count > 0 || i > 0 {
			if e.Compare(c.last) <= 0 {
				c.faultf("chunk of record %q under key %x: value %d is out of order", c.record, key, i)
				return
			}
		}
		c.last = e
		if err := daybook.ValidateValue(e.Value); err != nil {
			c.faultf("chunk of record %q under key %x: value %d: %w", c.record, key, i, err)
		}
	}
	if c.seen.Count == 0 {
		c.seen.Oldest = entries[0].Timestamp
	}
	c.seen.Count += uint64(len(entries))
	c.seen.Bytes += valueBytes(entries)
	c.seen.SetNewest(c.last.Timestamp, c.last.Sequence, append([]byte(nil), c.last.Value...))
	if got := c.buffer.Header.MaxSequence; c.said != nil && got > c.said.PostedThrough(c.record) {
		c.faultf("chunk of record %q under key %x has a value with sequence number %d, beyond the watermark, %d", c.record, key, got, c.said.PostedThrough(c.record))
	}
}

// endRecord holds a record's catalogue entry against its chunks.
func (c *checker) endRecord(catalogue *pages.Cursor) {
	if c.record == "" {
		return
	}
	c.found.Values += c.seen.Count
	c.found.Bytes += c.seen.Bytes
	data, err := catalogue.Get([]byte(c.record))
	if err != nil {
		c.fault(err)
		return
	}
	if data == nil {
		c.faultf("record %q has values but no catalogue entry", c.record)
		return
	}
	got, err := c.guard.decodeEntry(c.view, []byte(c.record), data)
	if err != nil {
		c.fault(err)
		return
	}
	switch says, holds := inWords(&got), inWords(&c.seen); {
	case says != holds:
		c.faultf("catalogue entry of record %q at offset %d says %s; its chunks hold %s", c.record, c.view.Offset(data), says, holds)
	case got.NewestValue != nil && string(got.NewestValue) != string(c.seen.NewestValue):
		c.faultf("catalogue entry of record %q at offset %d has another newest value than its chunks", c.record, c.view.Offset(data))
	}
}

// inWords says all of an entry but its newest value.
func inWords(e *codec.CatalogueEntry) string {
	return fmt.Sprintf("count %d, bytes %d, oldest %d, newest %d with sequence number %d", e.Count, e.Bytes, e.Oldest, e.Newest, e.NewestSequence)
}

// totals holds the tree's state, and the number of catalogue entries, against what was found.
func (c *checker) totals(records *pages.Bucket) error {
	entries := uint64(0)
	err := records.Walk(
		func(_, _ []byte) error { entries++; return c.ctx.Err() },
		func(err error) error { return c.suspect(records, err, c.decodeEntry) })
	if err != nil {
		return err
	}
	said, found := c.said, &c.found
	switch {
	case said == nil:
	case said.Records != found.Records || entries != found.Records:
		c.faultf("the tree says %d records, its catalogue has %d, its chunks %d", said.Records, entries, found.Records)
	case said.Values != found.Values || said.Bytes != found.Bytes:
		c.faultf("the tree says %d values of %d bytes; its chunks hold %d of %d", said.Values, said.Bytes, found.Values, found.Bytes)
	}
	return nil
}

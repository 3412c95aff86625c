// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// maxFaults is the number of faults after which Check stops.
const maxFaults = 100

var errTooManyFaults = fmt.Errorf("%w: more than %d faults; the rest was not checked", daybook.ErrCorrupt, maxFaults)

// Check reads the whole tree and returns all faults that it finds, joined. Each matches
// daybook.ErrCorrupt and names its place in the file. Check verifies the pages and their checksums;
// the checksums, order and sequence numbers of the chunks; and that the catalogue and the totals
// agree with the chunks. Nothing may be written meanwhile.
func (t *Tree) Check(ctx context.Context) error {
	c, err := t.BeginCheck()
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Run(ctx)
}

// Checking is a Check of the tree as it was when it began. While it is open, the pages of that
// moment are not overwritten, as with a Snapshot.
type Checking struct {
	readTx
	checker checker
	cutOff  bool // pages are missing, so the data cannot be read
}

// BeginCheck begins a Check: it verifies what a commit overwrites. Nothing may be written until it
// returns. The caller must close it.
func (t *Tree) BeginCheck() (c *Checking, err error) {
	err = t.beginRead(func(r readTx) error {
		c = &Checking{readTx: r, checker: checker{mapped: t.mapped, coder: t.coder, image: r.image}}
		t.checkFrame(c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// checkFrame checks all but the data.
func (t *Tree) checkFrame(c *Checking) {
	if err := t.checkSize(c.image); err != nil {
		c.checker.add(err)
		c.cutOff = true
		return
	}
	t.checkMetas(&c.checker)
	if err := t.checkFormat(c.checker.image); err != nil {
		c.checker.add(err)
	}
	if err := checkKeys(c.checker.image); err != nil {
		c.checker.add(err)
	}
	if err := t.checkTable(c.checker.image); err != nil {
		c.checker.add(err)
	}
	if err := t.checkIdentity(c.checker.image); err != nil {
		c.checker.add(err)
	}
}

// Run checks the data, and returns all faults.
func (c *Checking) Run(ctx context.Context) error {
	c.checker.ctx = ctx
	var err error
	if !c.cutOff {
		err = c.tree.mapped.describe(c.tree.mapped.protect(c.checker.check))
	}
	return errors.Join(append(c.checker.faults, err)...)
}

// Close ends the Check.
func (c *Checking) Close() { c.end() }

// checkMetas checks the meta pages. It adds the damage that Open found in one of them, even if the
// page was written again after that.
func (t *Tree) checkMetas(c *checker) {
	for _, err := range c.image.CheckMetas() {
		c.add(err)
	}
	var opened *Damage
	if !errors.As(t.damagedMeta, &opened) {
		return
	}
	isSame := func(err error) bool {
		var found *Damage
		return errors.As(err, &found) && found.Offset == opened.Offset
	}
	if !slices.ContainsFunc(c.faults, isSame) {
		c.add(opened)
	}
}

// checkTable compares the saved table of checksums, and the freelist, with the table in memory.
func (t *Tree) checkTable(image *pages.Image) error {
	if err := t.committed.Load().table.CheckAll(image, metaBucket, pagesBucket); err != nil || !t.sealed {
		return err
	}
	saved, _, err := readSavedTable(image)
	if err == nil && !saved.Equal(t.committed.Load().table) {
		err = image.RootDamage("the saved checksums of pages differ from those in use")
	}
	return err
}

// checker reads all chunks in order, and for each record the catalogue entry.
type checker struct {
	ctx    context.Context
	mapped mappedFile
	image  *pages.Image
	coder  *codec.Coder
	faults []error
	state  *State // of the tree; nil if it cannot be read
	found  State  // the sums over all chunks

	buffer codec.Buffer
	record string // whose chunks are being read
	sums   recordSums
}

func (c *checker) add(err error) { c.faults = append(c.faults, c.mapped.describe(err)) }

func (c *checker) addf(format string, args ...any) {
	problem := fmt.Errorf(format, args...)
	c.faults = append(c.faults, fmt.Errorf("%w: %s: %w", daybook.ErrCorrupt, c.mapped, problem))
}

func (c *checker) check() error {
	if state, err := readState(c.image); err != nil {
		c.add(err)
	} else {
		c.state = &state
	}
	if _, err := readNotes(c.image); err != nil {
		c.add(err)
	}
	values, records := c.bucket(valuesBucket), c.bucket(recordsBucket)
	if values == nil || records == nil {
		return nil
	}
	catalogue := records.Cursor()
	err := values.Walk(
		func(key, encoded []byte) error { return c.element(catalogue, key, encoded) },
		func(err error) error { return c.damagedPage(values, err, c.decodeChunk) })
	if err != nil {
		return err
	}
	c.endRecord(catalogue)
	return c.totals(records)
}

// bucket returns a bucket; nil if its root is damaged.
func (c *checker) bucket(name string) *pages.Bucket {
	bucket, err := c.image.Bucket(name)
	switch {
	case err == nil:
		return bucket
	case bucket == nil:
		c.add(err)
	case name == valuesBucket:
		_ = c.damagedPage(bucket, err, c.decodeChunk)
	default:
		_ = c.damagedPage(bucket, err, c.decodeEntry)
	}
	return nil
}

func (c *checker) decodeChunk(key, encoded []byte) error {
	_, _, _, err := codec.SplitKey(key)
	if err == nil {
		err = c.coder.Decode(&c.buffer, key, encoded)
	}
	return c.mapped.describeChunkOf(c.image, err, key, encoded)
}

func (c *checker) decodeEntry(name, data []byte) error {
	_, err := c.mapped.decodeEntry(c.image, name, data)
	return err
}

// stopped returns why the check must stop; nil if it must not.
func (c *checker) stopped() error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if len(c.faults) >= maxFaults {
		return errTooManyFaults
	}
	return nil
}

// damagedPage adds the error of a damaged page, and the errors of the damaged values among those
// that the page seems to have.
func (c *checker) damagedPage(bucket *pages.Bucket, err error, decode func(key, value []byte) error) error {
	if err := c.stopped(); err != nil {
		return err
	}
	c.add(err)
	var page *pages.DamagedPage
	if !errors.As(err, &page) {
		return nil
	}
	for key, value := range bucket.Suspects(page) {
		if err := decode(key, value); err != nil && len(c.faults) < maxFaults {
			c.add(err)
		}
	}
	return nil
}

// element checks the chunk under a key.
func (c *checker) element(catalogue *pages.Cursor, key, encoded []byte) error {
	if err := c.stopped(); err != nil {
		return err
	}
	record, _, _, err := codec.SplitKey(key)
	if err != nil {
		c.add(c.mapped.describeChunkOf(c.image, err, key, encoded))
		return nil
	}
	if string(record) != c.record {
		c.endRecord(catalogue)
		c.record, c.sums = string(record), recordSums{}
		c.found.Records++
	}
	c.chunk(key, encoded)
	return nil
}

// chunk checks one chunk and adds it to its record's sums.
func (c *checker) chunk(key, encoded []byte) {
	if err := c.decodeChunk(key, encoded); err != nil {
		c.add(err)
		return
	}
	entries := c.buffer.Entries
	for i, e := range entries {
		if (c.sums.entry.Count > 0 || i > 0) && e.Compare(c.sums.last) <= 0 {
			c.addf("chunk of record %q under key %x: value %d is out of order", c.record, key, i)
			return
		}
		c.sums.last = e
		if err := daybook.ValidateValue(e.Value); err != nil {
			c.addf("chunk of record %q under key %x: value %d: %w", c.record, key, i, err)
		}
	}
	c.sums.add(entries)
	if c.state == nil {
		return
	}
	if got, want := c.buffer.Header.MaxSequence, c.state.PostedThrough(c.record); got > want {
		c.addf("chunk of record %q under key %x has a value with sequence number %d, after the watermark, %d",
			c.record, key, got, want)
	}
}

// endRecord compares a record's catalogue entry with the sums over its chunks.
func (c *checker) endRecord(catalogue *pages.Cursor) {
	if c.record == "" {
		return
	}
	sums := &c.sums.entry
	c.found.Values += sums.Count
	c.found.Bytes += sums.Bytes
	data, err := catalogue.Get([]byte(c.record))
	if err != nil {
		c.add(err)
		return
	}
	if data == nil {
		c.addf("record %q has values but no catalogue entry", c.record)
		return
	}
	got, err := c.mapped.decodeEntry(c.image, []byte(c.record), data)
	if err != nil {
		c.add(err)
		return
	}
	switch says, holds := entryText(&got), entryText(sums); {
	case says != holds:
		c.addf("catalogue entry of record %q at offset %d says %s; its chunks hold %s",
			c.record, c.image.Offset(data), says, holds)
	case got.NewestValue != nil && !bytes.Equal(got.NewestValue, sums.NewestValue):
		c.addf("catalogue entry of record %q at offset %d has another newest value than its chunks",
			c.record, c.image.Offset(data))
	}
}

// entryText returns all of an entry except its newest value as text.
func entryText(e *codec.CatalogueEntry) string {
	return fmt.Sprintf("count %d, bytes %d, oldest %d, newest %d with sequence number %d",
		e.Count, e.Bytes, e.Oldest, e.Newest, e.NewestSequence)
}

// totals compares the state of the tree, and the number of catalogue entries, with the chunks.
func (c *checker) totals(records *pages.Bucket) error {
	entries := uint64(0)
	err := records.Walk(
		func(_, _ []byte) error { entries++; return c.ctx.Err() },
		func(err error) error { return c.damagedPage(records, err, c.decodeEntry) })
	if err != nil {
		return err
	}
	state, found := c.state, &c.found
	switch {
	case state == nil:
	case state.Records != found.Records || entries != found.Records:
		c.addf("the tree says %d records, its catalogue has %d, its chunks %d", state.Records, entries, found.Records)
	case state.Values != found.Values || state.Bytes != found.Bytes:
		c.addf("the tree says %d values of %d bytes; its chunks hold %d of %d",
			state.Values, state.Bytes, found.Values, found.Bytes)
	}
	return nil
}

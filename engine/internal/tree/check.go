// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/index"
)

// mostFaults is how many faults Check collects before it gives up.
const mostFaults = 100

// Check reads everything and returns every fault it finds, joined, each matching daybook.ErrCorrupt:
// bbolt's pages, the chunks' checksums, order and sequence numbers, and the catalogue and the totals
// against the chunks.
func (t *Tree) Check(ctx context.Context) error {
	c := checker{ctx: ctx, coder: t.coder}
	err := t.view(func(tx *bbolt.Tx) error {
		c.pages(tx)
		// Walking buckets whose pages do not hang together may never end.
		if len(c.faults) > 0 {
			return nil
		}
		return c.check(tx)
	})
	return errors.Join(append(c.faults, err)...)
}

// checker walks the chunks and the catalogue side by side.
type checker struct {
	ctx    context.Context
	coder  *codec.Coder
	faults []error
	state  State

	buffer codec.Buffer
	record string      // the one whose chunks are being read
	seen   index.Entry // what its chunks add up to
	last   codec.Entry // its last value so far
}

var errTooManyFaults = fmt.Errorf("%w: more than %d faults; the rest was not checked", daybook.ErrCorrupt, mostFaults)

func (c *checker) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Errorf("%w: %w", daybook.ErrCorrupt, fmt.Errorf(format, args...)))
}

// pages has bbolt check its pages. A page that claims to reach beyond the file is found first, since bbolt
// would report each page that is not there, billions of them.
func (c *checker) pages(tx *bbolt.Tx) {
	for id := 0; ; {
		page, err := tx.Page(id)
		if err != nil || page == nil { // behind the last one
			break
		}
		id++
		if page.Type == "free" {
			continue
		}
		if id += page.OverflowCount; int64(id)*int64(tx.DB().Info().PageSize) > tx.Size() {
			c.fault("page %d reaches beyond the end of the file", page.ID)
			return
		}
	}
	for err := range tx.Check() { // to the end, or its goroutine outlives the transaction
		if len(c.faults) < mostFaults {
			c.fault("pages: %w", err)
		}
	}
}

func (c *checker) check(tx *bbolt.Tx) error {
	catalogue := index.NewCatalogue(tx.Bucket(recordsBucket))
	cursor := tx.Bucket(valuesBucket).Cursor()
	for key, encoded := cursor.First(); key != nil; key, encoded = cursor.Next() {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if len(c.faults) >= mostFaults {
			return errTooManyFaults
		}
		record, _, _, err := codec.SplitKey(key)
		if err != nil {
			c.fault("%w", err)
			continue
		}
		if string(record) != c.record {
			c.endRecord(catalogue)
			c.record, c.seen, c.last = string(record), index.Entry{}, codec.Entry{}
			c.state.Records++
		}
		c.chunk(key, encoded)
	}
	c.endRecord(catalogue)
	return c.totals(tx, catalogue)
}

// chunk checks one chunk and adds it to its record's sums.
func (c *checker) chunk(key, encoded []byte) {
	if err := c.coder.Decode(&c.buffer, key, encoded); err != nil {
		c.fault("%w", chunkFault(err, c.record, key))
		return
	}
	entries := c.buffer.Entries
	for i, e := range entries {
		if c.seen.Count > 0 || i > 0 {
			if e.Compare(c.last) <= 0 {
				c.fault("chunk of record %q under key %x: value %d is out of order", c.record, key, i)
				return
			}
		}
		c.last = e
		if err := daybook.ValidateValue(e.Value); err != nil {
			c.fault("chunk of record %q under key %x: value %d: %w", c.record, key, i, err)
		}
	}
	if c.seen.Count == 0 {
		c.seen.Oldest = entries[0].Timestamp
	}
	c.seen.Count += uint64(len(entries))
	c.seen.Bytes += valueBytes(entries)
	c.seen.SetNewest(c.last.Timestamp, c.last.Sequence, append([]byte(nil), c.last.Value...))
	c.state.Watermark = max(c.state.Watermark, c.buffer.Header.MaxSequence)
}

// endRecord holds a record's catalogue entry against its chunks.
func (c *checker) endRecord(catalogue *index.Catalogue) {
	if c.record == "" {
		return
	}
	c.state.Values += c.seen.Count
	c.state.Bytes += c.seen.Bytes
	entry, found, err := catalogue.Get(c.record)
	got, want := entry, c.seen
	sameNewest := got.NewestValue == nil || string(got.NewestValue) == string(want.NewestValue)
	got.NewestValue, want.NewestValue = nil, nil
	switch {
	case err != nil:
		c.fault("catalogue: %w", err)
	case !found:
		c.fault("record %q has values but no catalogue entry", c.record)
	case fmt.Sprint(got) != fmt.Sprint(want) || !sameNewest:
		c.fault("catalogue entry of record %q says %+v; its chunks hold %+v", c.record, got, want)
	}
}

// totals holds the tree's state, and the number of catalogue entries, against what was found.
func (c *checker) totals(tx *bbolt.Tx, catalogue *index.Catalogue) error {
	entries := uint64(0)
	everything, err := index.CompileGlob("*")
	if err != nil {
		return err
	}
	for cursor := catalogue.Cursor(everything, ""); ; entries++ {
		if name, _, _ := cursor.Next(); name == nil {
			break
		}
	}
	state, err := getState(tx)
	switch {
	case err != nil:
		c.faults = append(c.faults, err)
	case state.Records != c.state.Records || entries != c.state.Records:
		c.fault("the tree says %d records, its catalogue has %d, its chunks %d", state.Records, entries, c.state.Records)
	case state.Values != c.state.Values || state.Bytes != c.state.Bytes:
		c.fault("the tree says %d values of %d bytes; its chunks hold %d of %d", state.Values, state.Bytes, c.state.Values, c.state.Bytes)
	case state.Watermark < c.state.Watermark:
		c.fault("the watermark is %d, but there is a value with sequence number %d", state.Watermark, c.state.Watermark)
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// Salvage makes a new tree at path from the undamaged part of this one: the chunks that can be
// reached and match their checksums, with a catalogue and totals that agree with them. Nothing may
// be written to either tree meanwhile.
func (t *Tree) Salvage(ctx context.Context, path string) (salvaged *Tree, err error) {
	c, err := t.Copy(path)
	if err != nil {
		return nil, err
	}
	s := &salvage{ctx: ctx, to: c.to}
	var state State
	var notes Notes
	err = t.view(func(_ *bbolt.Tx, image *pages.Image) error {
		if state, err = readState(image); err != nil {
			return err
		}
		if notes, err = readNotes(image); err != nil {
			return err
		}
		values, err := image.Bucket(valuesBucket)
		if values == nil {
			return err
		}
		// A damaged page, and the pages that it leads to, may have any content.
		skip := func(error) error { return nil }
		if err := values.Walk(s.chunk, skip); err != nil {
			return err
		}
		s.endRecord()
		return s.flush()
	})
	if err == nil {
		err = c.seal(state, notes)
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c.to, nil
}

// salvage collects chunks and catalogue entries until they fill a transaction.
type salvage struct {
	ctx    context.Context
	to     *Tree
	buffer codec.Buffer

	record string // whose chunks are being read
	sums   recordSums

	chunks  []codec.EncodedChunk
	size    int // of chunks, in bytes
	entries []namedEntry
}

// namedEntry is a catalogue entry with its record.
type namedEntry struct {
	record string
	entry  codec.CatalogueEntry
}

// chunk collects a chunk, unless it is damaged or overlaps the previous one.
func (s *salvage) chunk(key, encoded []byte) error {
	record, _, _, err := codec.SplitKey(key)
	if err != nil || string(record) < s.record || s.to.coder.Decode(&s.buffer, key, encoded) != nil {
		return nil
	}
	if string(record) != s.record {
		s.endRecord()
		s.record = string(record)
	}
	entries := s.buffer.Entries
	if s.sums.entry.Count > 0 && entries[0].Compare(s.sums.last) <= 0 {
		return nil
	}
	s.sums.add(entries)
	s.chunks = append(s.chunks, codec.EncodedChunk{Key: key, Chunk: encoded})
	if s.size += len(key) + len(encoded); s.size < s.to.opts.TransactionBytes {
		return nil
	}
	return s.flush()
}

func (s *salvage) endRecord() {
	if s.sums.entry.Count > 0 {
		s.entries = append(s.entries, namedEntry{s.record, s.sums.entry})
	}
	s.sums = recordSums{}
}

// flush writes the collected chunks and entries in one transaction.
func (s *salvage) flush() error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	err := s.to.update(func(w *writeTx) error {
		if err := w.putAll(s.chunks); err != nil {
			return err
		}
		for i := range s.entries {
			record, entry := s.entries[i].record, &s.entries[i].entry
			w.state.Records++
			w.state.Values += entry.Count
			w.state.Bytes += entry.Bytes
			if err := w.nameGuard.VerifyAround([]byte(record)); err != nil {
				return err
			}
			if err := w.catalogue.put(record, entry); err != nil {
				return err
			}
		}
		return nil
	})
	s.chunks, s.size, s.entries = s.chunks[:0], 0, s.entries[:0]
	return err
}

// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"context"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// Salvage makes a new tree at path of what is whole in this one: the chunks that can be reached and agree with their
// checksums, and a catalogue and totals that agree with those. Nothing may be written to either meanwhile.
func (t *Tree) Salvage(ctx context.Context, path string) (whole *Tree, err error) {
	c, err := t.Copy(path)
	if err != nil {
		return nil, err
	}
	s := &salvage{ctx: ctx, to: c.to}
	var state State
	err = t.view(func(_ *bbolt.Tx, v *pages.Image) error {
		if state, err = readState(v); err != nil {
			return err
		}
		values, err := v.Bucket(valuesBucket)
		if values == nil {
			return err
		}
		skip := func(error) error { return nil } // what lies on a damaged page, or below it, may be anything
		if err := values.Walk(s.chunk, skip); err != nil {
			return err
		}
		s.endRecord()
		return s.flush()
	})
	if err == nil {
		err = c.seal(state)
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c.to, nil
}

// salvage is what has been read and not been written.
type salvage struct {
	ctx    context.Context
	to     *Tree
	buffer codec.Buffer

	record string               // the one whose chunks are being read
	entry  codec.CatalogueEntry // what its chunks add up to
	last   codec.Entry          // its last value

	chunks  []keyed
	size    int // of those, in bytes
	records []catalogued
}

// catalogued is a catalogue entry.
type catalogued struct {
	record string
	entry  codec.CatalogueEntry
}

// chunk takes a chunk if it is whole, and behind the one before.
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
	if s.entry.Count > 0 && entries[0].Compare(s.last) <= 0 {
		return nil
	}
	if s.entry.Count == 0 {
		s.entry.Oldest = entries[0].Timestamp
	}
	s.last = entries[len(entries)-1]
	s.entry.Count += uint64(len(entries))
	s.entry.Bytes += valueBytes(entries)
	s.entry.SetNewest(s.last.Timestamp, s.last.Sequence, bytes.Clone(s.last.Value))
	s.chunks = append(s.chunks, keyed{key, encoded})
	if s.size += len(key) + len(encoded); s.size < s.to.opts.TransactionBytes {
		return nil
	}
	return s.flush()
}

func (s *salvage) endRecord() {
	if s.entry.Count > 0 {
		s.records = append(s.records, catalogued{s.record, s.entry})
	}
	s.entry = codec.CatalogueEntry{}
}

// flush writes what has been read.
func (s *salvage) flush() error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	err := s.to.update(func(w *writer) error {
		for _, c := range s.chunks {
			if err := w.put(c.key, c.chunk); err != nil {
				return err
			}
		}
		for i := range s.records {
			r := &s.records[i]
			w.state.Records++
			w.state.Values += r.entry.Count
			w.state.Bytes += r.entry.Bytes
			if err := w.aroundNames.VerifyAround([]byte(r.record)); err != nil {
				return err
			}
			if err := w.catalogue.put(r.record, &r.entry); err != nil {
				return err
			}
		}
		return nil
	})
	s.chunks, s.size, s.records = s.chunks[:0], 0, s.records[:0]
	return err
}

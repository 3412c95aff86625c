// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"cmp"
	"context"
	"maps"
	"math"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// Salvage makes a new tree at path from the undamaged part of this one: the chunks that can be
// reached and match their checksums, with a catalogue and totals that agree with them. Nothing may
// be written to either tree meanwhile.
func (t *Tree) Salvage(ctx context.Context, path string) (salvaged *Tree, err error) {
	// A damaged page, and the pages that it leads to, may have any content.
	return t.copyPart(ctx, path, &salvage{ctx: ctx, skip: func(error) error { return nil }})
}

// CopyStored makes a new tree at path from the values of this one that a rule with StoredThrough
// does not delete, and from those that with.Holds spare. Its file has at most maxBytes. It needs no
// free pages in this tree. Nothing may be written to either tree meanwhile. The caller calls
// with.Lost with lost if it uses the new tree.
func (t *Tree) CopyStored(
	ctx context.Context, path string, rule Rule, maxBytes int64, with Pruning,
) (newer *Tree, lost []uint64, err error) {
	fail := func(err error) error { return err }
	s := &salvage{ctx: ctx, skip: fail, maxBytes: maxBytes, holds: with.Holds}
	s.after, s.keepNewest = rule.StoredThrough, rule.KeepNewest
	s.lost = make([]uint64, len(with.Holds))
	s.notesOf = with.NotesOf
	newer, err = t.copyPart(ctx, path, s)
	return newer, s.lost, err
}

// copyPart makes a new tree at path from the chunks that s collects.
func (t *Tree) copyPart(ctx context.Context, path string, s *salvage) (part *Tree, err error) {
	c, err := t.Copy(path)
	if err != nil {
		return nil, err
	}
	s.to = c.to
	if s.maxBytes > 0 {
		c.to.SetMaxBytes(s.maxBytes)
	}
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
		if s.keepNewest > 0 {
			if err := s.countFrom(t, image); err != nil {
				return err
			}
		}
		if err := values.Walk(s.chunk, s.skip); err != nil {
			return err
		}
		s.endRecord()
		return s.flush()
	})
	if err == nil && len(s.holds) > 0 {
		maps.Copy(notes, s.notesOf(s.lost))
	}
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
	ctx        context.Context
	to         *Tree
	skip       func(damage error) error // returns an error to end, and nil to pass over the damage
	after      uint64                   // only values with greater sequence numbers are collected
	keepNewest uint64                   // and this number of the newest values of each record
	maxBytes   int64                    // of the file; 0: as of the tree
	holds      Holds                    // what they spare is collected too
	lost       []uint64                 // of each hold
	notesOf    func(lost []uint64) Notes
	buffer     codec.Buffer

	countOf func(record []byte) (uint64, error) // number of a record's values; needed by keepNewest

	record string // whose chunks are being read
	older  uint64 // number of its next values that are not among the newest
	spare  spared
	sums   recordSums
	key    codec.Key // of its last collected chunk

	chunks  []codec.EncodedChunk
	size    int // of chunks, in bytes
	entries []namedEntry
}

// namedEntry is a catalogue entry with its record.
type namedEntry struct {
	record string
	entry  codec.CatalogueEntry
}

// countFrom makes countOf return the numbers of values that the catalogue of a tree says.
func (s *salvage) countFrom(t *Tree, image *pages.Image) error {
	records, err := image.Bucket(recordsBucket)
	if err != nil {
		return err
	}
	s.countOf = func(record []byte) (uint64, error) {
		data, err := records.Cursor().Get(record)
		if data == nil || err != nil {
			return 0, cmp.Or(err, error(miscounted(string(record))))
		}
		entry, err := t.mapped.decodeEntry(image, record, data)
		return entry.Count, err
	}
	return nil
}

// chunk collects a chunk, unless it is damaged or overlaps the previous one.
func (s *salvage) chunk(key, encoded []byte) error {
	record, _, _, err := codec.SplitKey(key)
	if err == nil {
		err = s.to.coder.Decode(&s.buffer, key, encoded)
	}
	if err != nil {
		return s.skip(err)
	}
	if string(record) < s.record {
		return s.skip(miscounted(string(record)))
	}
	if string(record) != s.record {
		s.endRecord()
		s.record, s.spare = string(record), s.holds.of(string(record), s.lost)
		if s.keepNewest > 0 {
			count, err := s.countOf(record)
			if err != nil {
				return s.skip(err)
			}
			s.older = count - min(count, s.keepNewest)
		}
	}
	entries := s.buffer.Entries
	if s.sums.entry.Count > 0 && entries[0].Compare(s.sums.last) <= 0 {
		return s.skip(miscounted(s.record))
	}
	if s.after > 0 {
		if key, encoded, entries, err = s.storedAfter(key, encoded); entries == nil || err != nil {
			return err
		}
	}
	s.sums.add(entries)
	s.chunks = append(s.chunks, codec.EncodedChunk{Key: key, Chunk: encoded})
	if s.size += len(key) + len(encoded); s.size < s.to.opts.TransactionBytes {
		return nil
	}
	return s.flush()
}

// storedAfter returns the chunk of those of the buffer's values that are collected; no entries if
// there are none. A chunk that begins later than before may share that time with the next chunk, so
// all chunks get new ordinals.
func (s *salvage) storedAfter(key, encoded []byte) (newKey, chunk []byte, entries []codec.Entry, err error) {
	for i := range s.buffer.Entries {
		isNewest := s.keepNewest > 0 && s.older == 0
		s.older -= min(s.older, 1)
		if e := &s.buffer.Entries[i]; isNewest || e.Sequence > s.after || s.spare.spares(e.Sequence) {
			entries = append(entries, *e)
		} else {
			s.spare.add(e)
		}
	}
	if entries == nil {
		return nil, nil, nil, nil
	}
	if at := entries[0].Timestamp; s.sums.entry.Count == 0 {
		s.key = codec.Key{Record: s.record, Timestamp: at}
	} else if s.key = nextKey(s.key, at); s.key.Ordinal == math.MaxUint32 {
		return nil, nil, nil, tooManyChunks(s.key)
	}
	newKey = s.key.Append(nil)
	if len(entries) == len(s.buffer.Entries) {
		chunk, err = codec.Rekey(key, encoded, newKey)
		return newKey, chunk, entries, err
	}
	return newKey, s.to.coder.AppendChunk(nil, newKey, entries), entries, nil
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

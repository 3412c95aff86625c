// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/daybook-db/daybook/codec"
)

// gap is the place between two neighbouring chunks of a record.
type gap struct {
	record      string
	left, right *chunk // nil: the record has no chunk on this side
	maxBytes    uint64 // maximum number of bytes of JSON in a chunk here
}

// insertRun adds a run to a record's chunks. The run is cut where existing chunks start, and each
// piece is added to the chunk before it, or after that chunk. The transaction must not have changed
// the record yet.
func (w *writeTx) insertRun(record string, run []codec.Entry) error {
	chunks := chunkFinder(&w.finder)
	for ; len(run) > 0; chunks = w {
		left, right, err := chunks.around(record, run[0].Timestamp)
		if err != nil {
			return err
		}
		piece := run
		if right != nil {
			piece = run[:sort.Search(len(run), func(i int) bool { return run[i].Timestamp >= right.First })]
		}
		run = run[len(piece):]
		g := gap{record, left, right, w.maxBytes(record, left, right, piece)}
		if err := w.insertPiece(chunks, g, piece, len(run) == 0); err != nil {
			return err
		}
	}
	return nil
}

// insertPiece adds a piece of a run, which lies between the starts of left and right. Chunks that
// overlap the piece are merged with it. So are short neighbours, so that a record does not end up
// with many short chunks. A chunk that is not tiny is merged only into one that is at least half as
// long again. So each value is rewritten O(log n) times, and while its chunk is tiny.
func (w *writeTx) insertPiece(chunks chunkFinder, g gap, piece []codec.Entry, isLast bool) (err error) {
	count, size := len(piece), valueBytes(piece)
	var before, after []*chunk // chunks to merge, the nearest first
	for g.left != nil && (g.left.Last > piece[0].Timestamp || w.shouldMerge(g.left, count, size, g.maxBytes)) {
		before = append(before, g.left)
		count += g.left.Count
		size += g.left.ValueBytes
		if g.left, err = chunks.previous(g.record, g.left); err != nil {
			return err
		}
	}
	for isLast && g.right != nil && w.shouldMerge(g.right, count, size, g.maxBytes) {
		after = append(after, g.right)
		count += g.right.Count
		size += g.right.ValueBytes
		if g.right, err = chunks.next(g.record, g.right); err != nil {
			return err
		}
	}
	if len(before) > 0 && len(after) == 0 && w.opts.chunksFor(count, size, g.maxBytes) == 1 {
		if joined, err := w.join(g, before, piece); joined || err != nil {
			return err
		}
	}
	merged := append(before, after...)
	w.replaced(merged)
	entries := piece
	for _, c := range merged {
		own, err := w.decode(g.record, c)
		if err != nil {
			return err
		}
		entries = codec.Merge(own, entries, codec.Entry.Compare)
	}
	return w.write(g, entries, keysOf(merged))
}

// tinyChunk is the length in bytes up to which a chunk is extended by any number of values. A
// chunk's key, header and texts are some 150 bytes, and the leaf with it is written again anyway.
const tinyChunk = 512

// shouldMerge reports whether a run of count values of size bytes should be merged with a neighbour
// that it does not overlap. The neighbour must not be full, must be shorter than twice the run
// unless it is tiny and need not be decoded, and the merge must save a chunk. A damaged neighbour
// stays as it is.
func (w *writeTx) shouldMerge(c *chunk, count int, size, maxBytes uint64) bool {
	full := c.Count >= w.opts.ChunkValues || c.ValueBytes >= maxBytes
	tiny := c.Joins() && len(c.encoded) <= tinyChunk
	return !full && (tiny || c.Count < 2*count && c.ValueBytes < 2*size) &&
		w.opts.chunksFor(count+c.Count, size+c.ValueBytes, maxBytes) <= w.opts.chunksFor(count, size, maxBytes) &&
		codec.Verify(c.key, c.encoded) == nil
}

func keysOf(chunks []*chunk) (keys [][]byte) {
	for _, c := range chunks {
		keys = append(keys, c.key)
	}
	return keys
}

// join writes chunks, the nearest first, and the piece after them as one chunk without decoding
// them. It returns false if that is not possible.
func (w *writeTx) join(g gap, nearestFirst []*chunk, piece []codec.Entry) (joined bool, err error) {
	var chunks []codec.EncodedChunk
	for _, c := range slices.Backward(nearestFirst) {
		chunks = append(chunks, codec.EncodedChunk{Key: c.key, Chunk: c.encoded})
	}
	key := keyAfter(g.record, g.left, nearestFirst[len(nearestFirst)-1].First)
	encodedKey := key.Append(nil)
	encoded, err := w.coder.Join(encodedKey, chunks, piece)
	if encoded == nil || err != nil || key.Ordinal == math.MaxUint32 {
		return false, nil // the caller decodes the chunks, which finds and describes damage
	}
	w.replaced(nearestFirst)
	return true, w.replace(g, []codec.EncodedChunk{{Key: encodedKey, Chunk: encoded}}, key, keysOf(nearestFirst))
}

// write writes entries into the gap, in place of the chunks with the replaced keys.
func (w *writeTx) write(g gap, entries []codec.Entry, replaced [][]byte) error {
	pieces := w.split(entries, g.maxBytes)
	encoded := make([]codec.EncodedChunk, len(pieces))
	atEnd := g.right == nil && len(replaced) == 0 // then the record's other chunks are not needed any more
	deferring := atEnd && w.useAllProcessors != nil && w.useAllProcessors()
	key := keyAfter(g.record, g.left, pieces[0][0].Timestamp)
	for i, piece := range pieces {
		if i > 0 {
			key = nextKey(key, piece[0].Timestamp)
		}
		if key.Ordinal == math.MaxUint32 {
			return tooManyChunks(key)
		}
		encoded[i].Key = key.Append(nil)
		if deferring {
			w.deferred.add(encoded[i].Key, piece)
			continue
		}
		w.scratch = w.coder.AppendChunk(w.scratch[:0], encoded[i].Key, piece)
		encoded[i].Chunk = bytes.Clone(w.scratch)
	}
	switch {
	case !deferring:
		return w.replace(g, encoded, key, replaced)
	case w.deferred.size >= min(maxDeferred, w.opts.TransactionBytes):
		return w.putDeferred()
	}
	return nil
}

// split cuts entries into pieces that become a chunk each, of at most maxBytes bytes of JSON.
func (w *writeTx) split(entries []codec.Entry, maxBytes uint64) (pieces [][]codec.Entry) {
	for len(entries) > 0 {
		n := w.opts.chunkLen(entries, maxBytes)
		pieces, entries = append(pieces, entries[:n]), entries[n:]
	}
	return pieces
}

// replace puts encoded chunks into the gap, in place of the chunks with the replaced keys. last is
// the key of the last encoded chunk.
func (w *writeTx) replace(g gap, encoded []codec.EncodedChunk, last codec.Key, replaced [][]byte) error {
	for _, key := range replaced {
		if len(encoded) > 0 && bytes.Equal(key, encoded[0].Key) {
			continue // is put below
		}
		if err := w.delete(key); err != nil {
			return err
		}
	}
	if g.right != nil && g.right.First == last.Timestamp && g.right.ordinal <= last.Ordinal {
		if err := w.raiseOrdinals(g.record, g.right, last); err != nil {
			return err
		}
	}
	return w.putAll(encoded)
}

// raiseOrdinals gives a chunk, and the following ones that start at the same timestamp, ordinals
// that are greater than that of last.
func (w *writeTx) raiseOrdinals(record string, first *chunk, last codec.Key) error {
	var moved []codec.EncodedChunk
	for c := first; c != nil && c.First == first.First; {
		if last.Ordinal == math.MaxUint32 {
			return tooManyChunks(last)
		}
		last.Ordinal++
		key := last.Append(nil)
		encoded, err := codec.Rekey(c.key, c.encoded, key)
		if err != nil {
			return w.describeChunk(err, record, c)
		}
		moved = append(moved, codec.EncodedChunk{Key: key, Chunk: encoded})
		next, err := w.next(record, c)
		if err != nil {
			return err
		}
		if err := w.delete(c.key); err != nil {
			return err
		}
		c = next
	}
	return w.putAll(moved)
}

func (w *writeTx) putAll(chunks []codec.EncodedChunk) error {
	for _, c := range chunks {
		if err := w.put(c.Key, c.Chunk); err != nil {
			return err
		}
	}
	return nil
}

// keyAfter returns the key of a chunk that starts at a timestamp and follows left. If left is nil,
// the chunk is the record's first.
func keyAfter(record string, left *chunk, timestamp uint64) codec.Key {
	if left == nil {
		return codec.Key{Record: record, Timestamp: timestamp}
	}
	return nextKey(codec.Key{Record: record, Timestamp: left.First, Ordinal: left.ordinal}, timestamp)
}

// nextKey returns the key of a chunk that starts at a timestamp and follows the chunk under
// previous.
func nextKey(previous codec.Key, timestamp uint64) codec.Key {
	if previous.Timestamp == timestamp {
		previous.Ordinal++
		return previous
	}
	return codec.Key{Record: previous.Record, Timestamp: timestamp}
}

func tooManyChunks(key codec.Key) error {
	return fmt.Errorf("record %q: too many chunks start at timestamp %d", key.Record, key.Timestamp)
}

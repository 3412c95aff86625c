// SPDX-License-Identifier: Apache-2.0

package tree

import "github.com/daybook-db/daybook/codec"

// maxTemplateFactor is how many times more bytes of JSON than Options.ChunkBytes a chunk of
// templates may have.
const maxTemplateFactor = 4

// maxBytes returns how many bytes of JSON a chunk between two neighbours may have. One of them may
// be nil. If both are, the first values of the piece say it, which are encoded to find out.
func (w *writeTx) maxBytes(record string, left, right *chunk, piece []codec.Entry) uint64 {
	switch limit := uint64(w.opts.ChunkBytes); {
	case left != nil:
		return w.opts.maxBytesBeside(&left.Header, len(left.encoded))
	case right != nil:
		return w.opts.maxBytesBeside(&right.Header, len(right.encoded))
	case w.opts.chunkLen(piece, limit) == len(piece):
		return limit
	default:
		key := codec.Key{Record: record, Timestamp: piece[0].Timestamp}.Append(nil)
		w.scratch = w.coder.AppendChunk(w.scratch[:0], key, piece[:w.opts.chunkLen(piece, limit)])
		h, err := codec.ReadHeader(key, w.scratch)
		if err != nil {
			return limit
		}
		return w.opts.maxBytesBeside(&h, len(w.scratch))
	}
}

// maxBytesBeside returns how many bytes of JSON a chunk may have if it is encoded as another is. Of
// templates the bytes of the encoding count, because it is cheap to read one of many values, and
// to add values.
func (o *Options) maxBytesBeside(h *codec.Header, encoded int) uint64 {
	limit := uint64(o.ChunkBytes)
	if !h.Joins() {
		return limit
	}
	maxBytes := min(limit*h.ValueBytes/uint64(encoded), limit*maxTemplateFactor, codec.MaxTemplateBytes)
	return max(maxBytes, limit)
}

// chunkLen returns how many of the first entries become a chunk, of at most maxBytes bytes of JSON
// unless it is a single value.
func (o *Options) chunkLen(entries []codec.Entry, maxBytes uint64) int {
	size := uint64(0)
	for i := range entries {
		size += uint64(len(entries[i].Value))
		if i > 0 && size > maxBytes || i == o.ChunkValues {
			return i
		}
	}
	return len(entries)
}

// chunksFor returns about how many chunks values take.
func (o *Options) chunksFor(count int, size, maxBytes uint64) int {
	byCount := (count + o.ChunkValues - 1) / o.ChunkValues
	bySize := (size + maxBytes - 1) / maxBytes
	return max(byCount, int(bySize))
}

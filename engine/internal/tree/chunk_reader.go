// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/arena"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// chunkReader reads chunks of a tree, and describes their damage.
type chunkReader struct {
	mapped mappedFile
	coder  *codec.Coder
	image  *pages.Image // nil: chunks are read in a write transaction, whose pages have no place yet

	keys   arena.Values // of the chunks
	unused []chunk      // allocated together with the last ones

	opened   codec.Opened
	openedOf *chunk // that opened shows; nil: none
}

// chunksPerAllocation is small, because one chunk that is in use keeps the others' memory.
const chunksPerAllocation = 16

func (r *chunkReader) newChunk() (c *chunk) {
	if len(r.unused) == 0 {
		r.unused = make([]chunk, chunksPerAllocation)
	}
	c, r.unused = &r.unused[0], r.unused[1:]
	return c
}

// chunk is a chunk of a tree. Its bytes are valid until the tree is changed. If it was read from
// the image before a transaction, they are valid until that transaction ends.
type chunk struct {
	key, encoded []byte
	ordinal      uint32
	codec.Header
}

// read returns the chunk under a key; nil if it belongs to another record.
func (r *chunkReader) read(record string, key, encoded []byte) (*chunk, error) {
	if !codec.HasRecord(key, record) {
		return nil, nil
	}
	return r.readOwned(record, r.keys.Copy(key), encoded)
}

// readOwned returns the chunk under a key of the record, whose memory the chunk keeps.
func (r *chunkReader) readOwned(record string, key, encoded []byte) (*chunk, error) {
	c := r.newChunk()
	c.key, c.encoded = key, encoded
	_, _, ordinal, err := codec.SplitKey(key)
	if err == nil {
		c.ordinal = ordinal
		c.Header, err = codec.ReadHeader(key, encoded)
	}
	if err != nil {
		return nil, r.describeChunk(err, record, c)
	}
	return c, nil
}

// readAt returns the chunk that a cursor moves to; nil if it belongs to another record.
func (r *chunkReader) readAt(record string, move func() (key, encoded []byte, err error)) (*chunk, error) {
	key, encoded, err := move()
	if err != nil {
		return nil, r.mapped.describe(err)
	}
	return r.read(record, key, encoded)
}

// countDeleted returns how many of a chunk's values the rule deletes by age. It decodes nothing if
// the header tells.
func (r *chunkReader) countDeleted(record string, c *chunk, rule Rule) (uint64, error) {
	switch {
	case rule.deletes(c.Last, c.MaxSequence):
		return uint64(c.Count), nil
	case !rule.deletes(c.First, c.MinSequence):
		return 0, nil
	case rule.StoredBefore > 0 && c.Last >= rule.OlderThan:
		entries, err := r.decode(record, c)
		return uint64(len(rule.deleted(entries))), err
	}
	if err := r.open(record, c); err != nil {
		return 0, err
	}
	count, err := r.opened.CountBefore(rule.OlderThan)
	return uint64(count), r.describeChunk(err, record, c)
}

// open opens a chunk, unless it is the one that is open. Nothing may have been written since c was
// read, unless it was read from an image.
func (r *chunkReader) open(record string, c *chunk) error {
	if r.openedOf == c {
		return nil
	}
	r.openedOf = nil
	if err := r.coder.Open(&r.opened, c.key, c.encoded); err != nil {
		return r.describeChunk(err, record, c)
	}
	r.openedOf = c
	return nil
}

// decode returns a chunk's values. They share no memory with those of other chunks.
func (r *chunkReader) decode(record string, c *chunk) ([]codec.Entry, error) {
	var b codec.Buffer
	if err := r.coder.Decode(&b, c.key, c.encoded); err != nil {
		return nil, r.describeChunk(err, record, c)
	}
	return b.Entries, nil
}

// tail returns the chunk without its first n values.
func (r *chunkReader) tail(record string, c *chunk, n uint64) (*chunk, error) {
	if err := r.open(record, c); err != nil {
		return nil, err
	}
	key, encoded, err := r.opened.Tail(int(n))
	if err != nil {
		return nil, r.describeChunk(err, record, c)
	}
	return r.readOwned(record, key, encoded)
}

// describeChunk returns the *Damage for an error that was met in a chunk.
func (r *chunkReader) describeChunk(err error, record string, c *chunk) error {
	offset := int64(0)
	if r.image != nil {
		offset = r.image.Offset(c.encoded)
	}
	return r.mapped.describeChunk(err, record, c.key, offset)
}

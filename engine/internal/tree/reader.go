// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"fmt"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// reader reads chunks that stand in a tree, and says what is wrong with them.
type reader struct {
	guard guard
	coder *codec.Coder
	view  *pages.Image // that they stand in; nil: a transaction that may have changed them
}

// chunk is one that stands in the tree. Its bytes are valid until the tree is changed; where it was found in the tree as
// it was when the transaction began, until that ends.
type chunk struct {
	key, encoded []byte
	ordinal      uint32
	codec.Header
}

// read returns the chunk under a key; nil if it is not the record's.
func (r *reader) read(record string, key, encoded []byte) (*chunk, error) {
	if !codec.HasRecord(key, record) {
		return nil, nil
	}
	c := &chunk{key: bytes.Clone(key), encoded: encoded}
	_, _, ordinal, err := codec.SplitKey(key)
	if err == nil {
		c.ordinal = ordinal
		c.Header, err = codec.ReadHeader(key, encoded)
	}
	if err != nil {
		return nil, r.chunkFault(err, record, c)
	}
	return c, nil
}

// readAt reads the chunk that a cursor moves to.
func (r *reader) readAt(record string, move func() (key, encoded []byte, err error)) (*chunk, error) {
	key, encoded, err := move()
	if err != nil {
		return nil, r.guard.fault(err)
	}
	return r.read(record, key, encoded)
}

// countOlder returns how many of a chunk's values go by age. It decodes none where its header tells.
func (r *reader) countOlder(record string, c *chunk, rule Rule) (uint64, error) {
	switch {
	case rule.takes(c.Last, c.MaxSequence):
		return uint64(c.Count), nil
	case !rule.takes(c.First, c.MinSequence):
		return 0, nil
	case rule.StoredBefore > 0 && c.Last >= rule.OlderThan:
		entries, err := r.decode(record, c)
		return uint64(len(rule.taken(entries))), err
	}
	some, err := r.coder.CountBefore(c.key, c.encoded, rule.OlderThan)
	return uint64(some), r.chunkFault(err, record, c)
}

// decode returns a chunk's values, which share nothing with those of another.
func (r *reader) decode(record string, c *chunk) ([]codec.Entry, error) {
	var b codec.Buffer
	if err := r.coder.Decode(&b, c.key, c.encoded); err != nil {
		return nil, r.chunkFault(err, record, c)
	}
	return b.Entries, nil
}

// tail returns the chunk without its first n values.
func (r *reader) tail(record string, c *chunk, n uint64) (*chunk, error) {
	key, encoded, err := r.coder.Tail(c.key, c.encoded, int(n))
	if err != nil {
		return nil, r.chunkFault(err, record, c)
	}
	return r.read(record, key, encoded)
}

// chunkFault says of which chunk an error is; nil if there is none.
func (r *reader) chunkFault(err error, record string, c *chunk) error {
	if r.view != nil {
		return r.guard.chunkFault(err, record, c.key, r.view.Offset(c.encoded))
	}
	return r.guard.fault(err, fmt.Sprintf("chunk of record %q under key %x", record, c.key))
}

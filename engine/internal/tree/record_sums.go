// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"

	"github.com/daybook-db/daybook/codec"
)

// recordSums computes a record's catalogue entry from its chunks.
type recordSums struct {
	entry codec.CatalogueEntry
	// last is the last value that was read. Check sets it even in a chunk that add does not get,
	// because its values are out of order. Its Value is overwritten when the next chunk is decoded.
	last codec.Entry
}

// add adds the values of the record's next chunk.
func (s *recordSums) add(entries []codec.Entry) {
	if s.entry.Count == 0 {
		s.entry.Oldest = entries[0].Timestamp
	}
	s.last = entries[len(entries)-1]
	s.entry.Count += uint64(len(entries))
	s.entry.Bytes += valueBytes(entries)
	s.entry.SetNewest(s.last.Timestamp, s.last.Sequence, bytes.Clone(s.last.Value))
}

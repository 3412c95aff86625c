// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"context"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
	"github.com/daybook-db/daybook/index"
)

// CatalogueReader reads the catalogue entries of the records that a pattern matches, by name.
type CatalogueReader struct {
	mapped mappedFile
	image  *pages.Image
	cursor *index.NameCursor
	buffer []byte
}

// Records returns a reader of the records that the pattern matches.
func (s *Snapshot) Records(pattern *index.Pattern) *CatalogueReader {
	return s.RecordsFrom(pattern, "")
}

// RecordsFrom is Records without the records whose names are less than from.
func (s *Snapshot) RecordsFrom(pattern *index.Pattern, from string) *CatalogueReader {
	return &CatalogueReader{
		mapped: s.mapped, image: s.image, cursor: index.NewNameCursor(s.records.Cursor(), pattern, from),
	}
}

// Next returns the next record, and whether there is one. name and the entry's value are valid
// until the next call. They are copies, because callers may not read mapped memory. Next returns
// ctx's error if ctx ends while no name matches.
func (r *CatalogueReader) Next(
	ctx context.Context,
) (name []byte, entry codec.CatalogueEntry, found bool, err error) {
	err = r.mapped.protect(func() error {
		mappedName, data, err := nextMatch(ctx, r.cursor)
		if mappedName == nil || err != nil {
			return err
		}
		if entry, err = r.mapped.decodeEntry(r.image, mappedName, data); err != nil {
			return err
		}
		found = true
		r.buffer = append(append(r.buffer[:0], mappedName...), entry.NewestValue...)
		name = r.buffer[:len(mappedName):len(mappedName)]
		if entry.NewestValue != nil {
			entry.NewestValue = r.buffer[len(mappedName):]
		}
		return nil
	})
	return name, entry, found, r.mapped.describe(err)
}

// Record returns the catalogue entry of one record, and whether the tree has values of it. The
// entry's value belongs to the caller.
func (s *Snapshot) Record(name string) (entry codec.CatalogueEntry, found bool, err error) {
	err = s.mapped.protect(func() error {
		s.bound = append(s.bound[:0], name...)
		data, err := s.records.Cursor().Get(s.bound)
		if data == nil || err != nil {
			return err
		}
		found = true
		entry, err = s.mapped.decodeEntry(s.image, s.bound, data)
		entry.NewestValue = bytes.Clone(entry.NewestValue)
		return err
	})
	return entry, found && err == nil, s.mapped.describe(err)
}

// namesPerCheck is the number of names that are matched between two checks of the context. A
// hostile pattern takes up to a millisecond for a name.
const namesPerCheck = 16

// nextMatch returns the cursor's next name that matches, and its entry; nil at the end. With ctx's
// error it returns the name at which it stopped.
func nextMatch(ctx context.Context, cursor *index.NameCursor) (name, data []byte, err error) {
	for read := 1; ; read++ {
		name, data, matches, err := cursor.Next()
		if name == nil || matches {
			return name, data, err
		}
		if read%namesPerCheck == 0 {
			if err := ctx.Err(); err != nil {
				return name, nil, err
			}
		}
	}
}

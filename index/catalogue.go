// SPDX-License-Identifier: Apache-2.0

package index

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"

	"go.etcd.io/bbolt"
)

const (
	entryVersion = 1
	checksumAt   = 1
	fieldsAt     = 5
	// maxInline is the longest newest value that a catalogue entry holds, in bytes. Longer ones would
	// spread the names over so many pages that a walk of them costs more than it saves.
	maxInline = 256
)

// Entry is what the catalogue knows of a record.
type Entry struct {
	Count          uint64 // number of values, at least 1
	Bytes          uint64 // total length of their JSON
	Oldest, Newest uint64 // timestamps, Unix ms
	NewestSequence uint64 // of the value at Newest that was stored last
	NewestValue    []byte // that value; nil when it is too long to be kept here
}

// SetNewest records a new newest value.
func (e *Entry) SetNewest(timestamp, sequence uint64, value []byte) {
	e.Newest, e.NewestSequence, e.NewestValue = timestamp, sequence, nil
	if len(value) <= maxInline {
		e.NewestValue = value
	}
}

// append appends the entry's encoding under a name.
func (e *Entry) append(dst []byte, name string) []byte {
	start := len(dst)
	dst = append(dst, entryVersion, 0, 0, 0, 0)
	for _, field := range []uint64{e.Count, e.Bytes, e.Oldest, e.Newest, e.NewestSequence} {
		dst = binary.AppendUvarint(dst, field)
	}
	if e.NewestValue == nil {
		dst = append(dst, 0)
	} else {
		dst = binary.AppendUvarint(dst, 1+uint64(len(e.NewestValue)))
		dst = append(dst, e.NewestValue...)
	}
	binary.LittleEndian.PutUint32(dst[start+checksumAt:], checksum([]byte(name), dst[start:]))
	return dst
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(name, data []byte) uint32 {
	sum := crc32.Update(0, castagnoli, name)
	sum = crc32.Update(sum, castagnoli, data[:checksumAt])
	return crc32.Update(sum, castagnoli, data[fieldsAt:])
}

// DecodeEntry decodes the catalogue entry under a name; its NewestValue is a part of data.
func DecodeEntry(name, data []byte) (Entry, error) {
	if len(data) < fieldsAt {
		return Entry{}, fmt.Errorf("%w: it has %d bytes", ErrCorrupt, len(data))
	}
	if data[0] > entryVersion {
		return Entry{}, fmt.Errorf("%w: entry version %d, this program knows %d", ErrVersion, data[0], entryVersion)
	}
	if got, want := checksum(name, data), binary.LittleEndian.Uint32(data[checksumAt:]); got != want {
		return Entry{}, fmt.Errorf("%w: its checksum is %08x; want %08x", ErrCorrupt, got, want)
	}
	var e Entry
	var inline uint64
	rest := data[fieldsAt:]
	for _, field := range []*uint64{&e.Count, &e.Bytes, &e.Oldest, &e.Newest, &e.NewestSequence, &inline} {
		v, n := binary.Uvarint(rest)
		if n <= 0 {
			return Entry{}, fmt.Errorf("%w: it ends early", ErrCorrupt)
		}
		*field, rest = v, rest[n:]
	}
	if inline > 0 {
		if inline-1 != uint64(len(rest)) {
			return Entry{}, fmt.Errorf("%w: its newest value has %d bytes; want %d", ErrCorrupt, len(rest), inline-1)
		}
		e.NewestValue, rest = rest, nil
	}
	if len(rest) > 0 || data[0] != entryVersion || e.Count == 0 || e.Oldest > e.Newest {
		return Entry{}, fmt.Errorf("%w: it contradicts itself", ErrCorrupt)
	}
	return e, nil
}

// Catalogue keeps the entries of all records in a bbolt bucket.
type Catalogue struct {
	bucket *bbolt.Bucket
}

// NewCatalogue returns the catalogue in bucket, valid as long as the bucket's transaction.
func NewCatalogue(bucket *bbolt.Bucket) *Catalogue { return &Catalogue{bucket: bucket} }

// Get returns a record's entry, and whether there is one.
func (c *Catalogue) Get(name string) (entry Entry, found bool, err error) {
	data := c.bucket.Get([]byte(name))
	if data == nil {
		return Entry{}, false, nil
	}
	entry, err = DecodeEntry([]byte(name), data)
	if err != nil {
		return Entry{}, false, fmt.Errorf("record %q: %w", name, err)
	}
	return entry, true, nil
}

// Put stores a record's entry. It keeps a copy of NewestValue.
func (c *Catalogue) Put(name string, entry *Entry) error {
	return c.bucket.Put([]byte(name), entry.append(nil, name))
}

// Delete removes a record's entry.
func (c *Catalogue) Delete(name string) error { return c.bucket.Delete([]byte(name)) }

// Reader reads the bucket that holds a catalogue, in the order of its keys.
type Reader interface {
	// Seek returns the first key that is not less than wanted, with its value; nil if there is none.
	Seek(wanted []byte) (key, value []byte, err error)
	// Next returns the key behind the last one returned; nil at the end.
	Next() (key, value []byte, err error)
}

// Cursor walks the names in a catalogue that start with a pattern's prefix.
type Cursor struct {
	reader  Reader
	pattern *Pattern
	from    string
	begun   bool
	done    bool
}

// NewCursor returns a cursor that visits the names that start with the pattern's prefix and are not less
// than from, in order. It seeks the first of them, and ends behind the last.
func NewCursor(reader Reader, pattern *Pattern, from string) *Cursor {
	return &Cursor{reader: reader, pattern: pattern, from: max(pattern.Prefix(), from)}
}

// Next returns the next name and its encoded entry, valid as long as what the reader returns, and whether
// the pattern matches it; nil at the end. Names that do not match are returned too, so that a caller can
// stop a long walk that finds nothing.
func (c *Cursor) Next() (name, data []byte, matches bool, err error) {
	if c.done {
		return nil, nil, false, nil
	}
	if c.begun {
		name, data, err = c.reader.Next()
	} else {
		name, data, err = c.reader.Seek([]byte(c.from))
		c.begun = true
	}
	if err != nil || name == nil || !c.within(name) {
		c.done = true
		return nil, nil, false, err
	}
	c.done = c.pattern.Exact()
	return name, data, c.pattern.acceptsAll() || c.pattern.accepts(string(name)), nil
}

// within reports whether names like this one can match.
func (c *Cursor) within(name []byte) bool {
	if c.pattern.Exact() {
		return string(name) == c.pattern.prefix
	}
	return strings.HasPrefix(string(name), c.pattern.prefix)
}

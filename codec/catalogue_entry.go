// SPDX-License-Identifier: Apache-2.0

package codec

import "encoding/binary"

const (
	catalogueEntryVersion = 1

	entryChecksumAt = 1
	entryFieldsAt   = 5

	// maxInlineValue is the length in bytes of the longest newest value that a catalogue entry
	// holds. Longer values would spread the names over more pages, and walking the names would cost
	// more than it saves.
	maxInlineValue = 256
)

// CatalogueEntry summarizes a record, so that a query can skip its chunks.
type CatalogueEntry struct {
	Count          uint64 // number of values, at least 1
	Bytes          uint64 // total length of their JSON
	Oldest, Newest uint64 // timestamps, Unix ms
	NewestSequence uint64 // of the newest value: among equal timestamps, the value that was stored last
	NewestValue    []byte // the newest value; nil if it is too long for the catalogue
}

// SetNewest sets the newest value. It keeps value, unless value is too long for the catalogue.
func (e *CatalogueEntry) SetNewest(timestamp, sequence uint64, value []byte) {
	e.Newest, e.NewestSequence, e.NewestValue = timestamp, sequence, nil
	if len(value) <= maxInlineValue {
		e.NewestValue = value
	}
}

// Append appends the encoding of the named record's entry to dst.
func (e *CatalogueEntry) Append(dst []byte, name string) []byte {
	start := len(dst)
	dst = append(dst, catalogueEntryVersion, 0, 0, 0, 0)
	for _, field := range []uint64{e.Count, e.Bytes, e.Oldest, e.Newest, e.NewestSequence} {
		dst = binary.AppendUvarint(dst, field)
	}
	if e.NewestValue == nil {
		dst = append(dst, 0)
	} else {
		dst = binary.AppendUvarint(dst, 1+uint64(len(e.NewestValue)))
		dst = append(dst, e.NewestValue...)
	}
	end := len(dst)
	dst = append(dst, name...) // for the checksum, which is of bytes
	entry := dst[start:end]
	binary.LittleEndian.PutUint32(entry[entryChecksumAt:], checksumAround(dst[end:], entry, entryChecksumAt))
	return dst[:end]
}

// DecodeCatalogueEntry decodes the named record's entry. Its NewestValue is a part of data.
func DecodeCatalogueEntry(name, data []byte) (CatalogueEntry, error) {
	if len(data) < entryFieldsAt {
		return CatalogueEntry{}, corruptf("a catalogue entry of %d bytes has no header", len(data))
	}
	if version := data[0]; version > catalogueEntryVersion {
		return CatalogueEntry{}, versionf("catalogue entry version %d, this program knows %d",
			version, catalogueEntryVersion)
	}
	want := binary.LittleEndian.Uint32(data[entryChecksumAt:])
	if got := checksumAround(name, data, entryChecksumAt); got != want {
		return CatalogueEntry{}, corruptf("the checksum of a catalogue entry is %08x; want %08x", got, want)
	}
	in := fieldReader{data: data[entryFieldsAt:]}
	e := CatalogueEntry{
		Count: in.uvarint(), Bytes: in.uvarint(),
		Oldest: in.uvarint(), Newest: in.uvarint(),
		NewestSequence: in.uvarint(),
	}
	if inline := in.uvarint(); inline > 0 {
		e.NewestValue = in.bytes(inline - 1)
	}
	switch {
	case in.failed:
		return CatalogueEntry{}, corruptf("a catalogue entry of %d bytes is cut off", len(data))
	case in.remaining() > 0:
		return CatalogueEntry{}, corruptf("a catalogue entry has %d bytes too many", in.remaining())
	case data[0] != catalogueEntryVersion || e.Count == 0 || e.Oldest > e.Newest:
		return CatalogueEntry{}, corruptf("a catalogue entry contradicts itself")
	}
	return e, nil
}

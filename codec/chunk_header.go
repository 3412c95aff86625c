// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"encoding/binary"
	"math"
)

const (
	chunkVersion       = 3
	placeKindsVersion  = 3 // the first version in which a place may have another kind of column than decimals
	oldestChunkVersion = 1

	encodingPlain     = 0
	encodingZstd      = 1
	encodingTemplates = 2
	encodingMembers   = 3

	headerChecksumAt = 2
	bodyChecksumAt   = 6
	headerFieldsAt   = 10

	// minColumnBytes is the number of bytes that one value takes at least in the three columns: a
	// varint in each.
	minColumnBytes = 3
	// maxBody is the length in bytes of the longest body that is written.
	maxBody = 128 << 20
)

// encodingsOf is the number of encodings that each version has.
var encodingsOf = [chunkVersion + 1]byte{1: 2, 2: 3, 3: 4}

// Header is the part of a chunk that can be read without decoding the values.
type Header struct {
	Count                    int    // number of values, at least 1
	First, Last              uint64 // timestamps
	MinSequence, MaxSequence uint64
	ValueBytes               uint64 // total length of the values

	columns  uint64 // total length of the columns before the values; 0 with templates
	version  byte
	encoding byte
	body     []byte
	// floatsPrevail says of a body that was just encoded that most of it is floats that hardly
	// repeat.
	floatsPrevail bool
	// textsPrevail says the same of the texts at one path, which were compressed already or are
	// random.
	textsPrevail bool
}

// IsOutdated reports whether the chunk has an older version than a chunk that is written today. If
// it is encoded again, it may be shorter.
func (h *Header) IsOutdated() bool { return h.version < chunkVersion }

// MaxTemplateBytes is the maximum number of bytes of JSON in a chunk of templates.
const MaxTemplateBytes = maxTemplateBytes

// headerOf returns the header of a chunk of entries, except for the encoding and the body.
func headerOf(entries []Entry) Header {
	h := Header{
		Count:       len(entries),
		First:       entries[0].Timestamp,
		Last:        entries[len(entries)-1].Timestamp,
		MinSequence: math.MaxUint64,
	}
	for _, e := range entries {
		h.MinSequence = min(h.MinSequence, e.Sequence)
		h.MaxSequence = max(h.MaxSequence, e.Sequence)
		h.ValueBytes += uint64(len(e.Value))
	}
	return h
}

// ReadHeader reads a chunk's header and verifies the header's checksum. It does not verify the
// body's checksum: Verify does, and so does every function that decodes the body.
func ReadHeader(key, chunk []byte) (Header, error) {
	_, first, _, err := SplitKey(key)
	if err != nil {
		return Header{}, err
	}
	if len(chunk) < headerFieldsAt {
		return Header{}, corruptf("a chunk of %d bytes has no header", len(chunk))
	}
	version, encoding := chunk[0], chunk[1]
	if version > chunkVersion {
		return Header{}, versionf("chunk version %d, this program knows %d", version, chunkVersion)
	}
	if version < oldestChunkVersion || encoding >= encodingsOf[version] {
		return Header{}, corruptf("chunk version %d with encoding %d", version, encoding)
	}
	in := fieldReader{data: chunk[headerFieldsAt:]}
	count, span, minSequence, sequences := in.uvarint(), in.uvarint(), in.uvarint(), in.uvarint()
	h := Header{
		First: first, Last: first + span,
		MinSequence: minSequence, MaxSequence: minSequence + sequences,
		ValueBytes: in.uvarint(), columns: in.uvarint(),
		version:  version,
		encoding: encoding,
		body:     in.rest(),
	}
	header := chunk[:len(chunk)-in.remaining()]
	want := binary.LittleEndian.Uint32(header[headerChecksumAt:])
	if got := checksumAround(key, header, headerChecksumAt); got != want {
		return Header{}, corruptf("the checksum of a chunk's header is %08x; want %08x", got, want)
	}
	if in.failed || h.Last < first || h.MaxSequence < minSequence || !h.isPlausible(count) {
		return Header{}, corruptf("a chunk's header contradicts itself")
	}
	h.Count = int(count)
	return h, nil
}

// isPlausible reports whether the body is long enough for the number and the length of the values,
// so that a few bytes cannot make a reader allocate many.
func (h *Header) isPlausible(count uint64) bool {
	if count == 0 || count > h.ValueBytes {
		return false
	}
	maxDecoded := uint64(len(h.body))
	switch h.encoding {
	case encodingTemplates, encodingMembers:
		return h.columns == 0 && count <= maxTemplateValues && h.ValueBytes <= maxTemplateBytes
	case encodingZstd:
		maxDecoded = maxDecompressedLen(len(h.body))
	case encodingPlain:
	default:
		return false
	}
	return h.ValueBytes <= maxDecoded && h.columns <= maxDecoded && h.bodyLen() <= maxDecoded &&
		count <= h.columns/minColumnBytes
}

// bodyLen returns the length of the body when it is not compressed.
func (h *Header) bodyLen() uint64 { return h.ValueBytes + h.columns }

// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	// skipZstdRatio is how many times shorter than the values a body of templates must be to be
	// taken without trying zstd.
	skipZstdRatio = 8
	// smallBody is the length in bytes up to which a body is not compressed. zstd needs
	// microseconds even for a short frame, and would save little.
	smallBody = 256
)

// AppendChunk appends the encoding of entries, which must be in order and not empty. The timestamp
// in the encoded key must be that of the first entry.
func (c *Coder) AppendChunk(dst, key []byte, entries []Entry) []byte {
	h := headerOf(entries)
	body, encoding := appendTemplateBody(getBytes(), entries, &h), byte(encodingTemplates)
	if len(body) == 0 || uint64(len(body)) > max(h.ValueBytes/skipZstdRatio, min(smallBody, h.ValueBytes)) {
		body, encoding = c.shortestBody(body, entries, &h)
	}
	defer putBytes(body)
	return appendHeaderAndBody(dst, key, &h, encoding, body)
}

// appendHeaderAndBody appends a chunk with an encoded body.
func appendHeaderAndBody(dst, key []byte, h *Header, encoding byte, body []byte) []byte {
	start := len(dst)
	dst = append(dst, chunkVersion, encoding, 0, 0, 0, 0, 0, 0, 0, 0)
	dst = binary.AppendUvarint(dst, uint64(h.Count))
	dst = binary.AppendUvarint(dst, h.Last-h.First)
	dst = binary.AppendUvarint(dst, h.MinSequence)
	dst = binary.AppendUvarint(dst, h.MaxSequence-h.MinSequence)
	dst = binary.AppendUvarint(dst, h.ValueBytes)
	dst = binary.AppendUvarint(dst, h.columns)
	header := dst[start:]
	binary.LittleEndian.PutUint32(header[bodyChecksumAt:], crc32.Checksum(body, Castagnoli))
	binary.LittleEndian.PutUint32(header[headerChecksumAt:], checksumAround(key, header, headerChecksumAt))
	return append(dst, body...)
}

// shortestBody returns the shortest of three bodies: templates, which is already encoded or empty
// if templates do not suit; plain; and zstd. It recycles the memory of the other two.
func (c *Coder) shortestBody(templates []byte, entries []Entry, h *Header) (body []byte, encoding byte) {
	plain := appendColumns(getBytes(), entries, h.MinSequence)
	columns := uint64(len(plain)) - h.ValueBytes
	body, encoding = plain, encodingPlain
	if len(plain) > smallBody {
		if framed := c.compress(getBytes(), plain); len(framed) < len(plain) {
			putBytes(plain)
			body, encoding = framed, encodingZstd
		} else {
			putBytes(framed)
		}
	}
	if len(templates) > 0 && len(templates) < len(body) {
		putBytes(body)
		return templates, encodingTemplates
	}
	putBytes(templates)
	h.columns = columns
	return body, encoding
}

// appendColumns appends a plain body: the timestamps, sequence numbers, lengths and values of
// entries.
func appendColumns(body []byte, entries []Entry, minSequence uint64) []byte {
	last := entries[0].Timestamp
	for _, e := range entries {
		body = binary.AppendUvarint(body, e.Timestamp-last)
		last = e.Timestamp
	}
	last = minSequence
	for _, e := range entries {
		body = binary.AppendVarint(body, int64(e.Sequence-last))
		last = e.Sequence
	}
	for _, e := range entries {
		body = binary.AppendUvarint(body, uint64(len(e.Value)))
	}
	for _, e := range entries {
		body = append(body, e.Value...)
	}
	return body
}

// Rekey returns a copy of an encoded chunk that is valid under another key of the same record and
// timestamp. If the header is damaged, it returns the error of ReadHeader. If the body is damaged,
// so is the body of the copy.
func Rekey(key, chunk, newKey []byte) ([]byte, error) {
	h, err := ReadHeader(key, chunk)
	if err != nil {
		return nil, err
	}
	rekeyed := append([]byte(nil), chunk...)
	header := rekeyed[:len(chunk)-len(h.body)]
	binary.LittleEndian.PutUint32(header[headerChecksumAt:], checksumAround(newKey, header, headerChecksumAt))
	return rekeyed, nil
}

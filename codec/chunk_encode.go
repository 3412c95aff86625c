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
	// skipZstdFloatsRatio is the same for a body that is mostly floats that hardly repeat. zstd
	// makes their digits no shorter than half.
	skipZstdFloatsRatio = 4
	// skipMembersRatio is the same for a body of templates that is taken without trying members.
	skipMembersRatio = 32
	// membersSkipZstdRatio is skipZstdRatio for a body of members. What zstd finds in such values
	// beside that is hardly worth its time.
	membersSkipZstdRatio = 6
	// fewTemplates is the number of templates up to which templates are tried before members.
	// Values with more are mostly shorter as members.
	fewTemplates = 4
	// smallBody is the length in bytes up to which a body is not compressed. zstd needs
	// microseconds even for a short frame, and would save little.
	smallBody = 256
)

// AppendChunk appends the encoding of entries, which must be in order and not empty. The timestamp
// in the encoded key must be that of the first entry.
func (c *Coder) AppendChunk(dst, key []byte, entries []Entry) []byte {
	h := headerOf(entries)
	body, encoding := c.appendAlike(getBytes(), entries, &h)
	if !h.isShort(body, encoding) {
		body, encoding = c.shortestBody(body, encoding, entries, &h)
	}
	defer putBytes(body)
	return appendHeaderAndBody(dst, key, &h, encoding, body)
}

// appendAlike appends the entries as a body of templates or of members. It appends nothing if the
// values are not alike.
func (c *Coder) appendAlike(dst []byte, entries []Entry, h *Header) (body []byte, encoding byte) {
	dst = appendTemplateBody(dst, entries, h, fewTemplates)
	if !h.membersMayPay(dst) {
		return dst, encodingTemplates
	}
	withMembers := *h
	members := c.appendMemberBody(getBytes(), entries, &withMembers)
	if len(members) > 0 && (len(dst) == 0 || len(members) < len(dst)) {
		putBytes(dst)
		*h = withMembers
		return members, encodingMembers
	}
	putBytes(members)
	if len(dst) == 0 {
		dst = appendTemplateBody(dst, entries, h, maxTemplates)
	}
	return dst, encodingTemplates
}

// isShort reports whether a body is so short that no other encoding needs to be tried.
func (h *Header) isShort(body []byte, encoding byte) bool {
	length, ratio := uint64(len(body)), uint64(skipZstdRatio)
	if encoding == encodingMembers {
		ratio = membersSkipZstdRatio
	}
	switch {
	case h.textsPrevail:
		ratio = 1
	case h.floatsPrevail:
		ratio = skipZstdFloatsRatio
	}
	return length > 0 && length <= max(h.ValueBytes/ratio, min(smallBody, h.ValueBytes))
}

// membersMayPay reports whether a body of members may be shorter than one of a few templates, which
// is encoded, or empty if these do not suit: if that has several templates, and there is enough to
// save. A body with one template has nothing but numbers that change.
func (h *Header) membersMayPay(templates []byte) bool {
	return len(templates) == 0 || uint64(len(templates)) > max(h.ValueBytes/skipMembersRatio, smallBody) &&
		templatesIn(templates, h.Count) > 1
}

// templatesIn returns the number of templates in a body of templates.
func templatesIn(body []byte, count int) uint64 {
	in := fieldReader{data: body}
	in.intColumn(count)
	in.intColumn(count)
	return in.uvarint()
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

// shortestBody returns the shortest of three bodies: one that is already encoded, or empty if the
// values are not alike; plain; and zstd. It recycles the memory of the other two.
func (c *Coder) shortestBody(alike []byte, alikeAs byte, entries []Entry, h *Header) (body []byte, encoding byte) {
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
	if len(alike) > 0 && len(alike) < len(body) {
		putBytes(body)
		return alike, alikeAs
	}
	putBytes(alike)
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

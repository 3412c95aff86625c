// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// templateTail is Tail for a body of templates. It returns false if the body is not valid.
func (o *Opened) templateTail(record []byte, n int) (key, tail []byte, ok bool) {
	h := &o.buffer.Header
	t := templateBodies.Get().(*templateBody)
	defer templateBodies.Put(t)
	defer t.forget()
	if !t.parse(h) || !t.timestampsAreValid(h) {
		return nil, nil, false
	}
	rest := Header{Count: h.Count - n, First: h.First + t.timestamps.at(n), Last: h.Last, ValueBytes: h.ValueBytes}
	if lowest, highest := t.sequenceOffsets(0, h.Count); lowest != 0 || highest != h.MaxSequence-h.MinSequence {
		return nil, nil, false
	}
	lowest, highest := t.sequenceOffsets(n, h.Count)
	rest.MinSequence, rest.MaxSequence = h.MinSequence+lowest, h.MinSequence+highest
	body := o.scratch[:0]
	defer func() { o.keepScratch(body) }()
	body = t.timestamps.appendTail(body, n, rest.First-h.First)
	body = t.sequences.appendTail(body, n, lowest)
	body = t.appendTemplateTails(body, n)
	dropped, ok := t.valuesLen(n)
	if rest.ValueBytes -= dropped; !ok || dropped > h.ValueBytes || uint64(rest.Count) > rest.ValueBytes {
		return nil, nil, false
	}
	bodyLen := len(body)
	body = appendKey(body, record, rest.First, 0)
	tailAt := len(body)
	body = appendHeaderAndBody(body, body[bodyLen:], &rest, encodingTemplates, body[:bodyLen])
	result := bytes.Clone(body[bodyLen:]) // one allocation for both
	keyLen := tailAt - bodyLen
	return result[:keyLen:keyLen], result[keyLen:], true
}

// timestampsAreValid reports whether the timestamps are in order and agree with the header.
func (t *templateBody) timestampsAreValid(h *Header) bool {
	if t.timestamps.growsSteadilyTo(h.Last - h.First) {
		return true
	}
	offsets := t.allocate(h.Count)
	t.timestamps.read(offsets, 0)
	return ascendTo(offsets, h.Last-h.First)
}

// ascendTo reports whether integers are in order, from 0 to last.
func ascendTo(offsets []uint64, last uint64) bool {
	before, sorted := uint64(0), true
	for _, offset := range offsets {
		sorted, before = sorted && before <= offset, offset
	}
	return sorted && offsets[0] == 0 && before == last
}

// sequenceOffsets returns the lowest and the highest sequence number of the values with an index
// from `from` to before `to`, each minus the lowest of the chunk.
func (t *templateBody) sequenceOffsets(from, to int) (lowest, highest uint64) {
	if t.sequences.growsSteadilyFrom0() {
		return t.sequences.at(from), t.sequences.at(to - 1)
	}
	offsets := t.allocate(to - from)
	t.sequences.read(offsets, from)
	return slices.Min(offsets), slices.Max(offsets)
}

// appendTemplateTails appends the templates that the values after the first n have, and their
// numbers.
func (t *templateBody) appendTemplateTails(dst []byte, n int) []byte {
	renumbered := make([]uint64, 0, maxTemplates)
	kept := uint64(0)
	for i := range t.templates {
		renumbered = append(renumbered, kept)
		if t.rowsBefore(n, i) < t.templates[i].rows {
			kept++
		}
	}
	dst = binary.AppendUvarint(dst, kept)
	if kept > 1 {
		templateOf := slices.Clone(t.templateOf[n:])
		for i := range templateOf {
			templateOf[i] = renumbered[templateOf[i]]
		}
		dst = appendIntColumn(dst, templateOf)
	}
	for i := range t.templates {
		stored, dropped := &t.templates[i], t.rowsBefore(n, i)
		if dropped == stored.rows {
			continue
		}
		dst = appendPieces(dst, stored.pieces)
		for i := range stored.places {
			dst = stored.places[i].appendTail(dst, dropped)
		}
	}
	return dst
}

// rowsBefore returns the number of values with a template among the first n.
func (t *templateBody) rowsBefore(n, template int) int {
	if t.templateOf == nil {
		return n
	}
	return countEqual(t.templateOf[:n], uint64(template))
}

// valuesLen returns the total length of the first n values. It returns false if the body is not
// valid.
func (t *templateBody) valuesLen(n int) (total uint64, ok bool) {
	if !t.readNumbers(0, n) {
		return 0, false
	}
	for i := range t.templates {
		stored := &t.templates[i]
		for _, piece := range stored.pieces {
			total += uint64(len(piece)) * uint64(stored.wanted)
		}
		for i := range stored.places {
			total += stored.places[i].textsLen()
		}
	}
	return total, true
}

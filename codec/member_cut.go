// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"encoding/binary"
	"slices"
)

// maxCutExcess is the number of bytes by which a tail of members may be longer than one and a half
// times its share of the body. A tail keeps all pieces and all forms. If these are most of it, it
// is encoded instead.
const maxCutExcess = 128

// memberCut cuts the first values off a body of members, column by column, without encoding the
// rest.
type memberCut struct {
	coder *Coder
	body  *memberBody

	total, dropped uint64 // length of the scalars, and of those that are cut off
}

// cutMembers returns the chunk of all values of an opened chunk of members except the first n, and
// its key. tail is nil if the values must be encoded instead: a template or a form would have no
// value, or the tail would be long.
func (c *Coder) cutMembers(o *Opened, record []byte, n int) (key, tail []byte, err error) {
	t := memberBodies.Get().(*memberBody)
	defer memberBodies.Put(t)
	defer t.forget()
	h := &o.buffer.Header
	timestamps, sequences := t.allocate(h.Count), t.allocate(h.Count)
	if !t.parse(h) || !t.readTimestamps(timestamps, h, 0) || !t.readSequences(sequences, h, 0) ||
		!t.readColumns(c, 0, h.Count) {
		return nil, nil, errMembers
	}
	rest := Header{
		Count: h.Count - n, First: timestamps[n], Last: h.Last,
		MinSequence: slices.Min(sequences[n:]), MaxSequence: slices.Max(sequences[n:]),
	}
	m := memberCut{coder: c, body: t}
	body := o.scratch[:0]
	defer func() { o.keepScratch(body) }()
	body = t.timestamps.appendTail(body, n, rest.First-h.First)
	body = t.sequences.appendTail(body, n, rest.MinSequence-h.MinSequence)
	body, ok := m.appendTemplates(body, h.Count, n)
	if ok {
		body, ok = m.appendColumns(body)
	}
	if !ok {
		return nil, nil, nil
	}
	if m.total != h.ValueBytes {
		return nil, nil, errMembers
	}
	rest.ValueBytes = m.total - m.dropped
	share := uint64(len(h.body)) * uint64(rest.Count) / uint64(h.Count)
	if uint64(len(body)) > share+share/2+maxCutExcess || !rest.takesMembers(body) {
		return nil, nil, nil
	}
	bodyLen := len(body)
	body = appendKey(body, record, rest.First, 0)
	keyLen := len(body) - bodyLen
	body = appendHeaderAndBody(body, body[bodyLen:], &rest, encodingMembers, body[:bodyLen])
	result := slices.Clone(body[bodyLen:])
	return result[:keyLen:keyLen], result[keyLen:], nil
}

// appendTemplates appends the pieces and the templates, counts their bytes, and finds how many
// scalars of each column are cut off. It returns false if a template has no value in the tail, or
// no text: such a body may have a value without a byte.
func (m *memberCut) appendTemplates(dst []byte, count, n int) ([]byte, bool) {
	t := m.body
	rows := t.rowsFrom(n, count)
	for i := range t.templates {
		length := uint64(t.templates[i].piecesLen())
		if rows[i] == 0 || length == 0 {
			return dst, false
		}
		m.total += length * uint64(t.templates[i].rows)
		m.dropped += length * uint64(t.templates[i].rows-rows[i])
	}
	dst = append(dst, t.beforeTemplates...)
	if t.templateOf != nil {
		dst = appendIntColumn(dst, slices.Clone(t.templateOf[n:]))
	}
	for i := range t.columns {
		t.columns[i].first, t.columns[i].wanted = 0, 0
	}
	t.countScalars(n, count)
	return append(dst, t.templateBytes...), true
}

// appendColumns appends the columns without the scalars that are cut off.
func (m *memberCut) appendColumns(dst []byte) (result []byte, ok bool) {
	for i := range m.body.columns {
		column := &m.body.columns[i]
		switch numbers := column.numbers; {
		case numbers != nil:
			m.addNumbers(numbers, column.first)
			dst = numbers.appendTail(dst, column.first)
		case column.texts.kind == placeForms:
			if dst, ok = m.appendForms(dst, &column.texts, column.first); !ok {
				return dst, false
			}
		default:
			dst = m.appendTexts(dst, &column.texts, column.first)
		}
	}
	return dst, true
}

// addNumbers counts the bytes of numbers, of which the first n are cut off.
func (m *memberCut) addNumbers(p *storedPlace, n int) {
	all := p.mantissas
	p.mantissas = all[:n]
	dropped := p.textsLen()
	p.mantissas = all[n:]
	m.total, m.dropped = m.total+dropped+p.textsLen(), m.dropped+dropped
}

// appendForms appends a column of forms without the first n texts. It returns false if one of the
// forms has numbers, and no text in the tail.
func (m *memberCut) appendForms(dst []byte, t *textColumn, n int) (result []byte, ok bool) {
	dst = append(append(dst, byte(placeForms)), t.formBytes...)
	if len(t.forms) > 1 {
		dst = t.indexes.appendTail(dst, n, 0)
	}
	var cut, all [maxForms]int // number of each form's texts
	cut[0], all[0] = n, t.count
	if t.wanted != nil {
		cut[0], all[0] = 0, 0
		for i, form := range t.wanted {
			all[form]++
			if i < n {
				cut[form]++
			}
		}
	}
	for i := range t.forms {
		form, length := &t.forms[i], 0
		if len(form.places) > 0 && cut[i] == all[i] {
			return dst, false
		}
		for p := range form.places {
			place := &form.places[p]
			length += int(place.piece.length)
			m.addNumbers(&place.numbers, cut[i])
			dst = place.numbers.appendTail(dst, cut[i])
		}
		length += int(form.last.length)
		m.total += uint64(length) * uint64(all[i])
		m.dropped += uint64(length) * uint64(cut[i])
	}
	return dst, true
}

// appendTexts appends a column of texts that follow one another, or of digits, without the first n.
func (m *memberCut) appendTexts(dst []byte, t *textColumn, n int) []byte {
	cut, bits := t.lengthOf(n)
	rest := t.total - cut
	m.total, m.dropped = m.total+uint64(t.total), m.dropped+uint64(cut)
	kind, texts := t.kind, t.texts
	if kind == placeZstd {
		if texts = m.coder.compress(getBytes(), t.texts[cut:t.total]); len(texts) >= rest-rest/16 {
			kind = placeTexts
		}
		defer putBytes(texts)
	}
	dst = t.lengths.appendTail(append(dst, byte(kind)), n, 0)
	dst = binary.AppendUvarint(dst, uint64(rest))
	switch kind {
	case placeZstd:
		return append(binary.AppendUvarint(dst, uint64(len(texts))), texts...)
	case placeDigits:
		dst = append(binary.AppendUvarint(dst, uint64(len(t.pattern))), t.pattern...)
		_, all := t.lengthOf(t.count)
		dst = binary.AppendUvarint(dst, uint64((all-bits+7)/8))
		return appendBits(dst, t.stored, bits, all-bits)
	}
	return append(dst, t.texts[cut:t.total]...)
}

// lengthOf returns the length of the first n texts, and the number of bits of their digits.
func (t *textColumn) lengthOf(n int) (length, bits int) {
	if n == 0 {
		return 0, 0
	}
	if t.kind != placeDigits {
		return int(t.wanted[n-1]), 0
	}
	last, each := -1, 0 // a text of length last has that many bits
	for _, wanted := range t.wanted[:n] {
		if int(wanted) != last {
			last = int(wanted)
			each, _ = t.pattern.bits(last) // read has verified it
		}
		length, bits = length+last, bits+each
	}
	return length, bits
}

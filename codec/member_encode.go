// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// appendMemberBody appends the entries as a body of members. It appends nothing if the values are
// not alike.
func (c *Coder) appendMemberBody(dst []byte, entries []Entry, h *Header) []byte {
	if h.Count < 2 || h.Count > maxTemplateValues || h.ValueBytes > maxTemplateBytes {
		return dst
	}
	f := memberFinders.Get().(*memberFinder)
	defer f.release()
	for i := range entries {
		if !f.add(entries[i].Value) {
			return dst
		}
	}
	return f.appendBody(c, dst, entries, h)
}

// appendBody appends a body as the package documentation draws it. It appends nothing if the
// numbers at some path do not have one style.
func (f *memberFinder) appendBody(c *Coder, dst []byte, entries []Entry, h *Header) []byte {
	for i := range f.columns {
		column := &f.columns[i]
		column.isConstant = !column.isNumber && allEqual(column.texts)
	}
	f.rows = slices.Grow(f.rows[:0], len(entries))[:len(entries)]
	f.floats.noise, f.texts.largest = 0, 0
	body := appendTimestampsAndSequences(dst, f.rows, entries, h)
	body = f.appendTemplates(body)
	for i := range f.columns {
		column := &f.columns[i]
		switch {
		case column.isConstant:
		case column.isNumber:
			var ok bool
			if body, ok = column.numbers.appendShortest(body, &f.floats); !ok {
				return dst
			}
		default:
			body = f.texts.appendColumn(c, body, column.texts)
		}
	}
	h.floatsPrevail, h.textsPrevail = f.floats.isMostOf(body), f.texts.prevailIn(body)
	return body
}

// allEqual reports whether all texts are equal.
func allEqual(texts [][]byte) bool {
	for _, text := range texts[1:] {
		if !bytes.Equal(text, texts[0]) {
			return false
		}
	}
	return true
}

// appendTemplates appends the pieces, and the templates, which consist of pieces and columns.
func (f *memberFinder) appendTemplates(dst []byte) []byte {
	stored, columns := make([]int, len(f.columns)), 0 // index of each column in the body
	for i := range f.columns {
		if stored[i] = columns; !f.columns[i].isConstant {
			columns++
		}
	}
	pieces := pieceTable{byText: map[string]uint64{}}
	var templates []byte
	for i := range f.templates {
		templates = f.appendTemplate(templates, &f.templates[i], &pieces, stored)
	}
	dst = pieces.append(dst)
	dst = binary.AppendUvarint(dst, uint64(columns))
	dst = binary.AppendUvarint(dst, uint64(len(f.templates)))
	if len(f.templates) > 1 {
		dst = appendIntColumn(dst, f.templateOf)
	}
	return append(dst, templates...)
}

// appendTemplate appends the number of a template's places, and its pieces and columns in turn.
func (f *memberFinder) appendTemplate(dst []byte, t *memberTemplate, pieces *pieceTable, stored []int) []byte {
	places := uint64(0)
	for _, column := range t.columns {
		if !f.columns[column].isConstant {
			places++
		}
	}
	dst = binary.AppendUvarint(dst, places)
	place, piece := 0, []byte(nil)
	for _, b := range t.skeleton {
		if b > maxMark {
			piece = append(piece, b)
			continue
		}
		column := t.columns[place]
		place++
		if f.columns[column].isConstant {
			piece = append(piece, f.columns[column].texts[0]...)
			continue
		}
		dst = binary.AppendUvarint(dst, pieces.index(piece))
		dst = binary.AppendUvarint(dst, uint64(stored[column]))
		piece = piece[:0]
	}
	return binary.AppendUvarint(dst, pieces.index(piece))
}

// pieceTable holds each piece of the templates once.
type pieceTable struct {
	byText map[string]uint64
	bytes  []byte // the pieces, each after its length
}

func (p *pieceTable) index(piece []byte) uint64 {
	known, ok := p.byText[string(piece)]
	if !ok {
		known = uint64(len(p.byText))
		p.byText[string(piece)] = known
		p.bytes = binary.AppendUvarint(p.bytes, uint64(len(piece)))
		p.bytes = append(p.bytes, piece...)
	}
	return known
}

func (p *pieceTable) append(dst []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(p.byText))), p.bytes...)
}

// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"encoding/binary"
)

const (
	// maxForms is the number of forms of the texts at one path.
	maxForms = 256
	// minZstdTexts is the number of bytes of texts that are compressed at least.
	minZstdTexts = 256
)

// textForm is a text, or what some texts have in common: the text around their numbers.
type textForm struct {
	pieces  [][]byte // one more than there are numbers
	numbers []numberColumn
}

// textEncoder encodes columns of texts. It is reused for one column after another.
type textEncoder struct {
	forms    []textForm
	formOf   []uint64 // index of each text's form
	byText   map[string]int
	skeleton []byte
	pieces   [][]byte // of the current text
	found    []number
	lengths  []uint64
	scratch  [2][]byte
}

func (e *textEncoder) forget() {
	e.reset()
	clear(e.pieces[:cap(e.pieces)])
}

// reset drops the forms, and keeps their memory.
func (e *textEncoder) reset() {
	for i := range e.forms {
		clear(e.forms[i].pieces)
	}
	if e.byText == nil {
		e.byText = map[string]int{}
	}
	clear(e.byText)
	e.forms, e.formOf = e.forms[:0], e.formOf[:0]
}

// appendColumn appends a column of texts in the shortest of the encodings that the package
// documentation draws.
func (e *textEncoder) appendColumn(c *Coder, dst []byte, texts [][]byte) []byte {
	start, best := len(dst), -1
	e.reset()
	numbered := false
	if e.addWhole(texts) {
		dst = e.appendForms(dst)
		best = len(dst) - start
		for i := range e.forms {
			numbered = numbered || hasDigit(e.forms[i].pieces[0])
		}
		if len(e.forms) <= 4 {
			numbered = false
		}
	} else {
		numbered = true
	}
	if numbered {
		e.reset()
		if e.addSplit(texts) {
			if split := e.appendForms(e.scratch[0][:0]); len(split) > 0 {
				e.scratch[0] = split
				if best < 0 || len(split) < best {
					dst = append(dst[:start], split...)
					best = len(split)
				}
			}
		}
	}
	total := 0
	for _, text := range texts {
		total += len(text)
	}
	if best >= 0 && best < total/4 {
		return dst
	}
	raw := e.appendTexts(c, e.scratch[0][:0], texts, total)
	e.scratch[0] = raw
	if best < 0 || len(raw) < best {
		dst = append(dst[:start], raw...)
	}
	return dst
}

func hasDigit(text []byte) bool { return bytes.ContainsAny(text, "0123456789") }

// addWhole adds the texts as forms without numbers. It returns false if there are too many.
func (e *textEncoder) addWhole(texts [][]byte) bool {
	for _, text := range texts {
		form, ok := e.byText[string(text)]
		if !ok {
			if len(e.forms) == maxForms {
				return false
			}
			form = len(e.forms)
			e.byText[string(text)] = form
			e.pieces = append(e.pieces[:0], text)
			e.addForm()
		}
		e.formOf = append(e.formOf, uint64(form))
	}
	return true
}

// addSplit adds the texts as forms with numbers. It returns false if there are too many.
func (e *textEncoder) addSplit(texts [][]byte) bool {
	for row, text := range texts {
		e.pieces, e.found = splitAtNumbers(text, e.pieces[:0], e.found[:0])
		e.skeleton = e.skeleton[:0]
		for _, piece := range e.pieces {
			e.skeleton = append(append(e.skeleton, piece...), numberMark)
		}
		form, ok := e.byText[string(e.skeleton)]
		if !ok {
			// Texts such as random identifiers hardly ever have one form.
			if len(e.forms) == maxForms || len(e.forms) > 16 && 2*len(e.forms) > row {
				return false
			}
			form = len(e.forms)
			e.byText[string(e.skeleton)] = form
			e.addForm()
		}
		e.formOf = append(e.formOf, uint64(form))
		for i := range e.found {
			e.forms[form].numbers[i].add(&e.found[i])
		}
	}
	return true
}

// addForm adds the form that consists of e.pieces.
func (e *textEncoder) addForm() {
	e.forms = extend(e.forms)
	added := &e.forms[len(e.forms)-1]
	added.pieces = append(added.pieces[:0], e.pieces...)
	added.numbers = added.numbers[:0]
	for range len(e.pieces) - 1 {
		added.numbers = extend(added.numbers)
		added.numbers[len(added.numbers)-1].reset()
	}
}

// appendForms appends the forms, the form of each text, and the numbers in the forms. It appends
// nothing if the numbers at some place do not have one style.
func (e *textEncoder) appendForms(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, byte(placeForms))
	dst = binary.AppendUvarint(dst, uint64(len(e.forms)))
	for i := range e.forms {
		dst = appendPieces(dst, e.forms[i].pieces)
	}
	if len(e.forms) > 1 {
		dst = appendIntColumn(dst, e.formOf)
	}
	for i := range e.forms {
		form := &e.forms[i]
		for place := range form.numbers {
			style, ok := form.numbers[place].align()
			if !ok {
				return dst[:start]
			}
			dst = style.append(dst)
			dst = appendIntColumn(dst, form.numbers[place].mantissas)
		}
	}
	return dst
}

// appendTexts appends the lengths of the texts, and the texts, compressed if that pays.
func (e *textEncoder) appendTexts(c *Coder, dst []byte, texts [][]byte, total int) []byte {
	e.lengths = e.lengths[:0]
	all := e.scratch[1][:0]
	for _, text := range texts {
		e.lengths = append(e.lengths, uint64(len(text)))
		all = append(all, text...)
	}
	e.scratch[1] = all
	kind, framed := placeTexts, all
	if total >= minZstdTexts {
		framed = c.compress(getBytes(), all)
		defer putBytes(framed)
		if len(framed) < total-total/16 {
			kind = placeZstd
		} else {
			framed = all
		}
	}
	dst = append(dst, byte(kind))
	dst = appendIntColumn(dst, e.lengths)
	dst = binary.AppendUvarint(dst, uint64(total))
	if kind == placeZstd {
		dst = binary.AppendUvarint(dst, uint64(len(framed)))
	}
	return append(dst, framed...)
}

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
	digits   digitEncoder
	lengths  []uint64
	all      []byte // the texts one after another

	best, other []byte // encoded columns
	largest     int    // length of the longest encoded column of texts that zstd makes no shorter
}

func (e *textEncoder) forget() {
	e.reset()
	e.pieces, e.found = cleared(e.pieces), cleared(e.found)
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
// documentation draws. It does not try those that can hardly be the shortest.
func (e *textEncoder) appendColumn(c *Coder, dst []byte, texts [][]byte) []byte {
	total := 0
	for _, text := range texts {
		total += len(text)
	}
	best := e.appendDictionary(e.best[:0], texts)
	mayHaveNumbers := len(best) == 0 || len(e.forms) > fewForms && e.formsHaveDigits()
	if len(best) > 0 && len(best) <= total/goodTextRatio && !mayHaveNumbers {
		e.best = best
		return append(dst, best...)
	}
	if mayHaveNumbers {
		best = e.shorter(best, e.appendSplit(e.other[:0], texts))
	}
	if bits, ok := e.digits.find(texts); ok && (len(best) == 0 || bits/8 < len(best)) {
		best = e.shorter(best, e.appendDigits(e.other[:0], texts, total, bits))
	}
	isRandom := len(best) > 0 && placeKind(best[0]) == placeDigits && !e.digits.isOrderly
	if len(best) == 0 || len(best) > total/goodTextRatio && !isRandom {
		best = e.shorter(best, e.appendTexts(c, e.other[:0], texts, total))
	}
	if isRandom || placeKind(best[0]) == placeZstd {
		e.largest = max(e.largest, len(best))
	}
	e.best = best
	return append(dst, best...)
}

// prevailIn reports whether a column of texts that zstd makes no shorter is two thirds of a body.
// Then compressing the values as a whole finds hardly more.
func (e *textEncoder) prevailIn(body []byte) bool { return 3*e.largest > 2*len(body) }

const (
	// fewForms is the number of texts that are not looked at for numbers, because the texts
	// themselves take so little.
	fewForms = 4
	// goodTextRatio is how many times shorter than the texts a column must be for the texts not to
	// be compressed.
	goodTextRatio = 4
)

// shorter returns the shorter of two columns, of which the second is in e.other, and either may be
// empty. It keeps the memory of the other one in e.other.
func (e *textEncoder) shorter(best, other []byte) []byte {
	if len(other) == 0 || len(best) > 0 && len(best) <= len(other) {
		e.other = other
		return best
	}
	e.other = best
	return other
}

// appendDictionary appends the texts as forms without numbers. It appends nothing if there are too
// many.
func (e *textEncoder) appendDictionary(dst []byte, texts [][]byte) []byte {
	if e.reset(); !e.addWhole(texts) {
		return dst
	}
	return e.appendForms(dst)
}

// appendSplit appends the texts as forms with numbers. It appends nothing if there are too many.
func (e *textEncoder) appendSplit(dst []byte, texts [][]byte) []byte {
	if e.reset(); !e.addSplit(texts) {
		return dst
	}
	return e.appendForms(dst)
}

// formsHaveDigits reports whether a form without numbers has a digit.
func (e *textEncoder) formsHaveDigits() bool {
	for i := range e.forms {
		if hasDigit(e.forms[i].pieces[0]) {
			return true
		}
	}
	return false
}

func hasDigit(text []byte) bool { return bytes.ContainsAny(text, "0123456789") }

// addWhole adds the texts as forms without numbers. It returns false if there are too many.
func (e *textEncoder) addWhole(texts [][]byte) bool {
	var recent [64]uint16 // number of a form that was found with each hash; 0 if there was none
	for row, text := range texts {
		hash := cheapHash(text) % uint32(len(recent))
		form := int(recent[hash]) - 1
		if form < 0 || !bytes.Equal(text, e.forms[form].pieces[0]) {
			var ok bool
			if form, ok = e.byText[string(text)]; !ok {
				// Random identifiers hardly ever repeat.
				if len(e.forms) == maxForms || len(e.forms) == maxForms/2 && row < maxForms*5/8 {
					return false
				}
				form = len(e.forms)
				e.byText[string(text)] = form
				e.pieces = append(e.pieces[:0], text)
				e.addForm()
			}
			recent[hash] = uint16(form + 1)
		}
		e.formOf = append(e.formOf, uint64(form))
	}
	return true
}

// cheapHash returns a hash of a few bytes of a text. A map's hash of all bytes takes more time.
func cheapHash(text []byte) uint32 {
	if len(text) == 0 {
		return 0
	}
	first, middle, last := text[0], text[len(text)/2], text[len(text)-1]
	return (uint32(first) | uint32(middle)<<8 | uint32(last)<<16 | uint32(len(text))<<24) * 0x9e3779b9 >> 16
}

// addSplit adds the texts as forms with numbers. It returns false if there are too many.
func (e *textEncoder) addSplit(texts [][]byte) bool {
	for row, text := range texts {
		e.pieces, e.found = splitAtNumbers(text, withoutExponent, e.pieces[:0], e.found[:0])
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

// appendDigits appends texts of digits, which have a number of bits.
func (e *textEncoder) appendDigits(dst []byte, texts [][]byte, total, bits int) []byte {
	dst = e.appendLengths(append(dst, byte(placeDigits)), texts, total)
	return e.digits.append(dst, texts, bits)
}

// appendLengths appends the length of each text, and of all of them.
func (e *textEncoder) appendLengths(dst []byte, texts [][]byte, total int) []byte {
	e.lengths = e.lengths[:0]
	for _, text := range texts {
		e.lengths = append(e.lengths, uint64(len(text)))
	}
	return binary.AppendUvarint(appendIntColumn(dst, e.lengths), uint64(total))
}

// appendTexts appends the lengths of the texts, and the texts, compressed if that pays.
func (e *textEncoder) appendTexts(c *Coder, dst []byte, texts [][]byte, total int) []byte {
	e.all = e.all[:0]
	for _, text := range texts {
		e.all = append(e.all, text...)
	}
	if total >= minZstdTexts {
		frame := c.compress(getBytes(), e.all)
		defer putBytes(frame)
		if len(frame) < total-total/16 {
			dst = e.appendLengths(append(dst, byte(placeZstd)), texts, total)
			dst = binary.AppendUvarint(dst, uint64(len(frame)))
			return append(dst, frame...)
		}
	}
	dst = e.appendLengths(append(dst, byte(placeTexts)), texts, total)
	return append(dst, e.all...)
}

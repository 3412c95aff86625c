// SPDX-License-Identifier: Apache-2.0

package codec

import "slices"

// textColumn is a parsed column of texts: either forms and the index of each text's form, or texts
// one after another.
type textColumn struct {
	kind  placeKind
	count int // number of texts

	forms     []storedForm
	formBytes []byte    // their number, and their pieces
	indexes   intColumn // of each text's form; not set if there is only one form
	formOf    []uint64  // the same, read, if the forms have numbers

	lengths intColumn
	total   int    // length of the texts
	stored  []byte // the texts, their frame, or their digits
	pattern digitPattern

	// wanted is, for each wanted text: the index of its form; nil if there is only one form. Or
	// where it ends in texts. Or its length in digits.
	wanted   []uint64
	refs     []uint64 // the packed pieceRef of each wanted text; only of forms without numbers
	texts    []byte
	unpacked []byte // memory for texts
	bit      int    // where the digits start of the text that is written next
	runs     []digitRun
}

// storedForm is what some texts have in common, and the numbers between its pieces.
type storedForm struct {
	places []formPlace
	last   pieceRef // the piece after the last place
	rows   int      // number of the texts that have this form
	before int      // number of these before the wanted texts
	wanted int      // number of these among the wanted texts
	next   int      // index, among the wanted ones, of the text that is written next
}

// formPlace is a place of a form: the piece before it, and its numbers.
type formPlace struct {
	piece   pieceRef
	numbers storedPlace
}

// maxKeptTexts is the number of bytes of texts whose memory is kept for the next chunk.
const maxKeptTexts = 64 << 10

// forget drops all references to the body.
func (t *textColumn) forget() {
	for i := range t.forms {
		for place := range t.forms[i].places {
			t.forms[i].places[place].numbers.forget()
		}
	}
	if cap(t.unpacked) > maxKeptTexts {
		t.unpacked = nil
	}
	*t = textColumn{forms: t.forms[:0], unpacked: t.unpacked, runs: t.runs[:0]}
}

// scalarBudget is what the length of the values allows a body to have.
type scalarBudget struct {
	scalars int // integers in all columns
	texts   int // bytes of texts that follow one another
}

// parse takes a column of texts off the front, whose kind is one of texts.
func (t *textColumn) parse(in *fieldReader, count int, budget *scalarBudget, body *memberBody) bool {
	if t.kind, t.count = placeKind(in.bytes(1)[0]), count; t.kind == placeForms {
		return t.parseForms(in, budget, body)
	}
	return t.parseTexts(in, budget)
}

func (t *textColumn) parseTexts(in *fieldReader, budget *scalarBudget) bool {
	t.lengths = in.intColumn(t.count)
	total := in.uvarint()
	if in.failed || total > uint64(budget.texts) {
		return false
	}
	t.total, budget.texts = int(total), budget.texts-int(total)
	switch t.kind {
	case placeZstd:
		t.stored = in.bytes(in.uvarint())
		return !in.failed && uint64(t.total) <= maxDecompressedLen(len(t.stored))
	case placeDigits:
		t.pattern = in.bytes(in.uvarint())
		t.stored = in.bytes(in.uvarint())
		return !in.failed && t.pattern.isValid()
	}
	t.stored = in.bytes(total)
	return !in.failed
}

// minFormPlace is the length in bytes of the shortest place of a form: of an empty piece, the style
// of the numbers, and integers of no bits.
const minFormPlace = 1 + 3 + 2

func (t *textColumn) parseForms(in *fieldReader, budget *scalarBudget, body *memberBody) bool {
	stored := in.rest()
	n := in.uvarint()
	if n == 0 || n > maxForms || n > uint64(in.remaining()) {
		return false
	}
	t.forms = slices.Grow(t.forms[:0], int(n))[:n]
	places := uint64(0) // of all forms; each has a number in at least one text
	for i := range t.forms {
		form := &t.forms[i]
		n := in.uvarint()
		if places += n; n > uint64(in.remaining()/minFormPlace) || places > uint64(budget.scalars) {
			return false
		}
		form.places = form.places[:0]
		for range n {
			form.places = withOneMore(form.places)
			form.places[len(form.places)-1].piece = body.texts.add(in.bytes(in.uvarint()))
		}
		form.last = body.texts.add(in.bytes(in.uvarint()))
	}
	t.formBytes = stored[:len(stored)-in.remaining()]
	if n > 1 {
		t.indexes = in.intColumn(t.count)
	}
	if in.failed || places == 0 {
		return !in.failed
	}
	return t.countForms(&body.bodyColumns) && t.parseNumbers(in, budget, body.version)
}

// countForms reads the form of each text, and counts the texts of each form.
func (t *textColumn) countForms(memory *bodyColumns) bool {
	if len(t.forms) == 1 {
		t.forms[0].rows = t.count
		return true
	}
	for i := range t.forms {
		t.forms[i].rows = 0
	}
	t.formOf = memory.allocate(t.count)
	t.indexes.read(t.formOf, 0)
	for _, form := range t.formOf {
		if form >= uint64(len(t.forms)) {
			return false
		}
		t.forms[form].rows++
	}
	return true
}

// parseNumbers takes the columns of the numbers in the forms off the front.
func (t *textColumn) parseNumbers(in *fieldReader, budget *scalarBudget, version byte) bool {
	for i := range t.forms {
		form := &t.forms[i]
		if form.rows > 0 && len(form.places) > budget.scalars/form.rows { // the product may overflow
			return false
		}
		budget.scalars -= form.rows * len(form.places)
		for place := range form.places {
			if in.place(&form.places[place].numbers, form.rows, version); in.failed {
				return false
			}
		}
	}
	return true
}

// read reads wanted texts, of which the first has the index from. There must be at least one.
func (t *textColumn) read(c *Coder, memory *bodyColumns, from, wanted int) bool {
	if t.kind == placeForms {
		return t.readForms(memory, from, wanted)
	}
	if length, ok := t.lengths.constant(); ok {
		return t.readEquallyLong(c, memory, length, from, wanted)
	}
	lengths, total := memory.allocate(from+wanted), uint64(0)
	t.lengths.read(lengths, 0)
	for _, length := range lengths {
		if length > uint64(t.total)-total {
			return false
		}
		total += length
	}
	if from+wanted == t.count && total != uint64(t.total) {
		return false
	}
	if t.kind == placeDigits {
		return t.readDigits(lengths, from)
	}
	start := uint64(0)
	for _, length := range lengths[:from] {
		start += length
	}
	return t.readTexts(c, lengths[from:], start)
}

// readEquallyLong is read for texts of one length.
func (t *textColumn) readEquallyLong(c *Coder, memory *bodyColumns, length uint64, from, wanted int) bool {
	if length > uint64(t.total) || length*uint64(t.count) != uint64(t.total) {
		return false
	}
	lengths := memory.allocate(wanted)
	for i := range lengths {
		lengths[i] = length
	}
	if t.kind != placeDigits {
		return t.readTexts(c, lengths, uint64(from)*length)
	}
	bits, ok := t.pattern.bits(int(length))
	t.bit, t.wanted, t.runs = from*bits, lengths, t.pattern.appendRuns(t.runs[:0], len(t.pattern))
	return ok && (t.count*bits+7)/8 == len(t.stored)
}

// readTexts is read for texts that follow one another. It is given the lengths of the wanted ones,
// which it overwrites, and where the first of them starts.
func (t *textColumn) readTexts(c *Coder, lengths []uint64, start uint64) bool {
	if t.texts = t.stored; t.kind == placeZstd {
		var err error
		if t.unpacked, err = c.decompress(t.unpacked, t.stored, t.total); err != nil || len(t.unpacked) != t.total {
			return false
		}
		t.texts = t.unpacked
	}
	end := uint64(0)
	for i, length := range lengths {
		end += length
		lengths[i] = end
	}
	t.texts, t.wanted = t.texts[start:], lengths
	return true
}

// readDigits is read for texts of digits, whose lengths up to the last wanted one are given.
func (t *textColumn) readDigits(lengths []uint64, from int) bool {
	bit, bits, of := 0, 0, uint64(0) // a text of length `of` has that many bits
	for i, length := range lengths {
		if i == from {
			t.bit = bit
		}
		if length != of || i == 0 {
			var ok bool
			if bits, ok = t.pattern.bits(int(length)); !ok {
				return false
			}
			of = length
		}
		bit += bits
	}
	t.wanted, t.runs = lengths[from:], t.pattern.appendRuns(t.runs[:0], len(t.pattern))
	if len(lengths) < t.count {
		return bit <= 8*len(t.stored)
	}
	return (bit+7)/8 == len(t.stored)
}

// readForms is read for forms.
func (t *textColumn) readForms(memory *bodyColumns, from, wanted int) bool {
	switch {
	case len(t.forms) == 1:
		t.wanted, t.forms[0].before, t.forms[0].wanted = nil, from, wanted
	case t.formOf == nil:
		t.wanted, t.refs = memory.allocate(wanted), memory.allocate(wanted)
		t.indexes.read(t.wanted, from)
		return t.findRefs()
	default:
		t.countWanted(from, wanted)
	}
	for i := range t.forms {
		form := &t.forms[i]
		form.next = 0
		for place := range form.places {
			if !form.places[place].numbers.read(memory, form.before, form.wanted) {
				return false
			}
		}
	}
	return true
}

// findRefs finds the text of each wanted index of a form. It returns false if there is no such
// form.
func (t *textColumn) findRefs() bool {
	for i, form := range t.wanted {
		if form >= uint64(len(t.forms)) {
			return false
		}
		t.refs[i] = t.forms[form].last.pack()
	}
	return true
}

// countWanted counts the texts of each form before the wanted ones, and among these.
func (t *textColumn) countWanted(from, wanted int) {
	for i := range t.forms {
		t.forms[i].before, t.forms[i].wanted = 0, 0
	}
	for _, form := range t.formOf[:from] {
		t.forms[form].before++
	}
	t.wanted = t.formOf[from : from+wanted]
	for _, form := range t.wanted {
		t.forms[form].wanted++
	}
}

// write writes the wanted text with an index, which must be the next, to dst from the index at on,
// and returns the index of its end. It returns -1 if dst has not enough room for it and for
// memberSlack.
func (t *textColumn) write(dst []byte, at, next int, pieces *pieceArena) (end int) {
	switch t.kind {
	case placeTexts, placeZstd:
		return t.writeText(dst, at, next)
	case placeDigits:
		return t.writeDigits(dst, at, next)
	}
	if t.refs != nil {
		return pieces.write(dst, at, unpackRef(t.refs[next]))
	}
	form := &t.forms[0]
	if t.wanted != nil {
		form = &t.forms[t.wanted[next]]
	}
	if len(form.places) > 0 {
		if at = form.writeNumbers(dst, at, pieces); at < 0 {
			return -1
		}
	}
	return pieces.write(dst, at, form.last)
}

// writeNumbers writes the form's next wanted text, except for the last piece.
func (f *storedForm) writeNumbers(dst []byte, at int, pieces *pieceArena) (end int) {
	next := f.next
	f.next++
	for i := range f.places {
		place := &f.places[i]
		if at = pieces.write(dst, at, place.piece); at < 0 {
			return -1
		}
		at = place.numbers.writeNext(dst, at, next)
	}
	return at
}

// writeText is write for texts that follow one another.
func (t *textColumn) writeText(dst []byte, at, next int) (end int) {
	from := uint64(0)
	if next > 0 {
		from = t.wanted[next-1]
	}
	text := t.texts[from:t.wanted[next]]
	if len(dst)-at-len(text) < memberSlack {
		return -1
	}
	return at + copy(dst[at:], text)
}

// writeDigits is write for texts of digits.
func (t *textColumn) writeDigits(dst []byte, at, next int) (end int) {
	if end = at + int(t.wanted[next]); len(dst)-end < memberSlack {
		return -1
	}
	for _, run := range t.runs {
		if len(t.pattern) == 1 {
			run.to = end - at
		}
		text := dst[at+run.from:]
		if run.alphabet == 0 {
			copy(text, t.pattern[run.from:run.to])
			continue
		}
		run.write(text, t.stored, t.bit)
		t.bit += (run.to - run.from) * int(digitBits[run.alphabet])
	}
	return end
}

// SPDX-License-Identifier: Apache-2.0

package codec

// The first byte of a place says which kind of column the place has. A kind up to maxNumberDigits
// is a column of decimals, and the first byte of their numberStyle.
const (
	placeFloats placeKind = 0x80

	// In a body of members alone.
	placeForms  placeKind = 0x81 // forms, the index of each text's form, and the numbers in the forms
	placeTexts  placeKind = 0x82 // the texts one after another
	placeZstd   placeKind = 0x83 // the same as a zstd frame
	placeDigits placeKind = 0x84 // identifiers that consist of digits of an alphabet
)

type placeKind byte

func (k placeKind) isDecimals() bool { return 1 <= k && k <= maxNumberDigits }

func (k placeKind) isTexts() bool { return placeForms <= k && k <= placeDigits }

// storedPlace is a place in a stored template, where each value has a text of its own.
type storedPlace struct {
	style     numberStyle   // of decimals
	floats    *storedFloats // nil for decimals
	memory    *storedFloats // for floats, of this chunk or a later one
	column    intColumn
	mantissas []uint64 // numbers of the wanted values; of floats, their bits
	length    int      // of each of these numbers as text, if they are equally long
	repeats   bool     // it is worth comparing each number with the one before
	last      textSpan // the text that writeNext wrote last
}

// place takes a place of a template off the front into p, whose column has as many integers as
// rows. It fails if the version of the chunk has no such kind of column.
func (r *fieldReader) place(p *storedPlace, rows int, version byte) {
	if p.floats, p.mantissas = nil, nil; r.remaining() == 0 {
		r.failed = true
		return
	}
	switch kind := placeKind(r.data[r.at]); {
	case kind.isDecimals():
		p.style = r.numberStyle()
		r.failed = r.failed || !p.style.isValid()
		r.readIntColumn(&p.column, rows)
		p.repeats = p.column.form == tagRuns
	case kind == placeFloats && version >= placeKindsVersion:
		r.floatPlace(p, rows)
		p.repeats = true // because the digits of a float take long to find
	default:
		r.failed = true
	}
}

// forget drops all references to the body.
func (p *storedPlace) forget() {
	p.column.forget()
	if p.mantissas, p.floats = nil, nil; p.memory != nil {
		p.memory.corrections.forget()
	}
}

// read reads the numbers from the index first on, as many as n, into memory. It returns false if
// one of them is not a number.
func (p *storedPlace) read(memory *bodyColumns, first, n int) bool {
	p.mantissas = memory.allocate(n)
	p.column.read(p.mantissas, first)
	if p.floats == nil {
		return true
	}
	if !p.floats.unit.isDecimal() {
		return p.floats.toFloats(p.mantissas, nil)
	}
	corrections := memory.allocate(n)
	defer memory.release(n)
	p.floats.corrections.read(corrections, first)
	return p.floats.toFloats(p.mantissas, corrections)
}

// write writes the place's text of the wanted value with an index to the start of dst, which must
// have maxNumberLen bytes, and returns the length of the text.
func (p *storedPlace) write(dst []byte, index int) (length int) {
	if p.floats != nil {
		return p.floats.write(dst, p.mantissas[index])
	}
	return p.style.write(dst, int64(p.mantissas[index]))
}

// textSpan is a part of the text that is being written.
type textSpan struct{ start, end int }

// writeNext writes the place's text of the wanted value with an index to dst from the index at on,
// and returns the index of its end. dst must have memberSlack bytes there, and the value before it
// must be in dst, too.
func (p *storedPlace) writeNext(dst []byte, at, index int) (end int) {
	if p.repeats && index > 0 && p.mantissas[index] == p.mantissas[index-1] {
		end = at + p.last.end - p.last.start
		if end-at <= wideCopy {
			*(*[wideCopy]byte)(dst[at:]) = *(*[wideCopy]byte)(dst[p.last.start:])
		} else {
			copy(dst[at:], dst[p.last.start:p.last.end])
		}
	} else if p.floats == nil { // the usual case, with one call less
		end = at + p.style.write(dst[at:], int64(p.mantissas[index]))
	} else {
		end = at + p.floats.write(dst[at:], p.mantissas[index])
	}
	p.last = textSpan{at, end}
	return end
}

// textsLen returns the total length of the texts of the wanted values.
func (p *storedPlace) textsLen() (total uint64) {
	if p.floats == nil {
		return p.style.totalLen(p.mantissas)
	}
	for _, mantissa := range p.mantissas {
		total += uint64(p.floats.lengthOf(mantissa))
	}
	return total
}

// appendTail appends the place without the first n numbers.
func (p *storedPlace) appendTail(dst []byte, n int) []byte {
	if p.floats == nil {
		return p.column.appendTail(p.style.append(dst), n, 0)
	}
	dst = p.column.appendTail(p.floats.append(dst), n, 0)
	if p.floats.unit.isDecimal() {
		dst = p.floats.corrections.appendTail(dst, n, 0)
	}
	return dst
}

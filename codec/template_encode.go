// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"
)

const (
	maxTemplates = 16 // in one chunk
	// maxTemplateBytes and maxTemplateValues bound the values of a chunk that is encoded by
	// templates: their total length, and their number. They bound what a reader must allocate.
	maxTemplateBytes  = 1 << 20
	maxTemplateValues = 1 << 16
	// maxKeptInts is the number of integers whose memory is kept for the next chunk.
	maxKeptInts = 1 << 14
	// maxKeptPieces is the number of pieces or scalars of a value whose memory is kept.
	maxKeptPieces = 1 << 11
)

// template is the text that some values have in common, and the numbers at its places.
type template struct {
	pieces  [][]byte      // the text; one more than there are places
	limits  []numberLimit // of the numbers at each place
	numbers []numberColumn
}

// templateFinder finds the templates of a chunk's values. It is reused for one chunk after another.
type templateFinder struct {
	limit      int // of the number of templates
	templates  []template
	templateOf []uint64    // index of each value's template
	last       int         // index of the last value's template
	newNumbers numberLimit // of the numbers of new templates

	pieces [][]byte // pieces and numbers of the current value
	found  []number
	column []uint64 // scratch
	floats floatEncoder
}

var templateFinders = sync.Pool{New: func() any { return new(templateFinder) }}

// appendTemplateBody appends the entries as a body of templates, up to a number of them. It appends
// nothing if the values are not alike.
func appendTemplateBody(dst []byte, entries []Entry, h *Header, limit int) []byte {
	if h.Count < 2 || h.Count > maxTemplateValues || h.ValueBytes > maxTemplateBytes {
		return dst
	}
	f := templateFinders.Get().(*templateFinder)
	defer func() {
		f.forget()
		templateFinders.Put(f)
	}()
	f.limit = limit
	for i := range entries {
		if !f.add(entries[i].Value) {
			return dst
		}
	}
	return f.appendBody(dst, entries, h)
}

// forget drops the values, and keeps memory for the next ones.
func (f *templateFinder) forget() {
	if cap(f.templateOf) > maxKeptInts {
		*f = templateFinder{}
		return
	}
	for i := range f.templates {
		clear(f.templates[i].pieces)
	}
	f.templates, f.templateOf, f.last, f.newNumbers = f.templates[:0], f.templateOf[:0], 0, unlimited
	f.pieces, f.found = cleared(f.pieces), cleared(f.found)
}

// cleared returns the memory of scratch for the next value, without references. It drops memory
// that one large value has left: clearing that for each chunk would take longer than encoding most.
func cleared[T any](scratch []T) []T {
	if cap(scratch) > maxKeptPieces {
		return nil
	}
	clear(scratch[:cap(scratch)])
	return scratch[:0]
}

// add adds a value to the template that fits, or to a new one. It returns false if there are too
// many templates.
func (f *templateFinder) add(value []byte) bool {
	if f.last < len(f.templates) && f.addTo(f.last, value) {
		return true
	}
	for i := range f.templates {
		if i != f.last && f.addTo(i, value) {
			return true
		}
	}
	f.pieces, f.found = splitAtNumbers(value, f.newNumbers, f.pieces[:0], f.found[:0])
	if f.newNumbers == unlimited && hasOtherExponents(f.pieces) { // one template for all such values
		f.newNumbers = withoutExponent
		f.pieces, f.found = splitAtNumbers(value, f.newNumbers, f.pieces[:0], f.found[:0])
	}
	i, ok := f.indexOfPieces()
	if ok {
		f.addFound(i)
	}
	return ok
}

// indexOfPieces returns the index of the template that consists of f.pieces, after adding it if it
// is new. It returns false if there are too many templates.
func (f *templateFinder) indexOfPieces() (i int, ok bool) {
	i = slices.IndexFunc(f.templates, func(known template) bool {
		return slices.EqualFunc(known.pieces, f.pieces, bytes.Equal)
	})
	if i >= 0 {
		return i, true
	}
	if len(f.templates) >= f.limit {
		return 0, false
	}
	f.addTemplate()
	return len(f.templates) - 1, true
}

// addTo adds a value to the template with index i, if the value consists of the template's pieces
// with numbers between them.
func (f *templateFinder) addTo(i int, value []byte) bool {
	known := &f.templates[i]
	places := len(known.limits)
	f.found = slices.Grow(f.found[:0], places)[:places]
	for place, limit := range known.limits {
		piece := known.pieces[place]
		if !bytes.HasPrefix(value, piece) {
			return false
		}
		value = value[len(piece):]
		length := f.found[place].parse(value, limit)
		if length == 0 {
			return false
		}
		value = value[length:]
	}
	if !bytes.Equal(value, known.pieces[places]) {
		return false
	}
	f.addFound(i)
	return true
}

// addTemplate adds the template that consists of f.pieces. It reuses the memory of a dropped
// template.
func (f *templateFinder) addTemplate() {
	f.templates = slices.Grow(f.templates, 1)[:len(f.templates)+1]
	added := &f.templates[len(f.templates)-1]
	added.pieces = append(added.pieces[:0], f.pieces...)
	places := len(f.pieces) - 1
	added.limits = added.limits[:0]
	added.numbers = slices.Grow(added.numbers[:0], places)[:places]
	for place := range places {
		added.limits = append(added.limits, limitOfPlace(f.pieces, place))
		added.numbers[place].reset()
	}
}

// limitOfPlace returns the limit of the numbers at a place of a template. integerOnly is for the
// same numbers as numberIsIntegerOnly: a point precedes the place; or a point, the next place and
// another point follow.
func limitOfPlace(pieces [][]byte, place int) numberLimit {
	switch {
	case bytes.HasSuffix(pieces[place], point),
		bytes.Equal(pieces[place+1], point) && place+2 < len(pieces) && bytes.HasPrefix(pieces[place+2], point):
		return integerOnly
	case endsAtExponent(pieces, place):
		return withoutExponent
	}
	return unlimited
}

var point = []byte{'.'}

// addFound adds a value to the template with index i. Its numbers are in f.found.
func (f *templateFinder) addFound(i int) {
	known := &f.templates[i]
	for place := range f.found {
		known.numbers[place].add(&f.found[place])
	}
	f.templateOf, f.last = append(f.templateOf, uint64(i)), i
}

// appendBody appends a body as the package documentation draws it. It appends nothing if the
// numbers at some place do not have one style.
func (f *templateFinder) appendBody(dst []byte, entries []Entry, h *Header) []byte {
	f.column = slices.Grow(f.column[:0], len(entries))[:len(entries)]
	f.floats.noise = 0
	body := appendTimestampsAndSequences(dst, f.column, entries, h)
	body = binary.AppendUvarint(body, uint64(len(f.templates)))
	if len(f.templates) > 1 {
		body = appendIntColumn(body, f.templateOf)
	}
	for i := range f.templates {
		known := &f.templates[i]
		body = appendPieces(body, known.pieces)
		for place := range known.numbers {
			var ok bool
			if body, ok = known.numbers[place].appendShortest(body, &f.floats); !ok {
				return dst
			}
		}
	}
	h.floatsPrevail = f.floats.isMostOf(body)
	return body
}

// appendTimestampsAndSequences appends the first two columns of a body. It overwrites column, which
// is as long as there are entries.
func appendTimestampsAndSequences(dst []byte, column []uint64, entries []Entry, h *Header) []byte {
	for i := range entries {
		column[i] = entries[i].Timestamp - h.First
	}
	dst = appendIntColumn(dst, column)
	for i := range entries {
		column[i] = entries[i].Sequence - h.MinSequence
	}
	return appendIntColumn(dst, column)
}

// appendPieces appends the number of a template's places, and its pieces.
func appendPieces(dst []byte, pieces [][]byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(pieces)-1))
	for _, piece := range pieces {
		dst = binary.AppendUvarint(dst, uint64(len(piece)))
		dst = append(dst, piece...)
	}
	return dst
}

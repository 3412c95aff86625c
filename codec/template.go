// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"
)

const (
	mostTemplates = 16
	// mostKept is how many integers of a column's memory are kept for the next chunk.
	mostKept = 1 << 14
	// mostTemplated bounds the values of a chunk that is encoded by templates, in bytes, and with it what
	// a reader must allocate.
	mostTemplated      = 1 << 20
	mostTemplatedCount = 1 << 16
)

// template is the text that values have in common, with places for their numbers.
type template struct {
	pieces  [][]byte // of text, one more than there are numbers
	whole   []bool   // by place: whether its numbers can be taken to have no fraction
	numbers []numbers
	rows    int
}

// templater finds the templates of a chunk's values. It is used again from one chunk to the next.
type templater struct {
	templates []template
	of        []uint64 // the template of each value
	last      int      // which the value before had

	pieces [][]byte // scratch
	found  []number
	column []uint64
}

var templaters = sync.Pool{New: func() any { return new(templater) }}

// appendTemplated appends the body of a chunk encoded by templates; nothing if the values are not alike.
func appendTemplated(dst []byte, entries []Entry, h *Header) []byte {
	if h.Count < 2 || h.Count > mostTemplatedCount || h.ValueBytes > mostTemplated {
		return dst
	}
	t := templaters.Get().(*templater)
	defer func() {
		t.forget()
		templaters.Put(t)
	}()
	for i := range entries {
		if !t.add(entries[i].Value) {
			return dst
		}
	}
	return t.append(dst, entries, h)
}

// forget leaves the memory, but nothing of the values.
func (t *templater) forget() {
	if cap(t.of) > mostKept {
		*t = templater{}
		return
	}
	for i := range t.templates {
		clear(t.templates[i].pieces)
	}
	t.templates, t.of, t.last = t.templates[:0], t.of[:0], 0
	clear(t.pieces[:cap(t.pieces)])
}

// add finds a value's template, or makes one; false if there are too many.
func (t *templater) add(value []byte) bool {
	if t.last < len(t.templates) && t.fits(t.last, value) {
		return true
	}
	for i := range t.templates {
		if i != t.last && t.fits(i, value) {
			return true
		}
	}
	t.pieces, t.found = split(value, t.pieces[:0], t.found[:0])
	i, ok := t.known()
	if ok {
		t.take(i)
	}
	return ok
}

// known returns the template that has the pieces that have just been found, which may be a new one; false if
// there are too many.
func (t *templater) known() (i int, ok bool) {
	i = slices.IndexFunc(t.templates, func(known template) bool {
		return slices.EqualFunc(known.pieces, t.pieces, bytes.Equal)
	})
	if i >= 0 {
		return i, true
	}
	if len(t.templates) == mostTemplates {
		return 0, false
	}
	t.extend()
	return len(t.templates) - 1, true
}

// fits takes the numbers out of a value that has the template's text between them.
func (t *templater) fits(i int, value []byte) bool {
	known := &t.templates[i]
	t.found = slices.Grow(t.found[:0], len(known.whole))[:len(known.whole)]
	for place, whole := range known.whole {
		piece := known.pieces[place]
		if !bytes.HasPrefix(value, piece) {
			return false
		}
		value = value[len(piece):]
		length := t.found[place].parse(value, whole)
		if length == 0 {
			return false
		}
		value = value[length:]
	}
	if !bytes.Equal(value, known.pieces[len(known.whole)]) {
		return false
	}
	t.take(i)
	return true
}

// extend adds the template that has just been found, in the memory of a former one.
func (t *templater) extend() {
	t.templates = slices.Grow(t.templates, 1)[:len(t.templates)+1]
	known := &t.templates[len(t.templates)-1]
	known.pieces = append(known.pieces[:0], t.pieces...)
	places := len(t.pieces) - 1
	known.whole = known.whole[:0]
	known.numbers = slices.Grow(known.numbers[:0], places)[:places]
	for place := range places {
		known.whole = append(known.whole, betweenPoints(t.pieces, place))
		known.numbers[place].reset()
	}
	known.rows = 0
}

// betweenPoints is isWhole for a place of a template: a point stands before it, or behind the number that follows
// behind a point.
func betweenPoints(pieces [][]byte, place int) bool {
	return bytes.HasSuffix(pieces[place], point) ||
		bytes.Equal(pieces[place+1], point) && place+2 < len(pieces) && bytes.HasPrefix(pieces[place+2], point)
}

var point = []byte{'.'}

// take adds the numbers that have just been found to a template.
func (t *templater) take(i int) {
	known := &t.templates[i]
	for place := range t.found {
		known.numbers[place].add(&t.found[place])
	}
	known.rows++
	t.of, t.last = append(t.of, uint64(i)), i
}

// append appends what the package documentation draws; nothing if some numbers are not written alike.
func (t *templater) append(dst []byte, entries []Entry, h *Header) []byte {
	body := t.appendTimes(dst, entries, h)
	body = binary.AppendUvarint(body, uint64(len(t.templates)))
	if len(t.templates) > 1 {
		body = appendColumn(body, t.of)
	}
	for i := range t.templates {
		known := &t.templates[i]
		body = appendPieces(body, known.pieces)
		for place := range known.numbers {
			s, ok := known.numbers[place].align()
			if !ok {
				return dst
			}
			body = append(body, s.leastDigits, s.mostDecimals, s.leastDecimals)
			body = appendColumn(body, known.numbers[place].mantissas)
		}
	}
	return body
}

// appendTimes appends the timestamps and the sequence numbers.
func (t *templater) appendTimes(dst []byte, entries []Entry, h *Header) []byte {
	t.column = slices.Grow(t.column[:0], len(entries))[:len(entries)]
	column := t.column
	for i := range entries {
		column[i] = entries[i].Timestamp - h.First
	}
	dst = appendColumn(dst, column)
	for i := range entries {
		column[i] = entries[i].Sequence - h.MinSequence
	}
	return appendColumn(dst, column)
}

// appendPieces appends the text of a template, and how many numbers stand between its pieces.
func appendPieces(dst []byte, pieces [][]byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(pieces)-1))
	for _, piece := range pieces {
		dst = binary.AppendUvarint(dst, uint64(len(piece)))
		dst = append(dst, piece...)
	}
	return dst
}

// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"sync"
)

const (
	// maxMemberTemplates is the number of templates of members in one chunk.
	maxMemberTemplates = 128
	// maxMemberColumns is the number of columns of members in one chunk.
	maxMemberColumns = 1024
)

// memberTemplate is a skeleton that some values have in common.
type memberTemplate struct {
	skeleton []byte
	columns  []int // index of the column of each place
}

// memberColumn is the scalars at one path, in the order of the values.
type memberColumn struct {
	isNumber bool
	numbers  numberColumn
	texts    [][]byte

	isConstant bool // all texts are equal, and belong to the pieces of the templates
}

// memberFinder finds the templates of a chunk's values, and gives the scalars at equal paths one
// column, whatever the template. It is reused for one chunk after another.
type memberFinder struct {
	memberSplitter
	templates  []memberTemplate
	columns    []memberColumn
	templateOf []uint64
	last       int    // index of the last value's template
	addedBytes uint64 // length of the values that addBody added last

	bySkeleton map[string]int
	byPath     map[memberPath]int
	paths      []memberPath
	rows       []uint64 // scratch
	texts      textEncoder
	floats     floatEncoder
}

var memberFinders = sync.Pool{New: func() any {
	return &memberFinder{bySkeleton: map[string]int{}, byPath: map[memberPath]int{}}
}}

// release gives a finder back to the pool, unless it has grown large.
func (f *memberFinder) release() {
	if cap(f.templateOf) <= maxKeptInts {
		f.forget()
		memberFinders.Put(f)
	}
}

// forget drops the values, and keeps memory for the next ones.
func (f *memberFinder) forget() {
	clear(f.bySkeleton)
	clear(f.byPath)
	f.scalars = cleared(f.scalars)
	for i := range f.columns {
		clear(f.columns[i].texts)
	}
	f.texts.forget()
	f.templates, f.columns, f.templateOf, f.last = f.templates[:0], f.columns[:0], f.templateOf[:0], 0
}

// add adds a value. It returns false if the value is not JSON, or if there are too many templates.
func (f *memberFinder) add(value []byte) bool {
	if !f.findTemplate(value) {
		return false
	}
	f.templateOf = append(f.templateOf, uint64(f.last))
	for i, column := range f.templates[f.last].columns {
		f.columns[column].add(&f.scalars[i])
	}
	return true
}

// findTemplate sets last to the template of a value, after adding it if it is new, and splits the
// value. It returns false if that is impossible.
func (f *memberFinder) findTemplate(value []byte) (ok bool) {
	if f.last < len(f.templates) {
		isLike, ok := f.splitLike(f.templates[f.last].skeleton, value)
		if isLike || !ok {
			return ok
		}
	} else if !f.split(value) {
		return false
	}
	known, ok := f.bySkeleton[string(f.skeleton)]
	if !ok {
		known, ok = f.addTemplate()
	}
	f.last = known
	return ok
}

func (c *memberColumn) add(s *scalar) {
	if c.isNumber {
		c.numbers.add(&s.number)
	} else {
		c.texts = append(c.texts, s.text)
	}
}

// addTemplate adds the template with the skeleton of the last value, and returns its index.
func (f *memberFinder) addTemplate() (index int, ok bool) {
	index = len(f.templates)
	if f.paths, ok = appendPaths(f.paths[:0], f.skeleton); !ok || index == maxMemberTemplates {
		return 0, false
	}
	f.templates = extend(f.templates)
	added := &f.templates[index]
	added.skeleton = append(added.skeleton[:0], f.skeleton...)
	added.columns = added.columns[:0]
	marks := f.skeleton
	for _, path := range f.paths {
		at := bytes.IndexFunc(marks, func(r rune) bool { return r <= maxMark })
		column, ok := f.byPath[path]
		if !ok {
			column = len(f.columns)
			if column == maxMemberColumns {
				return 0, false
			}
			f.byPath[path] = column
			f.addColumn(marks[at] == numberMark)
		}
		if f.columns[column].isNumber != (marks[at] == numberMark) {
			return 0, false // two paths have the same hash
		}
		added.columns = append(added.columns, column)
		marks = marks[at+1:]
	}
	f.bySkeleton[string(f.skeleton)] = index
	return index, len(added.columns) == len(f.scalars)
}

// addColumn adds an empty column. It reuses the memory of a dropped one.
func (f *memberFinder) addColumn(isNumber bool) {
	f.columns = extend(f.columns)
	added := &f.columns[len(f.columns)-1]
	added.isNumber, added.isConstant, added.texts = isNumber, false, added.texts[:0]
	added.numbers.reset()
}

// extend returns a slice with one more element, which is arbitrary.
func extend[T any](s []T) []T {
	if len(s) < cap(s) {
		return s[:len(s)+1]
	}
	var zero T
	return append(s, zero)
}

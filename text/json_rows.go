// SPDX-License-Identifier: Apache-2.0

package text

import (
	"errors"
	"fmt"
)

// AnyMember is the name in JSONOptions.Rows that stands for each member of an object.
const AnyMember = "*"

// JSONOptions say where the values of a JSON document are.
type JSONOptions struct {
	// Rows is the path of the array whose elements are the values: "results", or "*" for the arrays
	// that are the members of the document. Default: the file is a series of values, or one array
	// of them.
	Rows string
	// Columns says that Rows is an object of arrays, which are equally long. The elements with the
	// same index are the members of one value.
	Columns bool
}

// rowScanner finds the values in a JSON text.
type rowScanner struct {
	stream  jsonStream
	rows    jsonPath // nil: the file is a series of values, or one array
	columns bool
	isValue func(element []byte) bool // whether an element looks like one of the values
	isTime  func(column string) bool  // whether a column looks like the time of a table
	frames  []rowFrame
	found   bool // in this document, the array of values
	table   *columnTable
}

// rowFrame is an object on the way to the array of values, or the array itself.
type rowFrame struct {
	array   bool
	depth   int    // of the object: how many names of the path lead to it
	key     string // of the array: the name that AnyMember stands for
	started bool   // an element or member was read
	other   bool   // it is no part of the path, and is skipped
}

// Causes of a LineError.
var (
	errTwoArrays = errors.New("it is another array of values beside the one that is read")
	errNoRows    = errors.New("the document has no such member: it holds the values")
)

// next returns the next value, and the name that AnyMember stands for.
func (r *rowScanner) next() (raw []byte, key string, err error) {
	for {
		if r.table != nil {
			if raw = r.table.next(); raw != nil {
				return raw, r.table.key, nil
			}
			r.table = nil
		}
		if len(r.frames) == 0 {
			raw, err = r.topLevel()
		} else if frame := &r.frames[len(r.frames)-1]; frame.array {
			key = frame.key
			raw, err = r.element(frame)
		} else {
			raw, err = nil, r.member(frame)
		}
		if raw != nil || err != nil {
			return raw, key, err
		}
	}
}

// topLevel reads a value of the file, or enters it.
func (r *rowScanner) topLevel() (raw []byte, err error) {
	first, err := r.stream.next()
	switch {
	case err != nil:
		return nil, err
	case len(r.rows) == 0 && first == '[':
		r.enter(rowFrame{array: true})
		return nil, nil
	case len(r.rows) == 0 && r.columns && first == '{':
		return nil, r.readTable("")
	case len(r.rows) == 0:
		return r.stream.value()
	case first != '{':
		return nil, r.stream.wrong("an object", nil)
	}
	r.found = false
	r.enter(rowFrame{})
	return nil, nil
}

func (r *rowScanner) enter(frame rowFrame) {
	r.stream.takeByte()
	r.frames = append(r.frames, frame)
}

// more reports whether the innermost container has another element or member. It leaves a container
// that has none.
func (r *rowScanner) more(closing byte, want string) (bool, error) {
	frame := &r.frames[len(r.frames)-1]
	next, err := r.stream.next()
	switch {
	case err == nil && next == closing:
		r.stream.takeByte()
		r.frames = r.frames[:len(r.frames)-1]
		return false, nil
	case err == nil && !frame.started:
		frame.started = true
		return true, nil
	case err != nil || next != ',':
		return false, r.stream.wrong(want, err)
	}
	r.stream.takeByte()
	return true, nil
}

// element reads an element of an array. The first element of another array says whether that holds
// values too, which nobody asked for.
func (r *rowScanner) element(frame *rowFrame) (raw []byte, err error) {
	isFirst := !frame.started
	if more, err := r.more(']', "a comma or the end of the array"); err != nil || !more {
		return nil, err
	}
	if !frame.other {
		return r.stream.value()
	}
	if !isFirst {
		return nil, r.stream.skip()
	}
	raw, err = r.stream.value()
	if err == nil && r.isValue(raw) {
		err = &placedError{r.stream.from, &MemberError{frame.key, errTwoArrays}}
	}
	return nil, err
}

// member reads a member of an object: it enters those of the path, and skips all others.
func (r *rowScanner) member(frame *rowFrame) error {
	isDocument := len(r.frames) == 1
	more, err := r.more('}', "a comma or the end of the object")
	if err != nil {
		return err
	}
	if !more {
		if isDocument && !r.found {
			return &placedError{r.stream.at, &MemberError{r.rows.String(), errNoRows}}
		}
		return nil
	}
	name, err := r.name()
	if err != nil {
		return err
	}
	first, err := r.stream.next()
	if err != nil {
		return r.stream.wrong("a value", err)
	}
	if frame.other || r.rows[frame.depth] != name && r.rows[frame.depth] != AnyMember {
		return r.enterOther(name, first)
	}
	isLast := frame.depth == len(r.rows)-1
	switch {
	case isLast && first == '[' && !r.columns:
		r.found = true
		r.enter(rowFrame{array: true, key: name})
		return nil
	case isLast && first == '{' && r.columns:
		r.found = true
		return r.readTable(name)
	case !isLast && first == '{':
		r.enter(rowFrame{depth: frame.depth + 1})
		return nil
	}
	return &placedError{r.stream.at, &MemberError{name, fmt.Errorf("want %s", r.wantedKind(isLast))}}
}

// enterOther enters a member that is no part of the path, to find out whether it holds values that
// the reader would lose. It skips a member that cannot.
func (r *rowScanner) enterOther(name string, first byte) error {
	const maxFrames = 4
	switch {
	case first == '[' && r.columns && r.isTime(name):
		return &placedError{r.stream.at, &MemberError{name, errTwoArrays}}
	case first == '[':
		r.enter(rowFrame{array: true, key: name, other: true})
		return nil
	case first == '{' && len(r.frames) < maxFrames:
		r.enter(rowFrame{other: true})
		return nil
	}
	return r.stream.skip()
}

func (r *rowScanner) wantedKind(isLast bool) string {
	if isLast && !r.columns {
		return "an array"
	}
	return "an object"
}

// name reads the name of a member and its colon.
func (r *rowScanner) name() (string, error) {
	next, err := r.stream.next()
	if err != nil || next != '"' {
		return "", r.stream.wrong("the name of a member", err)
	}
	raw, err := r.stream.value()
	if err != nil {
		return "", err
	}
	name, err := unquote(raw)
	if err != nil {
		return "", &placedError{r.stream.from, &SyntaxError{Offset: r.stream.from.column, Want: "the name of a member"}}
	}
	if err := r.stream.want(':', "a colon after the name of a member"); err != nil {
		return "", err
	}
	return name, nil
}

// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// JSONValues finds the values in a file of JSON, one after the other: the lines of NDJSON, the
// elements of an array, or a document. Its memory does not grow with the file, and a value has at
// most MaxLineLen bytes.
type JSONValues struct {
	in    *bufio.Reader
	opts  ReadOptions
	lines *ndjsonReader // of NDJSON
	rows  *rowScanner   // of other JSON
	ended bool

	isValue func(element []byte) bool // of rowScanner
	isTime  func(column string) bool  // of rowScanner

	peeked   [][]byte // lines that were read before it was known that the file is NDJSON
	replayed int      // how many of them were returned

	raw      []byte // the last value
	from, to place  // where it starts and ends
}

// NewJSONValues returns the values of in. opts.JSON says where they are in a document.
func NewJSONValues(in io.Reader, opts ReadOptions) (v *JSONValues, err error) {
	never := func([]byte) bool { return false }
	v = &JSONValues{in: buffered(in), opts: opts, isValue: never, isTime: func(string) bool { return false }}
	if opts.JSON.Rows != "" || opts.JSON.Columns {
		v.rows = &rowScanner{columns: opts.JSON.Columns}
	}
	if opts.JSON.Rows != "" {
		v.rows.rows, err = parsePath(opts.JSON.Rows)
	}
	return v, err
}

// Next returns the next value, which the next call overwrites. It returns io.EOF after the last
// one. For a value that is no JSON it returns a *LineError, and the caller may go on. An *EndError
// ends an array or a document that is damaged between its values.
func (v *JSONValues) Next() (json.RawMessage, error) {
	raw, _, err := v.next()
	if err != nil {
		return nil, err
	}
	raw, err = checkJSON(raw)
	if err != nil {
		return nil, v.LineError(err)
	}
	return raw, nil
}

// LineError returns an error about the last value, with its lines. The offset of a SyntaxError is
// from the start of the value, and becomes one from the start of its line.
func (v *JSONValues) LineError(err error) *LineError {
	from, to := v.from, v.to
	var syntax *SyntaxError
	if errors.As(err, &syntax) {
		text := bytes.TrimRight(v.raw, "\r\n")
		from = from.after(text[:min(syntax.Offset, len(text))])
		syntax.Offset = from.column
	}
	return &LineError{File: v.opts.Name, Line: from.line, LastLine: max(from.line, to.line), Err: err}
}

// next returns the next value, which may be no JSON, and the name that AnyMember stands for.
func (v *JSONValues) next() (raw []byte, key string, err error) {
	if v.ended {
		return nil, "", io.EOF
	}
	if v.lines == nil && (v.rows == nil || v.rows.stream.in == nil) {
		if err := v.start(); err != nil {
			return nil, "", err
		}
	}
	if v.lines != nil {
		v.raw, err = v.nextLine()
		return v.raw, "", err
	}
	v.raw, key, err = v.rows.next()
	v.from, v.to = v.rows.stream.from, v.rows.stream.at
	if err != nil {
		v.ended = true
		return nil, "", v.placed(err)
	}
	return v.raw, key, nil
}

// start finds out whether the file is NDJSON, where a bad line ends at its line break.
func (v *JSONValues) start() error {
	if err := skipByteOrderMark(v.in); err != nil {
		return v.readError(err)
	}
	v.in = withoutSeparators(v.in)
	first, found, err := firstCharacter(v.in)
	switch {
	case err != nil:
		return v.readError(err)
	case v.rows != nil || found && first == '[':
		v.useRows(v.in)
		return nil
	}
	lines := &ndjsonReader{in: v.in, opts: v.opts, started: true}
	isLines, err := v.peekLines(lines)
	if isLines || err != nil {
		v.lines = lines
		return err
	}
	peeked := bytes.NewReader(bytes.Join(v.peeked, nil))
	v.useRows(bufio.NewReaderSize(io.MultiReader(peeked, v.in), bufferSize))
	v.peeked = nil
	return nil
}

func (v *JSONValues) readError(err error) error {
	return fmt.Errorf("%s%w", prefix(v.opts.Name), err)
}

func (v *JSONValues) useRows(in *bufio.Reader) {
	if v.rows == nil {
		v.rows = &rowScanner{}
	}
	v.rows.stream = jsonStream{in: in, at: place{line: 1}}
	v.rows.isValue, v.rows.isTime = v.isValue, v.isTime
}

// peekLines reads lines until it knows whether each is one value: the first is complete, or another
// object begins with the second, in a place where the first does not go on with one. It keeps them.
func (v *JSONValues) peekLines(lines *ndjsonReader) (isLines bool, err error) {
	const maxPeeked = 1000 // lines, most of them empty
	goesOn := false        // the first line may go on with an object
	for texts := 0; len(v.peeked) < maxPeeked; {
		line, err := lines.readLine()
		if err == io.EOF {
			return texts < 2, nil
		}
		if err != nil {
			return false, err
		}
		v.peeked = append(v.peeked, bytes.Clone(line))
		s := memberScanner{line: line}
		if s.skipSpace() == 0 {
			continue
		}
		if texts++; texts == 2 {
			return line[0] == '{' && !goesOn, nil
		}
		goesOn = bytes.IndexByte([]byte("[,:"), lastCharacter(line)) >= 0
		s.at = s.valueEnd(s.at)
		if s.at < len(line) && s.skipSpace() == 0 {
			return true, nil
		}
	}
	return true, nil
}

// lastCharacter returns the last character of a line that is no white space, or 0.
func lastCharacter(line []byte) byte {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return 0
	}
	return line[len(line)-1]
}

// nextLine returns the next line that is not empty.
func (v *JSONValues) nextLine() (line []byte, err error) {
	for {
		number := v.replayed + 1
		if v.replayed < len(v.peeked) {
			line = v.peeked[v.replayed]
			v.replayed++
		} else {
			line, err = v.lines.readLine()
			number, v.peeked, v.replayed = v.lines.line, nil, 0
		}
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(line)) > 0 {
			v.from, v.to = place{line: number}, place{line: number}
			return line, nil
		}
	}
}

// placed returns an error of the scanner, which ends the file, with its line.
func (v *JSONValues) placed(err error) error {
	var placed *placedError
	switch {
	case err == io.EOF:
		return err
	case errors.As(err, &placed):
		return &EndError{File: v.opts.Name, Line: placed.line, Err: placed.err}
	}
	return v.readError(err)
}

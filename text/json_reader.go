// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/daybook-db/daybook"
)

// jsonReader reads JSON of other programs.
type jsonReader struct {
	in    *bufio.Reader
	opts  ReadOptions
	form  *objectForm
	lines *ndjsonReader // of NDJSON
	rows  *rowScanner   // of other JSON
	ended bool

	peeked   [][]byte // lines that were read before it was known that the file is NDJSON
	replayed int      // how many of them were returned
}

// NewJSONReader returns a reader of JSON objects: NDJSON, one array of them, or a document in which
// opts.JSON says where they are. Objects that follow each other may span several lines.
//
// Without opts.Record, opts.Time and opts.Value, objects have the forms that NewNDJSONReader reads.
// With one of them, the record is opts.Record, whose fields are paths in the object. Default:
// record_name, or topic with "." for "/". The time is at the paths opts.Time. Default: ts. The
// value is what opts.Value leads to. Default: the payload beside a topic, the value beside a
// record_name, or else the object without its record and its time; the rest keeps its bytes and its
// order.
//
// A path has names with dots between them, and numbers for the elements of an array, as in
// "axes.0.speed". A dot in a name has a backslash before it.
//
// A payload that is no JSON is kept as a string.
func NewJSONReader(in io.Reader, opts ReadOptions) (ValueReader, error) {
	form, err := newObjectForm(opts)
	if err != nil {
		return nil, err
	}
	r := &jsonReader{in: buffered(in), opts: opts, form: form}
	if opts.JSON.Rows != "" || opts.JSON.Columns {
		r.rows = &rowScanner{columns: opts.JSON.Columns}
	}
	if opts.JSON.Rows != "" {
		if r.rows.rows, err = parsePath(opts.JSON.Rows); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *jsonReader) Read() (daybook.StoredValue, error) {
	if r.ended {
		return daybook.StoredValue{}, io.EOF
	}
	if r.lines == nil && (r.rows == nil || r.rows.stream.in == nil) {
		if err := r.start(); err != nil {
			return daybook.StoredValue{}, err
		}
	}
	if r.lines != nil {
		return r.readLine()
	}
	return r.readRow()
}

// start finds out whether the file is NDJSON, where a bad line ends at its line break.
func (r *jsonReader) start() error {
	if err := skipByteOrderMark(r.in); err != nil {
		return r.readError(err)
	}
	first, found, err := firstCharacter(r.in)
	switch {
	case err != nil:
		return r.readError(err)
	case r.rows != nil || found && first == '[':
		r.useRows(r.in)
		return nil
	}
	lines := &ndjsonReader{in: r.in, opts: r.opts, started: true}
	isLines, err := r.peekLines(lines)
	if isLines || err != nil {
		r.lines = lines
		return err
	}
	peeked := bytes.NewReader(bytes.Join(r.peeked, nil))
	r.useRows(bufio.NewReaderSize(io.MultiReader(peeked, r.in), bufferSize))
	r.peeked = nil
	return nil
}

func (r *jsonReader) readError(err error) error {
	return fmt.Errorf("%s%w", prefix(r.opts.Name), err)
}

func (r *jsonReader) useRows(in *bufio.Reader) {
	if r.rows == nil {
		r.rows = &rowScanner{}
	}
	r.rows.stream = jsonStream{in: in, at: place{line: 1}}
	r.rows.isValue, r.rows.isTime = r.form.hasTime, r.form.isTime
}

// peekLines reads lines until it knows whether each is one value: the first is complete, or another
// object begins with the second. It keeps them.
func (r *jsonReader) peekLines(lines *ndjsonReader) (isLines bool, err error) {
	for texts := 0; ; {
		line, err := lines.readLine()
		if err == io.EOF {
			return texts < 2, nil
		}
		if err != nil {
			return false, err
		}
		r.peeked = append(r.peeked, bytes.Clone(line))
		s := memberScanner{line: line}
		if s.skipSpace() == 0 {
			continue
		}
		if texts++; texts == 2 {
			return line[0] == '{', nil
		}
		s.at = s.valueEnd(s.at)
		if s.at < len(line) && s.skipSpace() == 0 {
			return true, nil
		}
	}
}

// nextLine returns the next line and its number.
func (r *jsonReader) nextLine() ([]byte, int, error) {
	if r.replayed < len(r.peeked) {
		line := r.peeked[r.replayed]
		r.replayed++
		return line, r.replayed, nil
	}
	r.peeked = nil
	line, err := r.lines.readLine()
	return line, r.lines.line, err
}

func (r *jsonReader) readLine() (daybook.StoredValue, error) {
	for {
		line, number, err := r.nextLine()
		if err != nil {
			return daybook.StoredValue{}, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		value, err := r.form.parse(line, "")
		if err != nil {
			return value, &LineError{File: r.opts.Name, Line: number, LastLine: number, Err: err}
		}
		return value, nil
	}
}

// readRow reads a value that may span several lines. An error about where values start and end ends
// the file.
func (r *jsonReader) readRow() (daybook.StoredValue, error) {
	raw, key, err := r.rows.next()
	if err != nil {
		r.ended = true
		return daybook.StoredValue{}, r.placed(err)
	}
	value, err := r.form.parse(raw, key)
	if err == nil {
		return value, nil
	}
	from, to := r.rows.stream.from, r.rows.stream.at
	var syntax *SyntaxError
	if errors.As(err, &syntax) {
		from = from.after(raw[:min(syntax.Offset, len(raw))])
		syntax.Offset = from.column
	}
	return value, &LineError{File: r.opts.Name, Line: from.line, LastLine: to.line, Err: err}
}

// placed returns an error of the scanner with its line.
func (r *jsonReader) placed(err error) error {
	var placed *placedError
	switch {
	case err == io.EOF:
		return err
	case errors.As(err, &placed):
		line := placed.line
		return &LineError{File: r.opts.Name, Line: line, LastLine: max(line, r.rows.stream.at.line), Err: placed.err}
	}
	return r.readError(err)
}

// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/daybook-db/daybook"
)

// ndjsonReader reads NDJSON.
type ndjsonReader struct {
	in      *bufio.Reader
	opts    ReadOptions
	started bool
	line    int    // number of the last line that was read
	unended bool   // it has no line end, although the lines before it have one
	long    []byte // the line, if the buffer of in is too short for it
}

// NewNDJSONReader returns a reader of one JSON object per line. An object has one of two forms; it
// may have other members too, which are ignored:
//
//	{"record_name":"sensor.kitchen","value":{"celsius":21.5},"stored_at":1764000000000}
//	{"topic":"sensor.kitchen","payload":{"celsius":21.5},"ts":1764000000000}
//
// A time is an RFC 3339 string or a number. In stored_at a number is Unix milliseconds. In ts it
// may be in quotes, counts opts.TimeUnit, and is rounded down to milliseconds. The value is
// returned byte for byte, and a payload that is no JSON as a string. A "/" in a topic, which MQTT
// puts between its parts, becomes ".". Lines of white space are ignored, and so are a byte order
// mark, and the record separators of a JSON text sequence (RFC 7464).
func NewNDJSONReader(in io.Reader, opts ReadOptions) ValueReader {
	return &ndjsonReader{in: buffered(in), opts: opts}
}

func (r *ndjsonReader) Read() (daybook.StoredValue, error) {
	for {
		line, err := r.readLine()
		if err != nil {
			return daybook.StoredValue{}, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		value, err := parseLine(line, r.opts)
		if err != nil {
			return value, r.lineError(err)
		}
		return value, nil
	}
}

// readLine returns the next line, which the next call overwrites.
func (r *ndjsonReader) readLine() ([]byte, error) {
	if err := r.start(); err != nil {
		return nil, r.readError(err)
	}
	r.line++
	r.long = r.long[:0]
	for {
		piece, err := r.in.ReadSlice('\n')
		if len(r.long)+len(piece) > MaxLineLen {
			return nil, r.skipLine(err)
		}
		if err == nil && len(r.long) == 0 {
			return piece, nil
		}
		r.long = append(r.long, piece...)
		switch {
		case err == nil:
			return r.long, nil
		case err == io.EOF && len(r.long) > 0:
			r.unended = r.line > 1
			return r.long, nil
		case err == io.EOF:
			return nil, io.EOF
		case err != bufio.ErrBufferFull:
			return nil, r.readError(err)
		}
	}
}

// start skips a byte order mark before the first line.
func (r *ndjsonReader) start() error {
	if r.started {
		return nil
	}
	r.started = true
	if err := skipByteOrderMark(r.in); err != nil {
		return err
	}
	r.in = withoutSeparators(r.in)
	return nil
}

// skipLine reads the rest of a line that is too long, without keeping it.
func (r *ndjsonReader) skipLine(err error) error {
	for err == bufio.ErrBufferFull {
		_, err = r.in.ReadSlice('\n')
	}
	if err != nil && err != io.EOF {
		return r.readError(err)
	}
	return r.lineError(fmt.Errorf("the line is longer than %d MiB", MaxLineLen>>20))
}

func (r *ndjsonReader) lineError(err error) error {
	return &LineError{File: r.opts.Name, Line: r.line, LastLine: r.line, Err: err}
}

func (r *ndjsonReader) readError(err error) error {
	return fmt.Errorf("%s%w", prefix(r.opts.Name), err)
}

// lineForm is the names of the members that hold a value.
type lineForm struct{ name, value, time string }

var (
	ownForm   = lineForm{"record_name", "value", "stored_at"}
	topicForm = lineForm{"topic", "payload", "ts"} // AimDB's
)

// lineMembers are the members of a line that either form knows, nil for those that the line does
// not have.
type lineMembers struct {
	recordName, value, storedAt json.RawMessage
	topic, payload, ts          json.RawMessage
}

// named returns the field for the member of a name, or nil for a member that is ignored.
func (m *lineMembers) named(name string) *json.RawMessage {
	switch name {
	case ownForm.name:
		return &m.recordName
	case ownForm.value:
		return &m.value
	case ownForm.time:
		return &m.storedAt
	case topicForm.name:
		return &m.topic
	case topicForm.value:
		return &m.payload
	case topicForm.time:
		return &m.ts
	}
	return nil
}

// scan sets the members to those of a line. They alias it.
func (m *lineMembers) scan(line []byte) error {
	return scanMembers(line, func(name string, value json.RawMessage) error {
		member := m.named(name)
		switch {
		case member == nil:
			return nil
		case *member != nil:
			return &MemberError{name, errTwice}
		}
		*member = value
		return nil
	})
}

// form returns the form of the line: the own form if the line has both names. A name that is null
// does not count.
func (m *lineMembers) form() (lineForm, error) {
	for _, form := range []lineForm{ownForm, topicForm} {
		if name := *m.named(form.name); name != nil && !isNull(name) {
			return form, nil
		}
	}
	return lineForm{}, errNoName
}

// Causes of a LineError or a MemberError.
var (
	errNoName  = errors.New(`neither "record_name" nor "topic" names the record`)
	errTwice   = errors.New("it is there twice")
	errMissing = errors.New("it is missing")
	errOwnUnit = errors.New("is Unix milliseconds in any file")
)

func parseLine(line []byte, opts ReadOptions) (daybook.StoredValue, error) {
	var none daybook.StoredValue
	if !utf8.Valid(line) { // encoding/json would put U+FFFD into a name
		return none, ErrNotUTF8
	}
	var members lineMembers
	if err := members.scan(line); err != nil {
		quoted, ok := quotePayload(line)
		if !ok {
			return none, err
		}
		if members = (lineMembers{}); members.scan(quoted) != nil {
			return none, err
		}
	}
	form, err := members.form()
	if err != nil {
		return none, err
	}
	value := *members.named(form.value)
	if value == nil {
		return none, &MemberError{form.value, errMissing}
	}
	name, err := decodeString(*members.named(form.name))
	if err != nil {
		return none, &MemberError{form.name, err}
	}
	storedAt, err := form.parseTime(*members.named(form.time), opts)
	if err != nil {
		return none, &MemberError{form.time, err}
	}
	return checkedValue(form.recordName(name), bytes.Clone(value), storedAt)
}

// parseTime reads the member with the time of a line, which is nil if the line has none.
func (f lineForm) parseTime(member json.RawMessage, opts ReadOptions) (uint64, error) {
	switch {
	case member == nil || isNull(member):
		return opts.missingTime()
	case f == ownForm:
		return parseStoredAt(member, opts.TimeUnit)
	}
	return parseForeignTime(member, opts)
}

// parseStoredAt reads a time that Daybook wrote. It must read each time that a record can have, so
// it cannot tell a number of another unit: a caller who expects one gets an error.
func parseStoredAt(member json.RawMessage, unit TimeUnit) (uint64, error) {
	const want = "Unix milliseconds, a whole number, or an RFC 3339 string"
	var written string
	switch {
	case isDigits(string(member)) && unit != ByDigits && unit != Milliseconds:
		return 0, &TimeError{string(member), errOwnUnit, `"topic", "payload" and "ts" for another unit`}
	case isDigits(string(member)):
		return ParseMillis(string(member))
	case json.Unmarshal(member, &written) == nil:
		return parseTimeOr(written, want)
	}
	return 0, &TimeError{Text: string(member), Err: ErrNotTime, Want: want}
}

// parseForeignTime reads a time that another program wrote, as a number or as a string.
func parseForeignTime(member json.RawMessage, opts ReadOptions) (uint64, error) {
	written := string(member)
	if kindOf(member) == "string" {
		if err := json.Unmarshal(member, &written); err != nil {
			return 0, err
		}
	}
	return opts.parseTime(written)
}

func isNull(value json.RawMessage) bool { return string(value) == "null" }

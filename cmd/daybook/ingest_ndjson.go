// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/daybook-db/daybook"
)

// maxLine is the length of the longest line, in bytes: the largest value and what stands around it.
const maxLine = 17 << 20

// valueReader reads values from one input.
type valueReader interface {
	// next returns the next value, which the caller may keep. io.EOF: there is none. *badLine: this
	// one cannot be stored, the next may. Any other error ends the input.
	next() (daybook.StoredValue, error)
}

// badLine is the fault of one line, or of one row that spans several.
type badLine struct {
	name string // of the input
	line int
	last int // of a row that spans several lines; otherwise 0
	err  error
}

func (e *badLine) Error() string {
	if e.lines() > 1 {
		return fmt.Sprintf("%s:%d-%d: %v", e.name, e.line, e.last, e.err)
	}
	return fmt.Sprintf("%s:%d: %v", e.name, e.line, e.err)
}

func (e *badLine) Unwrap() error { return e.err }

// lines is how many lines are lost with it.
func (e *badLine) lines() int { return max(e.last-e.line, 0) + 1 }

func newValueReader(in *input, flags ingestFlags) (valueReader, error) {
	if in.format == "csv" {
		return newRowReader(in, flags)
	}
	return &lineReader{name: in.name, in: in.opened.Reader, stampNow: flags.stampNow}, nil
}

// formatOf is the format as the flag or the name says, and "auto" where neither does.
func formatOf(name, format string) string {
	if format != "auto" {
		return format
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv":
		return "csv"
	case ".ndjson", ".jsonl", ".json":
		return "ndjson"
	}
	return "auto"
}

// lineReader reads NDJSON.
type lineReader struct {
	name     string // of the input
	in       *bufio.Reader
	stampNow bool
	line     int
	long     []byte // the line, where the buffer of in is too short for it
}

func (r *lineReader) next() (daybook.StoredValue, error) {
	for {
		text, err := r.readLine()
		if err != nil {
			return daybook.StoredValue{}, err
		}
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		value, err := parseLine(text, r.stampNow)
		if err != nil {
			return value, &badLine{r.name, r.line, 0, err}
		}
		return value, nil
	}
}

// readLine returns the next line, which the next call overwrites.
func (r *lineReader) readLine() ([]byte, error) {
	r.line++
	r.long = r.long[:0]
	for {
		part, err := r.in.ReadSlice('\n')
		if len(r.long)+len(part) > maxLine {
			return nil, r.skipLine(err)
		}
		if err == nil && len(r.long) == 0 {
			return part, nil
		}
		r.long = append(r.long, part...)
		switch {
		case err == nil, err == io.EOF && len(r.long) > 0:
			return r.long, nil
		case err == io.EOF:
			return nil, io.EOF
		case err != bufio.ErrBufferFull:
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
	}
}

// skipLine reads the rest of a line that is too long, without keeping it.
func (r *lineReader) skipLine(err error) error {
	for err == bufio.ErrBufferFull {
		_, err = r.in.ReadSlice('\n')
	}
	if err != nil && err != io.EOF {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	return &badLine{r.name, r.line, 0, fmt.Errorf("the line is longer than %d MiB", maxLine>>20)}
}

// lineForm is the names of the members that make a value, in one of the two forms.
type lineForm struct{ name, value, time string }

var (
	ownForm   = lineForm{"record_name", "value", "stored_at"}
	topicForm = lineForm{"topic", "payload", "ts"} // AimDB's
)

// lineMembers are the members of a line that either form knows, nil where there is none.
type lineMembers struct {
	recordName, value, storedAt json.RawMessage
	topic, payload, ts          json.RawMessage
}

// named is where the member of a name belongs, or nil for one that is ignored.
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

// scan takes the members out of a line. They alias text.
func (m *lineMembers) scan(text []byte) error {
	return scanMembers(text, func(name string, value json.RawMessage) error {
		member := m.named(name)
		switch {
		case member == nil:
			return nil
		case *member != nil:
			return fmt.Errorf("member %q is there twice", name)
		}
		*member = value
		return nil
	})
}

// form is the form that the line has: the own one where it has both names. A name that is null is none.
func (m *lineMembers) form() (lineForm, error) {
	for _, form := range []lineForm{ownForm, topicForm} {
		if name := *m.named(form.name); name != nil && string(name) != "null" {
			return form, nil
		}
	}
	return lineForm{}, errors.New(`neither "record_name" nor "topic"`)
}

func parseLine(text []byte, stampNow bool) (daybook.StoredValue, error) {
	var none daybook.StoredValue
	if !utf8.Valid(text) { // encoding/json would put U+FFFD into a name
		return none, errors.New("not valid UTF-8")
	}
	var members lineMembers
	if err := members.scan(text); err != nil {
		return none, err
	}
	form, err := members.form()
	if err != nil {
		return none, err
	}
	value := *members.named(form.value)
	if value == nil {
		return none, fmt.Errorf("no %q", form.value)
	}
	name, err := decodeString(*members.named(form.name))
	if err != nil {
		return none, fmt.Errorf("%q %w", form.name, err)
	}
	at, err := parseStoredAt(*members.named(form.time), form.time, stampNow)
	if err != nil {
		return none, err
	}
	return checkedValue(name, bytes.Clone(value), at)
}

// checkedValue makes sure that the store will take the value, while the line is known.
func checkedValue(name string, value json.RawMessage, at uint64) (daybook.StoredValue, error) {
	err := daybook.ValidateRecordName(name)
	if err == nil {
		err = daybook.ValidateValue(value)
	}
	return daybook.StoredValue{RecordName: name, Value: value, StoredAt: at}, err
}

// parseStoredAt reads the time of a line, a number of milliseconds or an RFC 3339 string.
func parseStoredAt(text json.RawMessage, name string, stampNow bool) (uint64, error) {
	var written string
	switch {
	case text == nil || string(text) == "null":
		return stampedNow(fmt.Errorf("no %q", name), stampNow)
	case isDigits(string(text)):
		return parseMillis(string(text))
	case json.Unmarshal(text, &written) == nil:
		if instant, err := parseInstant(written); err == nil {
			return unixMillis(instant, written)
		}
		if isLocalTime(written) {
			return 0, fmt.Errorf("%s %w", name, noZone(written))
		}
	}
	return 0, fmt.Errorf("%s is %s: want Unix milliseconds, a whole number, or an RFC 3339 string", name, shorten(text, 40))
}

// stampedNow is the clock's time for a value that has none, if that is asked for.
func stampedNow(missing error, stampNow bool) (uint64, error) {
	if !stampNow {
		return 0, fmt.Errorf("%w (--now stamps such values with the clock)", missing)
	}
	return daybook.Now(), nil
}

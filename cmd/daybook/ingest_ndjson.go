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
	"strconv"
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

// badLine is the fault of one line. Its text continues the name of the input: ":7: what is wrong".
type badLine struct {
	line int
	err  error
}

func (e *badLine) Error() string { return fmt.Sprintf(":%d: %v", e.line, e.err) }
func (e *badLine) Unwrap() error { return e.err }

// unreadable is an error that ends an input. Its text continues the name of the input, too.
func unreadable(err error) error { return fmt.Errorf(": %w", err) }

func newValueReader(name string, in *openInput, flags ingestFlags) (valueReader, error) {
	if err := in.skipByteOrderMark(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	format, err := inputFormat(name, in, flags.format.value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if format == "csv" {
		return newRowReader(name, in, flags)
	}
	return &lineReader{in: in.Reader, stampNow: flags.stampNow}, nil
}

// inputFormat decides between ndjson and csv. An empty input is either.
func inputFormat(name string, in *openInput, format string) (string, error) {
	if known := formatOf(name, format); known != "auto" {
		return known, nil
	}
	first, err := in.firstByte()
	if err == nil && first != '{' && first != 0 {
		return "csv", nil
	}
	return "ndjson", err
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
			return value, &badLine{r.line, err}
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
			return nil, unreadable(err)
		}
	}
}

// skipLine reads the rest of a line that is too long, without keeping it.
func (r *lineReader) skipLine(err error) error {
	for err == bufio.ErrBufferFull {
		_, err = r.in.ReadSlice('\n')
	}
	if err != nil && err != io.EOF {
		return unreadable(err)
	}
	return &badLine{r.line, fmt.Errorf("the line is longer than %d MiB", maxLine>>20)}
}

// inputLine is a line in either form.
type inputLine struct {
	RecordName *string         `json:"record_name"`
	Value      json.RawMessage `json:"value"`
	StoredAt   json.RawMessage `json:"stored_at"`

	Topic   *string         `json:"topic"`
	Payload json.RawMessage `json:"payload"`
	TS      json.RawMessage `json:"ts"`
}

func parseLine(text []byte, stampNow bool) (daybook.StoredValue, error) {
	var none daybook.StoredValue
	if !utf8.Valid(text) { // encoding/json would put U+FFFD into a name
		return none, errors.New("not valid UTF-8")
	}
	var line inputLine
	if err := json.Unmarshal(text, &line); err != nil {
		return none, lineFault(err)
	}
	names := [3]string{"record_name", "value", "stored_at"}
	if line.RecordName == nil && line.Topic != nil {
		names = [3]string{"topic", "payload", "ts"}
		line.RecordName, line.Value, line.StoredAt = line.Topic, line.Payload, line.TS
	}
	if line.RecordName == nil {
		return none, errors.New(`neither "record_name" nor "topic"`)
	}
	if line.Value == nil {
		return none, fmt.Errorf("no %q", names[1])
	}
	at, err := parseStoredAt(line.StoredAt, names[2], stampNow)
	if err != nil {
		return none, err
	}
	return checkedValue(*line.RecordName, line.Value, at)
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

// lineFault says in a user's words what encoding/json found.
func lineFault(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("not JSON: %w at byte %s", err, strconv.FormatInt(syntax.Offset, 10))
	case errors.As(err, &kind) && kind.Field == "":
		return fmt.Errorf("a JSON %s: want an object", kind.Value)
	case errors.As(err, &kind):
		return fmt.Errorf("%q is a JSON %s: want a string", kind.Field, kind.Value)
	}
	return err
}

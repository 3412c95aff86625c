// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
)

// kindOf returns what a file is by the beginning of its text. Anything that is nothing else may be
// CSV.
func kindOf(sample Sample) Kind {
	head := sample.Text
	switch {
	case bytes.HasPrefix(head, []byte("PAR1")):
		return Parquet
	case bytes.HasPrefix(head, []byte("SQLite format 3\x00")):
		return SQLite
	}
	head = withoutComments(head)
	switch {
	case len(head) == 0:
		return NDJSON // without a line
	case head[0] == '{':
		return kindOfObjects(sample)
	case arrayStart.Match(head):
		return JSONArray
	case isLineProtocol(head):
		return LineProtocol
	}
	return CSV
}

// withoutComments returns a text from its first line on that is neither blank nor a comment.
func withoutComments(head []byte) []byte {
	for {
		head = bytes.TrimLeft(head, " \t\r\n")
		end := bytes.IndexAny(head, "\r\n")
		if len(head) == 0 || head[0] != '#' || end < 0 {
			return head
		}
		head = head[end:]
	}
}

// arrayStart matches an array whose elements can be values. A line of a log may begin with "[2024".
var arrayStart = regexp.MustCompile(`^\[\s*([{\[\]]|$)`)

// kindOfObjects tells lines of JSON from one document of many lines. Only of the former the first
// line is an object, or two lines after each other are: in a document there is a comma between. A
// text that is no document is taken for lines, of which the first is malformed.
func kindOfObjects(sample Sample) Kind {
	first, objects := true, 0
	for line := range bytes.Lines(sample.Text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if line[0] == '{' && json.Valid(line) {
			objects++
		} else {
			objects = 0
		}
		if objects == 2 || first && objects == 1 {
			return NDJSON
		}
		first = false
	}
	if isDocument(sample) {
		return JSONDocument
	}
	return NDJSON
}

// isDocument reports whether the sample begins with a JSON text, which may go on after it.
func isDocument(sample Sample) bool {
	decoder := json.NewDecoder(bytes.NewReader(sample.Text))
	var document json.RawMessage
	err := decoder.Decode(&document)
	switch {
	case err == nil:
		return true
	case sample.Whole:
		return false
	}
	return err == io.ErrUnexpectedEOF
}

// isLineProtocol reports whether the first line of head has the form of Influx line
// protocol: a measurement with its tags, a space, and a field.
func isLineProtocol(head []byte) bool {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return lineOfProtocol.Match(bytes.TrimSpace(line))
}

// lineOfProtocol matches a measurement, tags, fields, and the time, which may be missing. A
// backslash escapes the character after it.
var lineOfProtocol = regexp.MustCompile(
	`^(?:[^\\ ,]|\\.)+(?:,(?:[^\\ ,=]|\\.)+=(?:[^\\ ,=]|\\.)+)* ` +
		`(?:[^\\ ,=]|\\.)+=(?:"(?:[^"\\]|\\.)*"|[^ ,"=]+)` +
		`(?:,(?:[^\\ ,=]|\\.)+=(?:"(?:[^"\\]|\\.)*"|[^ ,"=]+))*(?: -?[0-9]+)?$`)

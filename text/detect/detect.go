// SPDX-License-Identifier: Apache-2.0

// Package detect finds out what a file of another program is: its kind, how it is encoded, and
// where it keeps its times. [Detect] returns what it found as data, as options that a reader of
// package text takes, and as one sentence for a person.
package detect

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/timeform"
)

// SampleLen is how much of a file Detect looks at, in bytes.
const SampleLen = 64 << 10

// Kind is what a file is.
type Kind string

// The kinds. Own says that export wrote the file.
const (
	CSV          Kind = "CSV"
	NDJSON       Kind = "NDJSON"
	JSONArray    Kind = "JSON array"
	JSONDocument Kind = "JSON document"
	LineProtocol Kind = "Influx line protocol"
	Parquet      Kind = "Parquet"
	SQLite       Kind = "SQLite"
)

// Hints are what a person said about a file. What they leave out, Detect finds.
type Hints struct {
	Kind Kind
	// Reader are the options of the reader that are known: a field that has its zero value is
	// found. Name is the file's name, and names its record, without its directory and endings.
	Reader text.ReadOptions
	// NoHeader says that the first row of CSV is not a header. Its columns are c1, c2 and so on.
	NoHeader bool
	// DecimalPoint says that a comma in CSV is no decimal comma.
	DecimalPoint bool
	// Encoding is the one that the sample was decoded from. It then has bytes that are no UTF-8
	// where the file is damaged. "": nobody says that it is not UTF-8.
	Encoding string
	// SkipBad says that damaged lines will be skipped.
	SkipBad bool
	// Time are what is known of the times.
	Time timeform.Options
}

// Finding is what Detect found.
type Finding struct {
	Kind   Kind
	Own    bool // the values are in the form that export writes
	Reader text.ReadOptions
	Time   *timeform.Form // nil: the values have no time, or are in our own form
	// Mixed are columns of CSV whose numbers become strings, because another cell is no number, or
	// all have an exponent.
	Mixed   []string
	shape   []string // of the sentence, after the kind: how the text is written
	details []string // of the sentence, after the shape
}

// String returns the sentence that tells a person what was found, without the file's name:
//
//	CSV, ';' between columns, decimal comma, header; time: "Datum" as DD.MM.YYYY; record "sensors"
func (f *Finding) String() string {
	kind := strings.Join(append([]string{string(f.Kind)}, f.shape...), ", ")
	return strings.Join(append([]string{kind}, f.details...), "; ")
}

// say adds to the part of the sentence that says how the text is written.
func (f *Finding) say(format string, args ...any) {
	f.shape = append(f.shape, fmt.Sprintf(format, args...))
}

// add adds a part to the sentence.
func (f *Finding) add(format string, args ...any) {
	f.details = append(f.details, fmt.Sprintf(format, args...))
}

// Sample is the beginning of a file, decompressed, in UTF-8 and without a byte order mark.
type Sample struct {
	Text  []byte
	Whole bool // the file ends after Text
}

// ErrDamaged is returned for a file that was decoded, and has bytes that are no character.
var ErrDamaged = errors.New("it is damaged: it has bytes that are no character of its encoding")

// EncodingError is returned for a file that must be decoded first.
type EncodingError struct{ Name string } // of the encoding: utf-16le

func (e *EncodingError) Error() string { return "it is UTF-16 without a byte order mark" }

// ErrNotText is returned for a file that is neither UTF-8 text nor of a kind that has none.
var ErrNotText = errors.New("it is no text in UTF-8, nor in UTF-16 with a byte order mark")

// Detect finds what the file is that starts with sample. It keeps nothing of the sample. Its error
// says what of the file cannot be known, or why it can be of no kind.
func Detect(sample Sample, hints Hints) (*Finding, error) {
	sample.Text = withoutSeparators(sample.Text)
	kind := hints.Kind
	if kind == "" {
		kind = kindOf(sample)
	}
	switch kind {
	case Parquet, SQLite:
		return &Finding{Kind: kind, Own: true, Reader: hints.Reader}, nil
	}
	sample, err := checkText(sample, hints)
	if err != nil {
		return nil, err
	}
	switch kind {
	case CSV:
		return detectCSV(sample, hints)
	case LineProtocol:
		return detectLineProtocol(sample, hints)
	}
	return detectJSON(sample, hints)
}

// checkText returns the sample if it is text. In a sample that was decoded, hints may allow damage:
// reading the file refuses the lines with it.
func checkText(sample Sample, hints Hints) (Sample, error) {
	if name := utf16Of(sample.Text); name != "" {
		return sample, &EncodingError{name}
	}
	if isText(sample) {
		return sample, nil
	}
	switch {
	case hints.Encoding == "":
		return sample, ErrNotText
	case hints.SkipBad:
		sample.Text = withoutDamage(sample.Text)
		return sample, nil
	}
	valid := len(sample.Text) - len(bytes.TrimLeftFunc(sample.Text, func(c rune) bool { return c != utf8.RuneError }))
	line := 1 + bytes.Count(sample.Text[:valid], []byte("\n"))
	return sample, &text.LineError{File: hints.Reader.Name, Line: line, LastLine: line, Err: ErrDamaged}
}

// withoutDamage returns a text with an empty line for each that has bytes which are no character.
func withoutDamage(damaged []byte) []byte {
	lines := bytes.Split(damaged, []byte("\n"))
	for i, line := range lines {
		if !utf8.Valid(line) {
			lines[i] = nil
		}
	}
	return bytes.Join(lines, []byte("\n"))
}

// utf16Of returns the name of the encoding of UTF-16 that was not decoded: most of its characters
// have a byte of zero in the same place. Otherwise it returns "".
func utf16Of(text []byte) string {
	var zeros [2]int // at the even and the odd places
	for i, b := range text {
		if b == 0 {
			zeros[i%2]++
		}
	}
	switch pairs := len(text) / 2; {
	case pairs < 2:
	case 3*zeros[1] > pairs && 20*zeros[0] < zeros[1]:
		return "utf-16le"
	case 3*zeros[0] > pairs && 20*zeros[1] < zeros[0]:
		return "utf-16be"
	}
	return ""
}

// withoutSeparators returns a JSON text sequence (RFC 7464) without the byte before each text, as
// the readers of JSON take it.
func withoutSeparators(sequence []byte) []byte {
	const separator = "\x1e"
	if !bytes.HasPrefix(sequence, []byte(separator)) {
		return sequence
	}
	first := bytes.TrimLeft(sequence, separator+" \t\r\n")
	if len(first) == 0 || first[0] != '{' && first[0] != '[' {
		return sequence
	}
	lines := bytes.Split(sequence, []byte("\n"))
	for i, line := range lines {
		lines[i] = bytes.TrimLeft(line, separator)
	}
	return bytes.Join(lines, []byte("\n"))
}

// isText reports whether a sample is UTF-8. Its end may have cut a character.
func isText(sample Sample) bool {
	text := sample.Text
	for cut := 0; cut < utf8.UTFMax && cut < len(text) && !sample.Whole; cut++ {
		if utf8.RuneStart(text[len(text)-1-cut]) {
			if last := text[len(text)-1-cut:]; !utf8.FullRune(last) {
				text = text[:len(text)-1-cut]
			}
			break
		}
	}
	return utf8.Valid(text)
}

// SPDX-License-Identifier: Apache-2.0

// Package detect finds out what a file of another program is: its kind, how it is encoded, and
// where it keeps its times. [Detect] returns what it found as data, as options that a reader of
// package text takes, and as one sentence for a person.
package detect

import (
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
	// Time are what is known of the times.
	Time timeform.Options
}

// Finding is what Detect found.
type Finding struct {
	Kind    Kind
	Own     bool // the values are in the form that export writes
	Reader  text.ReadOptions
	Time    *timeform.Form // nil: the values have no time, or are in our own form
	shape   []string       // of the sentence, after the kind: how the text is written
	details []string       // of the sentence, after the shape
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

// ErrNotText is returned for a file that is neither UTF-8 text nor of a kind that has none.
var ErrNotText = errors.New("it is no text in UTF-8, nor in UTF-16 with a byte order mark")

// Detect finds what the file is that starts with sample. It keeps nothing of the sample. Its error
// says what of the file cannot be known, or why it can be of no kind.
func Detect(sample Sample, hints Hints) (*Finding, error) {
	kind := hints.Kind
	if kind == "" {
		kind = kindOf(sample)
	}
	switch kind {
	case Parquet, SQLite:
		return &Finding{Kind: kind, Own: true, Reader: hints.Reader}, nil
	}
	if !isText(sample) {
		return nil, ErrNotText
	}
	switch kind {
	case CSV:
		return detectCSV(sample, hints)
	case LineProtocol:
		return detectLineProtocol(sample, hints)
	}
	return detectJSON(sample, hints)
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

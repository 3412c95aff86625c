// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/daybook-db/daybook"
)

// lineProtocolReader reads Influx line protocol.
type lineProtocolReader struct {
	lines  ndjsonReader
	opts   ReadOptions
	record NameTemplate
	fields []string // of record
}

// NewLineProtocolReader returns a reader of Influx line protocol:
//
//	weather,city=Vienna,station=12 celsius=21.50,humidity=40i 1764000000000000000
//
// The record is opts.Record, whose fields are tags, or {measurement}. Default: the measurement and
// the tags' values in the order of their keys, with dots between them: "weather.Vienna.12". The
// value is one JSON object of the fields: {"celsius":21.50,"humidity":40}. A number keeps its
// digits. A field that is no number that JSON has, as NaN, is left out. The time counts
// opts.TimeUnit. Lines of white space and comments are ignored.
func NewLineProtocolReader(in io.Reader, opts ReadOptions) (ValueReader, error) {
	r := &lineProtocolReader{lines: ndjsonReader{in: buffered(in), opts: opts}, opts: opts}
	if err := opts.TimeUnit.validate(); err != nil {
		return nil, err
	}
	if opts.Record != "" {
		var err error
		if r.record, err = ParseNameTemplate(opts.Record); err != nil {
			return nil, err
		}
		r.fields = r.record.Fields()
	}
	return r, nil
}

// IsUnended implements LineReader.
func (r *lineProtocolReader) IsUnended() bool { return r.lines.unended }

func (r *lineProtocolReader) Read() (daybook.StoredValue, error) {
	for {
		line, err := r.lines.readLine()
		if err != nil {
			return daybook.StoredValue{}, err
		}
		text := bytes.TrimSpace(line)
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		value, err := r.parse(line)
		if err != nil {
			return value, r.lines.lineError(err)
		}
		return value, nil
	}
}

func (r *lineProtocolReader) parse(line []byte) (daybook.StoredValue, error) {
	var none daybook.StoredValue
	if !utf8.Valid(line) {
		return none, ErrNotUTF8
	}
	p := pointScanner{line: string(line)}
	point, err := p.point()
	if err != nil {
		return none, err
	}
	storedAt, err := r.opts.ParseTime(point.time)
	if err != nil {
		return none, err
	}
	name, err := r.name(point)
	if err != nil {
		return none, err
	}
	return checkedValue(name, point.value, storedAt)
}

// name returns the name of a point's record.
func (r *lineProtocolReader) name(p point) (string, error) {
	if r.opts.Record == "" {
		parts := []string{p.measurement}
		for _, tag := range p.tags {
			parts = append(parts, tag.value)
		}
		return strings.Join(parts, "."), nil
	}
	texts := make([]string, len(r.fields))
	for i, field := range r.fields {
		at := slices.IndexFunc(p.tags, func(t tag) bool { return t.key == field })
		switch {
		case at >= 0:
			texts[i] = p.tags[at].value
		case field == "measurement":
			texts[i] = p.measurement
		default:
			return "", fmt.Errorf("tag %q: %w", shorten(field, maxQuoted), errMissing)
		}
	}
	return r.record.Name(texts)
}

// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/daybook-db/daybook"
)

// field is a part of an operation that can be read and written in both forms. The list of its
// fields is all that an operation says about its form.
type field interface {
	decode(in *byteReader)
	encode(data []byte) ([]byte, error)
	text() string
	parse(in *wordReader) error
}

// byteReader returns one byte after another. After the end of data it returns zeros.
type byteReader struct{ data []byte }

func (in *byteReader) next() byte {
	if len(in.data) == 0 {
		return 0
	}
	b := in.data[0]
	in.data = in.data[1:]
	return b
}

// wordReader returns one word of a line after another. A word that begins with a quote ends with
// one.
type wordReader struct{ line string }

// next returns the next word, without quotes.
func (in *wordReader) next() (word string, err error) {
	in.line = strings.TrimLeft(in.line, " ")
	if in.line == "" {
		return "", errors.New("the line ends early")
	}
	if quoted, err := strconv.QuotedPrefix(in.line); err == nil {
		in.line = in.line[len(quoted):]
		return strconv.Unquote(quoted)
	}
	word, in.line, _ = strings.Cut(in.line, " ")
	return word, nil
}

func decodeFields(in *byteReader, fields []field) {
	for _, f := range fields {
		f.decode(in)
	}
}

func encodeFields(data []byte, fields []field) (_ []byte, err error) {
	for _, f := range fields {
		if data, err = f.encode(data); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// textOf returns the text of fields.
func textOf(fields []field) string {
	var texts []string
	for _, f := range fields {
		texts = append(texts, f.text())
	}
	return strings.Join(texts, " ")
}

func parseFields(line string, fields []field) error {
	in := &wordReader{line}
	for _, f := range fields {
		if err := f.parse(in); err != nil {
			return err
		}
	}
	if in.line != "" {
		return fmt.Errorf("the line ends with %q, which is too much", in.line)
	}
	return nil
}

// word is a field that appears only in text, which it makes readable.
type word string

func (word) decode(*byteReader)                 {}
func (word) encode(data []byte) ([]byte, error) { return data, nil }
func (w word) text() string                     { return string(w) }

func (w word) parse(in *wordReader) error {
	if got, err := in.next(); err != nil || got != string(w) {
		return fmt.Errorf("got %q; want %q", got, string(w))
	}
	return nil
}

// choice is a field that one byte chooses from a list. The list is short, so that equal fields are
// common. In text, the field can have any value that scan accepts.
type choice[T comparable] struct {
	to    *T
	from  []T
	print func(T) string
	scan  func(string) (T, error)
}

func (c choice[T]) decode(in *byteReader) { *c.to = c.from[int(in.next())%len(c.from)] }

func (c choice[T]) encode(data []byte) ([]byte, error) {
	at := slices.Index(c.from, *c.to)
	if at < 0 {
		return nil, fmt.Errorf("bytes cannot express %s", c.text())
	}
	return append(data, byte(at)), nil
}

func (c choice[T]) text() string { return c.print(*c.to) }

func (c choice[T]) parse(in *wordReader) error {
	word, err := in.next()
	if err != nil {
		return err
	}
	if *c.to, err = c.scan(word); err != nil {
		return fmt.Errorf("%q: %w", word, err)
	}
	return nil
}

// longestName stands, in text, for the longest record name.
const longestName = "<longest>"

var (
	names = []string{"a", "a.b", "a.b.c", "ab", "a\x01", "b", "ä.ö", "z*",
		strings.Repeat("n", daybook.MaxRecordNameLen)}
	patterns = []string{"*", "a", "a.b", "a*", "a.*", "*b", "?", `z\*`, "nothing", "*.*", "#", "a.#",
		"n*", "a\x01", `a\`}
	times = someTimes()
)

// someTimes returns a few timestamps, so that many are equal, among them the extremes.
func someTimes() (times []uint64) {
	for at := range uint64(41) {
		times = append(times, at)
	}
	return append(times, 1<<40, 1<<63-1, 1<<63, math.MaxUint64-1, math.MaxUint64, math.MaxUint64)
}

func name(to *string) field    { return choice[string]{to, names, quote, unquote} }
func pattern(to *string) field { return choice[string]{to, patterns, quote, unquote} }

// quote returns a name or a pattern as one word. It adds quotes if the text would otherwise be read
// as several words, or as another text.
func quote(text string) string {
	switch {
	case text == names[len(names)-1]:
		return longestName
	case strings.ContainsAny(text, "\" \\`'") || text == "" || text == longestName,
		strconv.Quote(text) != `"`+text+`"`:
		return strconv.Quote(text)
	}
	return text
}

// unquote returns the name or the pattern of a word whose quotes were removed.
func unquote(word string) (string, error) {
	if word == longestName {
		return names[len(names)-1], nil
	}
	return word, nil
}

func timestamp(to *uint64) field {
	return choice[uint64]{to, times, func(at uint64) string { return strconv.FormatUint(at, 10) }, parseTime}
}

// timestampOrZero is 0 half of the time.
func timestampOrZero(to *uint64) field {
	c := timestamp(to).(choice[uint64])
	c.from = append(make([]uint64, len(times)), times...)
	return c
}

func parseTime(word string) (uint64, error) { return strconv.ParseUint(word, 10, 64) }

// Bound is one end of a range of timestamps. The zero Bound is no bound.
type Bound struct {
	Is bool   // there is a bound
	At uint64 // it is inclusive
}

func (b Bound) pointer() *uint64 {
	if b.Is {
		return &b.At
	}
	return nil
}

func bound(to *Bound) field {
	bounds := []Bound{}
	for _, at := range times {
		bounds = append(bounds, Bound{}, Bound{true, at})
	}
	return choice[Bound]{to, bounds, printBound, parseBound}
}

func printBound(b Bound) string {
	if !b.Is {
		return "-"
	}
	return strconv.FormatUint(b.At, 10)
}

func parseBound(word string) (Bound, error) {
	if word == "-" {
		return Bound{}, nil
	}
	at, err := parseTime(word)
	return Bound{true, at}, err
}

func number(to *int, from ...int) field { return choice[int]{to, from, strconv.Itoa, strconv.Atoi} }

// oneOf is a choice with a word for each value.
func oneOf[T comparable](to *T, from []T, texts ...string) field {
	print := func(v T) string { return texts[slices.Index(from, v)] }
	scan := func(word string) (v T, err error) {
		at := slices.Index(texts, word)
		if at < 0 {
			return v, fmt.Errorf("want one of %q", texts)
		}
		return from[at], nil
	}
	return choice[T]{to, from, print, scan}
}

func syntax(to *daybook.PatternSyntax) field {
	return oneOf(to, []daybook.PatternSyntax{daybook.Glob, daybook.Topic}, "glob", "topic")
}

func order(to *daybook.Order) field {
	return oneOf(to, []daybook.Order{daybook.NewestFirst, daybook.OldestFirst}, "newest", "oldest")
}

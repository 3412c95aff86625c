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

// field is a part of an operation, which it reads and writes in both forms. An operation that lists its
// fields has all there is to say of its form.
type field interface {
	decode(in *input)
	encode(data []byte) ([]byte, error)
	text() string
	parse(in *words) error
}

// input is bytes to decode. Behind their end are zeros.
type input struct{ data []byte }

func (in *input) next() byte {
	if len(in.data) == 0 {
		return 0
	}
	b := in.data[0]
	in.data = in.data[1:]
	return b
}

// words is a line to parse. A word that begins with a quote ends with one.
type words struct{ line string }

func (in *words) next() (word string, err error) {
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

func decodeFields(in *input, fields []field) {
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

func join(fields []field) string {
	var texts []string
	for _, f := range fields {
		texts = append(texts, f.text())
	}
	return strings.Join(texts, " ")
}

func parseFields(line string, fields []field) error {
	in := &words{line}
	for _, f := range fields {
		if err := f.parse(in); err != nil {
			return err
		}
	}
	if in.line != "" {
		return fmt.Errorf("%q is too much", in.line)
	}
	return nil
}

// word is there for whoever reads the text.
type word string

func (word) decode(*input)                      {}
func (word) encode(data []byte) ([]byte, error) { return data, nil }
func (w word) text() string                     { return string(w) }

func (w word) parse(in *words) error {
	if got, err := in.next(); err != nil || got != string(w) {
		return fmt.Errorf("got %q; want %q", got, string(w))
	}
	return nil
}

// choice is a field that a byte chooses from a few, so that equal ones are common.
type choice[T comparable] struct {
	to    *T
	from  []T
	print func(T) string
	scan  func(string) (T, error)
}

func (c choice[T]) decode(in *input) { *c.to = c.from[int(in.next())%len(c.from)] }

func (c choice[T]) encode(data []byte) ([]byte, error) {
	at := slices.Index(c.from, *c.to)
	if at < 0 {
		return nil, fmt.Errorf("%s is not among those that bytes can say", c.text())
	}
	return append(data, byte(at)), nil
}

func (c choice[T]) text() string { return c.print(*c.to) }

func (c choice[T]) parse(in *words) error {
	word, err := in.next()
	if err != nil {
		return err
	}
	if *c.to, err = c.scan(word); err != nil {
		return fmt.Errorf("%q: %w", word, err)
	}
	return nil
}

// longest stands for the longest name there may be.
const longest = "<longest>"

var (
	names    = []string{"a", "a.b", "a.b.c", "ab", "a\x01", "b", "ä.ö", "z*", strings.Repeat("n", daybook.MaxRecordNameLen)}
	patterns = []string{"*", "a", "a.b", "a*", "a.*", "*b", "?", `z\*`, "nothing", "*.*", "#", "a.#", "n*", "a\x01", `a\`}
	times    = someTimes()
)

// someTimes returns few times, so that many are equal, and the extremes.
func someTimes() (times []uint64) {
	for at := range uint64(41) {
		times = append(times, at)
	}
	return append(times, 1<<40, 1<<63-1, 1<<63, math.MaxUint64-1, math.MaxUint64, math.MaxUint64)
}

func name(to *string) field    { return choice[string]{to, names, quote, unquote} }
func pattern(to *string) field { return choice[string]{to, patterns, quote, unquote} }

// quote quotes what would not be one word, or not the same when it is read.
func quote(text string) string {
	switch {
	case text == names[len(names)-1]:
		return longest
	case strings.ContainsAny(text, "\" \\`'") || text == "" || text == longest || strconv.Quote(text) != `"`+text+`"`:
		return strconv.Quote(text)
	}
	return text
}

func unquote(word string) (string, error) {
	if word == longest {
		return names[len(names)-1], nil
	}
	return word, nil
}

func timestamp(to *uint64) field {
	return choice[uint64]{to, times, func(at uint64) string { return strconv.FormatUint(at, 10) }, parseTime}
}

func parseTime(word string) (uint64, error) { return strconv.ParseUint(word, 10, 64) }

// Bound is one end of a range of time. The zero Bound is none.
type Bound struct {
	Is bool
	At uint64
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

// oneOf is a field with a word for each of its values.
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

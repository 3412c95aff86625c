// SPDX-License-Identifier: Apache-2.0

package text

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// point is a line of Influx line protocol.
type point struct {
	measurement string
	tags        []tag // in the order of their keys
	value       json.RawMessage
	time        string // may be empty
}

type tag struct{ key, value string }

// pointScanner takes a line of Influx line protocol apart. The decoder of
// github.com/influxdata/line-protocol turns numbers into floats and has had no release for years.
type pointScanner struct {
	line string
	at   int
}

func (s *pointScanner) point() (p point, err error) {
	s.line = strings.TrimRight(s.line, " \t\r\n")
	s.skipBlanks()
	if p.measurement, err = s.token("a measurement", ", "); err != nil {
		return p, err
	}
	if p.tags, err = s.tags(); err != nil {
		return p, err
	}
	s.skipBlanks()
	if p.value, err = s.fields(); err != nil {
		return p, err
	}
	s.skipBlanks()
	p.time = s.line[s.at:]
	if end := strings.IndexByte(p.time, ' '); end >= 0 {
		s.at += end
		return p, s.wrong("nothing after the time")
	}
	return p, nil
}

func (s *pointScanner) skipBlanks() {
	for s.at < len(s.line) && (s.line[s.at] == ' ' || s.line[s.at] == '\t') {
		s.at++
	}
}

func (s *pointScanner) wrong(want string) error {
	return &SyntaxError{Format: "Influx line protocol", Offset: s.at, Want: want, Incomplete: s.at >= len(s.line)}
}

// takes reports whether the next byte is b, and takes it then.
func (s *pointScanner) takes(b byte) bool {
	if s.at < len(s.line) && s.line[s.at] == b {
		s.at++
		return true
	}
	return false
}

// token reads a name up to one of the bytes that end it, and resolves its escapes: a backslash
// before a comma, an equals sign, a space or a backslash.
func (s *pointScanner) token(want, ends string) (string, error) {
	var token strings.Builder
	start := s.at
	for s.at < len(s.line) && strings.IndexByte(ends, s.line[s.at]) < 0 {
		if s.line[s.at] == '\\' && s.at+1 < len(s.line) && strings.IndexByte(`,= \`, s.line[s.at+1]) >= 0 {
			s.at++
		}
		token.WriteByte(s.line[s.at])
		s.at++
	}
	if s.at == start {
		return "", s.wrong(want)
	}
	return token.String(), nil
}

func (s *pointScanner) tags() (tags []tag, err error) {
	for s.takes(',') {
		var t tag
		if t.key, err = s.token("the key of a tag", ",= "); err != nil {
			return nil, err
		}
		if !s.takes('=') {
			return nil, s.wrong("an equals sign after the key of a tag")
		}
		if t.value, err = s.token("the value of a tag", ",= "); err != nil {
			return nil, err
		}
		tags = append(tags, t)
	}
	slices.SortStableFunc(tags, func(a, b tag) int { return strings.Compare(a.key, b.key) })
	for i := 1; i < len(tags); i++ {
		if tags[i].key == tags[i-1].key {
			return nil, fmt.Errorf("tag %q: %w", shorten(tags[i].key, maxQuoted), errTwice)
		}
	}
	return tags, nil
}

// fields reads the fields as one JSON object.
func (s *pointScanner) fields() (json.RawMessage, error) {
	object, keys := []byte{'{'}, make([]string, 0, 8)
	for {
		key, err := s.token("the key of a field", ",= ")
		if err != nil {
			return nil, err
		}
		if !s.takes('=') {
			return nil, s.wrong("an equals sign after the key of a field")
		}
		value, err := s.fieldValue()
		if err != nil {
			return nil, err
		}
		if value != nil {
			if len(object) > 1 {
				object = append(object, ',')
			}
			object = append(append(appendString(object, key), ':'), value...)
		}
		keys = append(keys, key)
		if !s.takes(',') {
			return append(object, '}'), checkFields(keys)
		}
	}
}

// checkFields returns an error if two fields of a point have the same key.
func checkFields(keys []string) error {
	slices.Sort(keys)
	for i := 1; i < len(keys); i++ {
		if keys[i] == keys[i-1] {
			return fmt.Errorf("field %q: %w", shorten(keys[i], maxQuoted), errTwice)
		}
	}
	return nil
}

// fieldValue returns the JSON of a field's value, nil for a number that JSON does not have.
func (s *pointScanner) fieldValue() ([]byte, error) {
	if s.at < len(s.line) && s.line[s.at] == '"' {
		return s.quoted()
	}
	start := s.at
	for s.at < len(s.line) && s.line[s.at] != ',' && s.line[s.at] != ' ' {
		s.at++
	}
	value, ok := fieldJSON(s.line[start:s.at])
	if !ok {
		s.at = start
		return nil, s.wrong("a number, a bool or a string in quotes")
	}
	return value, nil
}

// quoted reads a string. Its escapes are a backslash before a quote or a backslash.
func (s *pointScanner) quoted() ([]byte, error) {
	var text strings.Builder
	for s.at++; s.at < len(s.line); s.at++ {
		switch b := s.line[s.at]; {
		case b == '"':
			s.at++
			return appendString(nil, text.String()), nil
		case b == '\\' && s.at+1 < len(s.line) && (s.line[s.at+1] == '"' || s.line[s.at+1] == '\\'):
			s.at++
		}
		text.WriteByte(s.line[s.at])
	}
	return nil, s.wrong("the end of a string")
}

// fieldJSON returns the JSON of a field that is no string.
func fieldJSON(text string) (value []byte, ok bool) {
	switch text {
	case "t", "T", "true", "True", "TRUE":
		return []byte("true"), true
	case "f", "F", "false", "False", "FALSE":
		return []byte("false"), true
	}
	number := strings.TrimPrefix(text, "+")
	last := number[max(len(number)-1, 0):]
	if last == "i" || last == "u" {
		number = number[:len(number)-1]
		return []byte(number), isNumber(number) && !strings.ContainsAny(number, ".eE")
	}
	if isNumber(number) {
		return []byte(number), true
	}
	switch strings.ToLower(strings.TrimLeft(number, "+-")) {
	case "nan", "inf", "infinity":
		return nil, true
	}
	return floatJSON(number)
}

// floatJSON returns the JSON of a float that JSON writes otherwise: .5, 5. or 007.
func floatJSON(text string) (value []byte, ok bool) {
	digits, isNegative := strings.CutPrefix(text, "-")
	mantissa, exponent := digits, ""
	if e := strings.IndexAny(digits, "eE"); e >= 0 {
		mantissa, exponent = digits[:e], digits[e:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole == "" && fraction == "" {
		return nil, false
	}
	number := strings.TrimLeft(whole, "0")
	if number == "" {
		number = "0"
	}
	if fraction != "" {
		number += "." + fraction
	}
	number += exponent
	if isNegative {
		number = "-" + number
	}
	return []byte(number), isNumber(number)
}

// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/daybook-db/daybook"
)

// objectForm says where an object has its record, its time and its value.
type objectForm struct {
	opts   ReadOptions
	known  bool // one of the forms that parseLine reads
	name   NameTemplate
	fields []jsonPath // of name
	times  []jsonPath
	value  jsonPath // nil: what remains
}

func newObjectForm(opts ReadOptions) (form *objectForm, err error) {
	form = &objectForm{opts: opts, known: opts.Record == "" && len(opts.Time) == 0 && opts.Value == ""}
	if err := opts.TimeUnit.validate(); err != nil {
		return nil, err
	}
	if opts.Record != "" {
		if form.name, err = ParseNameTemplate(opts.Record); err != nil {
			return nil, err
		}
	}
	if form.fields, err = parsePaths(form.name.Fields()); err != nil {
		return nil, err
	}
	times := opts.Time
	if len(times) == 0 {
		times = []string{topicForm.time}
	}
	if form.times, err = parsePaths(times); err != nil {
		return nil, err
	}
	if opts.Value != "" {
		form.value, err = parsePath(opts.Value)
	}
	return form, err
}

// parse reads an object. key is what AnyMember stood for on the way to it.
func (f *objectForm) parse(raw []byte, key string) (daybook.StoredValue, error) {
	if f.known {
		value, err := parseLine(raw, f.opts)
		if err == nil || !isWithoutValue(err) {
			return value, err
		}
	}
	var none daybook.StoredValue
	raw, err := checkObject(raw)
	if err != nil {
		return none, err
	}
	o := objectParser{text: raw}
	storedAt, err := f.parseTime(&o)
	if err != nil {
		return none, err
	}
	name, err := f.parseName(&o, key)
	if err != nil {
		return none, err
	}
	value, err := f.parseValue(&o)
	if err != nil {
		return none, err
	}
	return checkedValue(name, value, storedAt)
}

// isWithoutValue reports whether an object lacks only the payload beside a topic.
func isWithoutValue(err error) bool {
	var member *MemberError
	return errors.As(err, &member) && member.Member == topicForm.value && member.Err == errMissing
}

// isTime reports whether a column of a table has the time.
func (f *objectForm) isTime(column string) bool { return f.times[0][0] == column }

// hasTime reports whether an element of an array is an object with a time.
func (f *objectForm) hasTime(element []byte) bool {
	if daybook.ValidateValue(element) != nil {
		return false
	}
	for _, path := range f.times {
		if _, found, err := path.find(element); err != nil || !found {
			return false
		}
	}
	return true
}

// checkObject returns the text of an object: raw, unless its payload is no JSON.
func checkObject(raw []byte) ([]byte, error) {
	s := memberScanner{line: raw}
	if s.skipSpace() != '{' {
		return nil, s.notAnObject()
	}
	return checkJSON(raw)
}

// checkJSON returns a JSON text: raw, unless that is an object whose payload is no JSON.
func checkJSON(raw []byte) ([]byte, error) {
	err := daybook.ValidateValue(raw)
	if err == nil {
		return raw, nil
	}
	if quoted, ok := quotePayload(raw); ok {
		return quoted, nil
	}
	var invalid *daybook.ValueError
	if errors.As(err, &invalid) {
		return nil, &SyntaxError{Offset: invalid.Offset, Reason: invalid.Reason, Incomplete: invalid.Offset >= len(raw)}
	}
	return nil, err
}

// objectParser reads the parts of an object, and remembers which of them are no part of its value.
type objectParser struct {
	text []byte
	used []jsonPath
}

// member returns the JSON at a path, nil if there is none or null.
func (o *objectParser) member(path jsonPath) (json.RawMessage, error) {
	span, found, err := path.find(o.text)
	if err != nil || !found {
		return nil, err
	}
	o.used = append(o.used, path)
	if value := o.text[span.value:span.end]; !isNull(value) {
		return value, nil
	}
	return nil, nil
}

// rest returns the object without the parts that were read.
func (o *objectParser) rest() (json.RawMessage, error) {
	text := bytes.Clone(bytes.TrimSpace(o.text))
	for _, path := range o.used {
		span, found, err := path.find(text)
		if err != nil {
			return nil, err
		}
		if found && span.isMember {
			text = span.cut(text)
		}
	}
	return text, nil
}

func (f *objectForm) parseTime(o *objectParser) (uint64, error) {
	var texts []string
	for _, path := range f.times {
		member, err := o.member(path)
		if err != nil {
			return 0, err
		}
		if member == nil {
			continue
		}
		text, err := memberText(member)
		if err != nil {
			return 0, &MemberError{path.String(), err}
		}
		texts = append(texts, text)
	}
	switch {
	case len(texts) == len(f.times):
		storedAt, err := f.opts.parseTime(strings.Join(texts, " "))
		if err != nil {
			err = &MemberError{f.times[0].String(), err}
		}
		return storedAt, err
	case len(texts) > 0:
		return 0, &MemberError{f.times[len(texts)].String(), errMissing}
	}
	storedAt, err := f.opts.missingTime()
	if err != nil {
		err = &MemberError{f.times[0].String(), err}
	}
	return storedAt, err
}

// memberText returns the text of a string, a number or a bool.
func memberText(member json.RawMessage) (string, error) {
	switch kind := kindOf(member); kind {
	case "string":
		return decodeString(member)
	case "object", "array":
		return "", &KindError{Got: kind, Want: "a string or a number"}
	}
	return string(member), nil
}

func (f *objectForm) parseName(o *objectParser, key string) (string, error) {
	if f.opts.Record == "" {
		return o.knownName()
	}
	texts := make([]string, len(f.fields))
	for i, path := range f.fields {
		if len(path) == 1 && path[0] == AnyMember && key != "" {
			texts[i] = key
			continue
		}
		member, err := o.member(path)
		if err == nil && member == nil {
			err = &MemberError{path.String(), errMissing}
		}
		if err != nil {
			return "", err
		}
		if texts[i], err = memberText(member); err != nil {
			return "", &MemberError{path.String(), err}
		}
		if len(path) == 1 && path[0] == topicForm.name {
			texts[i] = topicForm.recordName(texts[i])
		}
	}
	return f.name.Name(texts)
}

// knownName returns the name of the record that the object itself has.
func (o *objectParser) knownName() (string, error) {
	for _, form := range []lineForm{ownForm, topicForm} {
		member, err := o.member(jsonPath{form.name})
		if err != nil {
			return "", err
		}
		if member == nil {
			continue
		}
		name, err := decodeString(member)
		if err != nil {
			return "", &MemberError{form.name, err}
		}
		return form.recordName(name), nil
	}
	return "", errNoName
}

func (f *objectForm) parseValue(o *objectParser) (json.RawMessage, error) {
	if f.value != nil {
		span, found, err := f.value.find(o.text)
		if err == nil && !found {
			err = &MemberError{f.value.String(), errMissing}
		}
		return bytes.Clone(o.text[span.value:span.end]), err
	}
	for _, form := range []lineForm{ownForm, topicForm} {
		_, named, err := jsonPath{form.name}.find(o.text)
		if err != nil || !named {
			continue
		}
		span, found, err := jsonPath{form.value}.find(o.text)
		if err != nil {
			return nil, err
		}
		if found {
			return bytes.Clone(o.text[span.value:span.end]), nil
		}
	}
	return o.rest()
}

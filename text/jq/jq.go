// SPDX-License-Identifier: Apache-2.0

// Package jq reads JSON of any form with an expression of jq.
//
// The expression gets each line of NDJSON, each element of an array, or a document. Each of its
// results is a value of a record:
//
//	.results[] | {record_name: "weather.\(.city)", stored_at: .time, value: {celsius: .t}}
//
// A time is a number, or a text in any form that package timeform finds. Numbers that the
// expression does not calculate with keep their digits. The members of an object come in the order
// of their names, because jq does not know another.
//
// It is not part of package text, because the interpreter is large.
package jq

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/itchyny/gojq"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/timeform"
)

// reader reads the results of an expression.
type reader struct {
	ctx     context.Context
	code    *gojq.Code
	values  *text.JSONValues
	opts    text.ReadOptions
	times   timeform.Options
	results gojq.Iter // of the last value; nil: there is none
	ahead   []any     // results that were taken from it to find the form of their times
}

// NewReader returns a reader of what an expression makes of the values of in. A result without a
// record_name is of the record opts.Record, which has no fields. What is known of the times is in
// times: opts has neither a unit nor a parser. An expression that does not end is ended by ctx.
func NewReader(ctx context.Context, in io.Reader, expression string,
	opts text.ReadOptions, times timeform.Options,
) (text.ValueReader, error) {
	code, err := compile(expression)
	if err != nil {
		return nil, err
	}
	if opts.Record != "" {
		if err := daybook.ValidateRecordName(opts.Record); err != nil {
			return nil, err
		}
	}
	values, err := text.NewJSONValues(in, opts)
	if err != nil {
		return nil, err
	}
	opts.TimeUnit, opts.AnyTime, opts.Times = times.Unit, times.AnyTime, nil
	return &reader{ctx: ctx, code: code, values: values, opts: opts, times: times}, nil
}

func compile(expression string) (*gojq.Code, error) {
	query, err := gojq.Parse(expression)
	if err != nil {
		return nil, fmt.Errorf("%w: the expression is no jq: %w", daybook.ErrInvalidParams, err)
	}
	code, err := gojq.Compile(query)
	if err != nil {
		return nil, fmt.Errorf("%w: the expression is no jq: %w", daybook.ErrInvalidParams, err)
	}
	return code, nil
}

func (r *reader) Read() (daybook.StoredValue, error) {
	for {
		if r.results == nil {
			if err := r.nextValue(); err != nil {
				return daybook.StoredValue{}, err
			}
		}
		result, ok := r.nextResult()
		if err := r.ctx.Err(); err != nil {
			return daybook.StoredValue{}, err
		}
		if !ok {
			r.results = nil
			continue
		}
		value, err := r.parse(result)
		if err != nil {
			return value, r.values.LineError(err)
		}
		return value, nil
	}
}

// nextResult returns the next result of the last value.
func (r *reader) nextResult() (result any, ok bool) {
	if len(r.ahead) > 0 {
		result, r.ahead = r.ahead[0], r.ahead[1:]
		return result, true
	}
	return r.results.Next()
}

// nextValue gives the expression the next value.
func (r *reader) nextValue() error {
	raw, err := r.values.Next()
	if err != nil {
		return err
	}
	value, err := decode(raw)
	if err != nil {
		return r.values.LineError(err)
	}
	r.results = r.code.RunWithContext(r.ctx, value)
	return nil
}

// parse makes a value of a result. After an error of the expression it has no other results.
func (r *reader) parse(result any) (value daybook.StoredValue, err error) {
	if err, isError := result.(error); isError {
		r.results, r.ahead = nil, nil
		return value, fmt.Errorf("the expression fails: %w", err)
	}
	object, isObject := result.(map[string]any)
	if !isObject {
		return value, fmt.Errorf("the expression makes %s: want {record_name, stored_at, value}", kindOf(result))
	}
	if value.RecordName, err = r.recordName(object); err != nil {
		return value, err
	}
	if value.StoredAt, err = r.storedAt(object["stored_at"]); err != nil {
		return value, &text.MemberError{Member: "stored_at", Err: err}
	}
	stored, hasValue := object["value"]
	if !hasValue {
		return value, &text.MemberError{Member: "value", Err: errMissing}
	}
	if value.Value, err = gojq.Marshal(stored); err != nil {
		return value, &text.MemberError{Member: "value", Err: err}
	}
	if err := daybook.ValidateRecordName(value.RecordName); err != nil {
		return value, err
	}
	return value, daybook.ValidateValue(value.Value)
}

var errMissing = errors.New("the expression does not make it")

func (r *reader) recordName(object map[string]any) (string, error) {
	switch name := object["record_name"].(type) {
	case string:
		return name, nil
	case nil:
		if r.opts.Record != "" {
			return r.opts.Record, nil
		}
		return "", &text.MemberError{Member: "record_name", Err: errMissing}
	default:
		return "", &text.MemberError{Member: "record_name", Err: &text.KindError{Got: kindOf(name), Want: "a string"}}
	}
}

// kindOf names the kind of a result.
func kindOf(result any) string { return gojq.TypeOf(result) }

// SPDX-License-Identifier: Apache-2.0

package jq_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/jq"
	"github.com/daybook-db/daybook/text/timeform"
)

// read returns a line for each value or bad line.
func read(
	t *testing.T, expression, input string, opts text.ReadOptions, times timeform.Options,
) (lines []string) {
	t.Helper()
	r, err := jq.NewReader(t.Context(), strings.NewReader(input), expression, opts, times)
	if err != nil {
		t.Fatal(err)
	}
	for {
		v, err := r.Read()
		switch {
		case err == io.EOF:
			return lines
		case errors.As(err, new(*text.LineError)):
			lines = append(lines, err.Error())
		case err != nil:
			t.Fatal(err)
		default:
			lines = append(lines, fmt.Sprintf("%s %d %s", v.RecordName, v.StoredAt, v.Value))
		}
	}
}

func TestReader(t *testing.T) {
	tests := []struct {
		name       string
		expression string
		input      string
		want       []string
	}{
		{"numbers keep their digits", `{record_name: .n, stored_at: .t, value: .v}`,
			`{"n":"r","t":1764000000.5,"v":{"b":1.50,"a":12345678901234567890}}`,
			[]string{`r 1764000000500 {"a":12345678901234567890,"b":1.50}`}},
		{"results of a document",
			`.data.result[] | .metric.job as $j | .values[] | {record_name: $j, stored_at: .[0], value: .[1]}`,
			`{"data":{"result":[{"metric":{"job":"a"},"values":[[1764000000,"1"],[1764000001,"2"]]}]}}`,
			[]string{`a 1764000000000 "1"`, `a 1764000001000 "2"`}},
		{"a document whose second line begins with an object", `.a[] | {record_name: "r", stored_at: .t, value: 1}`,
			"{\"a\":[\n{\"t\":1764000000},\n{\"t\":1764000001}]}", []string{`r 1764000000000 1`, `r 1764000001000 1`}},
		{"elements of an array", `select(.v > 1) | {record_name: "r", stored_at: .t, value: .v}`,
			"[{\"t\":1764000000,\"v\":1},\n{\"t\":\"2025-11-24T16:00:00Z\",\"v\":2}]", []string{`r 1764000000000 2`}},
		{"arrays in an array", `.[] | {record_name: "r", stored_at: .t, value: .v}`,
			`[[{"t":1764000000,"v":1}],[{"t":1764000001,"v":null}]]`,
			[]string{`r 1764000000000 1`, `r 1764000001000 null`}},
		{"a calculated time", `{record_name: "r", stored_at: (.t / 1000 | floor), value: .v}`,
			`{"t":1764000000123,"v":"<é>"}`, []string{`r 1764000000000 "<é>"`}},
		{"lines", `{record_name: "r", stored_at: .t, value: 1}`, "{\"t\":1764000000}\n{\"t\":on}\n{\"t\":1764000000}\n",
			[]string{"r 1764000000000 1", "line 2: not JSON: a value was expected at byte 6", "r 1764000000000 1"}},
		{"a member twice, which jq would drop", `{record_name: "r", stored_at: .t, value: .a}`,
			`{"t":1764000000,"a":[{"v":1},{"v":{"t":1}}]}` + "\n" +
				`{"t":1764000000,"a":[{"v":1,"x":"v","v":2}]}`,
			[]string{`r 1764000000000 [{"v":1},{"v":{"t":1}}]`,
				`line 2: member "v": it is there twice, and an expression sees only one of them`}},
		{"no record", `{stored_at: .t, value: 1}`, "\n{\"t\":1764000000}",
			[]string{`line 2: member "record_name": the expression does not make it`}},
		{"a record that is a number", `{record_name: 1, stored_at: .t, value: 1}`, `{"t":1764000000}`,
			[]string{`line 1: member "record_name": it is a JSON number: want a string`}},
		{"no time", `{record_name: "r", value: 1}`, `{}`, []string{`line 1: member "stored_at": it has no time`}},
		{"a time without a unit", `{record_name: "r", stored_at: 7, value: 1}`, `{}`, []string{
			`line 1: member "stored_at": "7" is not a time without a unit: ` +
				`want 10 digits before any fraction for s, 13 for ms, 16 for us or 19 for ns`}},
		{"no value", `{record_name: "r", stored_at: .t}`, `{"t":1764000000}`,
			[]string{`line 1: member "value": the expression does not make it`}},
		{"no object", `.t`, `{"t":1764000000}`,
			[]string{`line 1: the expression makes number: want {record_name, stored_at, value}`}},
		{"an expression that fails, and the line after it", `{record_name: "r", stored_at: .t, value: .t[0]}`,
			"{\"t\":1764000000}\n{\"t\":1764000000}\n",
			[]string{`line 1: the expression fails: expected an array but got: number (1764000000)`,
				`line 2: the expression fails: expected an array but got: number (1764000000)`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := read(t, test.expression, test.input, text.ReadOptions{}, timeform.Options{})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRecordOfOptions(t *testing.T) {
	got := read(t, `{stored_at: .t, value: 1}`, `{"t":1764000000}`, text.ReadOptions{Record: "x"}, timeform.Options{})
	if diff := cmp.Diff([]string{"x 1764000000000 1"}, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// TestFormsOfTimes wants that the results of one value say the form of their times.
func TestFormsOfTimes(t *testing.T) {
	zone := time.FixedZone("UTC+01:00", 3600)
	const expression = `.t[] | {record_name: "r", stored_at: ., value: 1}`
	tests := []struct {
		name  string
		times timeform.Options
		input string
		want  []string
	}{
		{"a local time", timeform.Options{Zone: zone}, `{"t":["2025-11-24 17:00"]}`, []string{"r 1764000000000 1"}},
		{"a later one tells the day", timeform.Options{Zone: zone}, `{"t":["03/04/2025 01:00","24/11/2025 17:00"]}`,
			[]string{"r 1743638400000 1", "r 1764000000000 1"}},
		{"a unit", timeform.Options{Unit: text.Seconds, AnyTime: true}, `{"t":[7]}`, []string{"r 7000 1"}},
		{"a form that a person said", timeform.Options{Zone: zone, Formats: []string{"%d|%m|%Y"}},
			`{"t":["24|11|2025",1764000000]}`, []string{"r 1763938800000 1", "r 1764000000000 1"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := read(t, expression, test.input, text.ReadOptions{}, test.times)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
	got := read(t, expression, `{"t":["03/04/2025 01:00"]}`, text.ReadOptions{}, timeform.Options{})
	if len(got) != 1 || !strings.Contains(got[0], "is ambiguous") {
		t.Errorf("got %s; want that it is ambiguous", got)
	}
}

func TestInvalidExpression(t *testing.T) {
	for _, expression := range []string{`.a[`, `nosuchfunction`} {
		_, err := jq.NewReader(t.Context(), strings.NewReader(""), expression, text.ReadOptions{}, timeform.Options{})
		if !errors.Is(err, daybook.ErrInvalidParams) {
			t.Errorf("%q: got %v; want ErrInvalidParams", expression, err)
		}
	}
}

// TestEndlessExpression wants that a context ends an expression that does not end.
func TestEndlessExpression(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	r, err := jq.NewReader(ctx, strings.NewReader("{}"), `last(repeat(.))`, text.ReadOptions{}, timeform.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v; want that the time is up", err)
	}
}

// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

// flat returns the flat CSV of values.
func flat(values ...daybook.StoredValue) (string, error) {
	columns := NewFlatColumns()
	for _, v := range values {
		if err := columns.Add(v); err != nil {
			return "", err
		}
	}
	var out bytes.Buffer
	w := NewFlatCSVWriter(&out, columns)
	for _, v := range values {
		if err := w.Write(v); err != nil {
			return "", err
		}
	}
	err := w.Close()
	return out.String(), err
}

func TestFlatCSV(t *testing.T) {
	const at = 1_764_000_000_123
	one := func(text string) []daybook.StoredValue { return []daybook.StoredValue{value("r", text, at)} }
	row := func(cells string) string { return "r,2025-11-24T16:00:00.123Z," + cells + "\n" }
	const header = "record_name,stored_at,"
	tests := []struct {
		name   string
		values []daybook.StoredValue
		want   string
	}{
		{"no values", nil, "record_name,stored_at\n"},
		{"members keep their order and their numbers' text", one(`{ "b" : 21.50 ,"a":1E400, "ok":true}`),
			header + "b,a,ok\n" + row("21.50,1E400,true")},
		{"a value that is no object", one(" 12345678901234567890 "), header + "value\n" + row("12345678901234567890")},
		{"objects in objects", one(`{"motor":{"rpm":5,"axis":{"x":1}}}`),
			header + "motor.rpm,motor.axis.x\n" + row("5,1")},
		{"an array is JSON", one(`{"a":[1, "x"]}`), header + "a\n" + row(`"[1, ""x""]"`)},
		{"strings have no quotes, and null is empty", one(`{"s":"a\"b\u00e9","n":null,"e":""}`),
			header + "s,n,e\n" + row(`"a""bé",,`)},
		{"half a character stays JSON", one(`{"s":"\ud800"}`), header + "s\n" + row(`"""\ud800"""`)},
		{"objects without members", one(`{"a":{ }}`), header + "a\n" + row("{ }")},
		{"an object without members alone", one(`{}`), header + "value\n" + row("{}")},
		{"names of the first columns", one(`{"stored_at":1,"record_name":2}`),
			header + "stored_at_2,record_name_2\n" + row("1,2")},
		{"a name with a dot", one(`{"a":{"b":1},"a.b":2,"a.b_2":3}`), header + "a.b,a.b_2,a.b_2_2\n" + row("1,2,3")},
		{"a name of nothing", one(`{"":1,"a":{"":2}}`), header + ",a.\n" + row("1,2")},
		{"records with other members",
			[]daybook.StoredValue{value("a", `{"x":1}`, 0), value("b", `{"y":2}`, 1<<64-1), value("c", "3", 1)},
			header + "x,y,value\na,1970-01-01T00:00:00.000Z,1,,\n" +
				"b,18446744073709551615,,2,\nc,1970-01-01T00:00:00.001Z,,,3\n"},
		{"an object and a member called value",
			[]daybook.StoredValue{value("a", "1", 0), value("b", `{"value":2}`, 0)},
			header + "value,value_2\na,1970-01-01T00:00:00.000Z,1,\nb,1970-01-01T00:00:00.000Z,,2\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := flat(test.values...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("CSV (-want +got):\n%s", diff)
			}
			if _, err := csv.NewReader(strings.NewReader(got)).ReadAll(); err != nil {
				t.Errorf("it is not CSV: %v", err)
			}
		})
	}
}

// TestFlatCSVLosesNothing wants an error where a cell cannot hold what a value has.
func TestFlatCSVLosesNothing(t *testing.T) {
	const place = `record "r", the value at 5 ms: `
	if _, err := flat(value("r", `{"a":1,"a":2}`, 5)); err == nil || !strings.Contains(err.Error(), place) {
		t.Errorf("two members with the same name: error %v; want one that names the value", err)
	}
	columns := NewFlatColumns()
	if err := columns.Add(value("r", `{"a":1}`, 1)); err != nil {
		t.Fatal(err)
	}
	w := NewFlatCSVWriter(&bytes.Buffer{}, columns)
	if err := w.Write(value("r", `{"a":1,"b":2}`, 2)); !errors.Is(err, ErrNewColumn) {
		t.Errorf("a member that came later: error %v; want ErrNewColumn", err)
	}
	var names strings.Builder
	for n := range maxFlatColumns {
		fmt.Fprintf(&names, `,"%d":%d`, n, n)
	}
	wide := value("r", "{"+names.String()[1:]+"}", 1)
	if _, err := flat(wide); !errors.Is(err, ErrTooManyColumns) {
		t.Errorf("as many members as a spreadsheet has columns, and two more: error %v; want ErrTooManyColumns", err)
	}
}

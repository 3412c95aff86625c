// SPDX-License-Identifier: Apache-2.0

package text

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

// mustReadJSON returns the values of JSON and the errors about the others.
func mustReadJSON(t *testing.T, input string, opts ReadOptions) (values []daybook.StoredValue, bad []error) {
	t.Helper()
	r, err := NewJSONReader(strings.NewReader(input), opts)
	if err != nil {
		t.Fatal(err)
	}
	values, lines, err := readGood(r)
	for _, line := range lines {
		bad = append(bad, line)
	}
	if err != nil && !errors.As(err, new(*EndError)) {
		t.Fatal(err)
	}
	if err != nil {
		bad = append(bad, err)
	}
	return values, bad
}

func TestJSONReader(t *testing.T) {
	const ms = 1764000000000
	tests := []struct {
		name  string
		opts  ReadOptions
		input string
		want  []daybook.StoredValue
	}{
		{"NDJSON in our own form", ReadOptions{}, `{"record_name":"r","value":1,"stored_at":5}` + "\n" +
			`{"topic":"a/b","payload":{"x":1.50},"ts":1764000000}` + "\n",
			[]daybook.StoredValue{value("r", `1`, 5), value("a.b", `{"x":1.50}`, ms)}},
		{"an array of lines", ReadOptions{}, `[{"topic":"a","payload":1,"ts":1764000000},` + "\n" +
			`{"topic":"b","payload":2,"ts":1764000000}]`,
			[]daybook.StoredValue{value("a", `1`, ms), value("b", `2`, ms)}},
		{"an empty array", ReadOptions{}, " [ ]\n", nil},
		{"nothing", ReadOptions{}, "", nil},
		{"an object keeps its bytes, without its time", ReadOptions{Record: "r", Time: []string{"ts"}},
			`{"x" : 1.50, "ts":1764000000, "s":"<\u00e9>" }` + "\n",
			[]daybook.StoredValue{value("r", `{"x" : 1.50, "s":"<\u00e9>" }`, ms)}},
		{"the time is the last member", ReadOptions{Record: "r", Time: []string{"ts"}},
			`{"x":1 , "ts":1764000000 }`, []daybook.StoredValue{value("r", `{"x":1  }`, ms)}},
		{"the time is the only member", ReadOptions{Record: "r", Time: []string{"ts"}},
			`{ "ts":1764000000 }`, []daybook.StoredValue{value("r", `{  }`, ms)}},
		{"record and time in members of members",
			ReadOptions{Record: "ha.{attrs.id}.{n}", Time: []string{"at.0.t\\.s"}},
			`{"attrs":{"id":"k","u":"C"},"at":[{"t.s":"2025-11-24T16:00:00Z"}],"n":7,"v":1}`,
			[]daybook.StoredValue{value("ha.k.7", `{"attrs":{"u":"C"},"at":[{}],"v":1}`, ms)}},
		{"date and time apart", ReadOptions{Record: "r", Time: []string{"d", "t"}},
			`{"d":"2025-11-24","v":1,"t":"16:00:00Z"}`, []daybook.StoredValue{value("r", `{"v":1}`, ms)}},
		{"the value at a path", ReadOptions{Record: "r", Time: []string{"t"}, Value: "v.0"},
			`{"t":1764000000,"v":[ 1.0 ]}`, []daybook.StoredValue{value("r", `1.0`, ms)}},
		{"the payload beside a topic", ReadOptions{Time: []string{"tst"}},
			`{"tst":1764000000,"topic":"a/b","qos":0,"payload":{"x":1}}`,
			[]daybook.StoredValue{value("a.b", `{"x":1}`, ms)}},
		{"objects over several lines", ReadOptions{Record: "r", Time: []string{"t"}},
			"{\n \"t\":1764000000,\n \"v\":1\n}\n{\n \"t\":1764000000,\n \"v\":2\n}\n",
			[]daybook.StoredValue{value("r", "{\n \"v\":1\n}", ms), value("r", "{\n \"v\":2\n}", ms)}},
		{"an array in a document", ReadOptions{Record: "r", Time: []string{"t"}, JSON: JSONOptions{Rows: "a.b"}},
			`{"n":[1,2],"a":{"c":"]","b":[{"t":1764000000,"v":1}, {"t":1764000000,"v":2}],"d":[{"v":1}]},"z":{}}`,
			[]daybook.StoredValue{value("r", `{"v":1}`, ms), value("r", `{"v":2}`, ms)}},
		{"an array of each member", ReadOptions{Record: "tb.{*}", Time: []string{"ts"}, JSON: JSONOptions{Rows: "*"}},
			`{"temp":[{"ts":1764000000000,"value":"1"}],"hum":[{"ts":1764000000000,"value":"2"}]}`,
			[]daybook.StoredValue{value("tb.temp", `{"value":"1"}`, ms), value("tb.hum", `{"value":"2"}`, ms)}},
		{"parallel arrays",
			ReadOptions{Record: "r", Time: []string{"time"}, JSON: JSONOptions{Rows: "hourly", Columns: true}},
			`{"lat":48,"hourly":{"time":[1764000000, 1764000001],"t":[1.0,null]}}`,
			[]daybook.StoredValue{value("r", `{"t":1.0}`, ms), value("r", `{"t":null}`, ms+1000)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, bad := mustReadJSON(t, test.input, test.opts)
			if diff := cmp.Diff(test.want, got); diff != "" || len(bad) > 0 {
				t.Errorf("bad lines %v; values (-want +got):\n%s", bad, diff)
			}
		})
	}
}

// TestPlainPayload wants that a payload that is no JSON is a string, and that a text that has lost
// its end is none.
func TestPlainPayload(t *testing.T) {
	tests := []struct{ payload, want string }{
		{`Online`, `"Online"`},
		{` Online `, `"Online"`},
		{``, `""`},
		{`21.5 C`, `"21.5 C"`},
		{`007`, `"007"`},
		{`on, "off" \ on`, `"on, \"off\" \\ on"`},
		{`a}b`, `"a}b"`},
		{`{"a":1`, ""},
		{`[1`, ""},
		{`"half`, ""},
	}
	for _, test := range tests {
		for _, rest := range []string{``, `,"ts":1764000000000`} {
			line := `{"topic":"tele/plug/LWT","payload":` + test.payload + rest + "}\n"
			opts := ReadOptions{StampNow: true}
			values, bad, err := readGood(NewNDJSONReader(strings.NewReader(line), opts))
			again, badAgain := mustReadJSON(t, line, ReadOptions{StampNow: true, Time: []string{"ts"}})
			if err != nil || len(values) != len(again) || len(bad) != len(badAgain) {
				t.Fatalf("%s: values %v and %v, bad lines %v and %v, error %v", line, values, again, bad, badAgain, err)
			}
			switch {
			case test.want == "" && len(bad) == 1:
			case len(values) != 1 || string(values[0].Value) != test.want || values[0].RecordName != "tele.plug.LWT":
				t.Errorf("%s: values %v, bad lines %v; want %s", line, values, bad, test.want)
			case string(again[0].Value) != test.want || rest != "" && values[0].StoredAt != 1764000000000:
				t.Errorf("%s: values %v and %v; want %s", line, values, again, test.want)
			}
		}
	}
}

// TestBadJSON wants the line and the byte of each error.
func TestBadJSON(t *testing.T) {
	rows := ReadOptions{Record: "r", Time: []string{"t"}, JSON: JSONOptions{Rows: "a"}}
	plain := ReadOptions{Record: "r", Time: []string{"t"}}
	tests := []struct {
		name  string
		opts  ReadOptions
		input string
		good  int
		want  string
	}{
		{"a word in an element", plain, "[\n{\"t\":1764000000,\n\"v\":on},\n{\"t\":1764000000}]", 1,
			"line 3: not JSON: a value was expected at byte 5"},
		{"a word in a line", plain, "{\"t\":1764000000}\n{\"t\":on}\n{\"t\":1764000000}", 2,
			"line 2: not JSON: a value was expected at byte 6"},
		{"a line that ends early", plain, "{\"t\":17640\n{\"t\":1764000000}\n", 1,
			"line 1: not JSON: the text ends early at byte 11"},
		{"an array that ends early", plain, "[{\"t\":1764000000},\n", 1,
			"line 2: not JSON: the line ends early at byte 1: want a value"},
		{"a comma too many", plain, "[{\"t\":1764000000},\n ]", 1, "line 2: not JSON: want a value at byte 2"},
		{"no comma", plain, "[{\"t\":1764000000}\n {}]", 1,
			"line 2: not JSON: want a comma or the end of the array at byte 2"},
		{"a number in an array", plain, "[{\"t\":1764000000},\n7,{\"t\":1764000000}]", 2,
			"line 2: it is a JSON number: want an object"},
		{"no time", plain, "[{\"v\":1}]", 0, `line 1: member "t": it has no time`},
		{"a column twice", ReadOptions{Record: "r", Time: []string{"t"}, JSON: JSONOptions{Columns: true}},
			`{"t":[1764000000],"v":[1],"v":[2]}`, 0, `line 1: member "v": it is there twice`},
		{"a time twice", plain, `[{"t":1764000000,"t":1764000001}]`, 0, `line 1: member "t": it is there twice`},
		{"a time without a unit", plain, `[{"t":1}]`, 0, `line 1: member "t": "1" is not a time without a unit`},
		{"the array is missing", rows, "{\"b\":[]}", 0, `line 1: member "a": the document has no such member`},
		{"the array is an object", rows, "{\n\"a\":{}}", 0, `line 2: member "a": want an array`},
		{"another array of values", rows, "{\"a\":[{\"t\":1764000000}],\n\"b\":[{\"t\":1764000000}]}", 1,
			`line 2: member "b": it is another array of values`},
		{"a document after the array", rows, "{\"a\":[]}\n]", 0, "line 2: not JSON: want an object at byte 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			values, bad := mustReadJSON(t, test.input, test.opts)
			if len(values) != test.good || len(bad) != 1 || !strings.HasPrefix(bad[0].Error(), test.want) {
				t.Errorf("%d values, bad lines %v; want %d and %q", len(values), bad, test.good, test.want)
			}
		})
	}
}

// TestDamagedArray wants that an array whose values cannot be told apart is no bad line: a
// reader that skips those would lose the rest of the file without a word.
func TestDamagedArray(t *testing.T) {
	input := "[{\"t\":1764000000}\n{\"t\":1764000000},{\"t\":1764000000}]"
	r, err := NewJSONReader(strings.NewReader(input), ReadOptions{Name: "a.json", Record: "r", Time: []string{"t"}})
	if err != nil {
		t.Fatal(err)
	}
	values, bad, err := readGood(r)
	want := "a.json:2: not JSON: want a comma or the end of the array at byte 1; the file cannot be read after that"
	if len(values) != 1 || len(bad) != 0 || err == nil || err.Error() != want {
		t.Errorf("values %v, bad lines %v, error %v; want one value and %s", values, bad, err, want)
	}
	if _, err := r.Read(); err != io.EOF {
		t.Errorf("after it: %v; want the end", err)
	}
}

// TestValueExtent finds the end of values that no comma and no bracket follows.
func TestValueExtent(t *testing.T) {
	for _, test := range []struct{ piece, want string }{
		{`12"a"`, `12`}, {`true{}`, `true`}, {`null[]`, `null`}, {`"a"12`, `"a"`}, {`{"a":1}2`, `{"a":1}`},
		{`[1,"]"]"`, `[1,"]"]`}, {`12 3`, `12`}, {`-1}`, `-1`},
	} {
		var e valueExtent
		if n, done := e.scan([]byte(test.piece)); !done || test.piece[:n] != test.want {
			t.Errorf("%s: got %s, %v; want %s", test.piece, test.piece[:n], done, test.want)
		}
	}
}

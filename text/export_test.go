// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

// written returns the file that a writer makes of values.
func written(t *testing.T, newWriter func(io.Writer) ValueWriter, values []daybook.StoredValue) []byte {
	t.Helper()
	var out bytes.Buffer
	w := newWriter(&out)
	for _, v := range values {
		if err := w.Write(v); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// awkwardValues are hard on a format: line breaks, quotes, commas, equal times, the least and the
// greatest time, a number that no float holds, and a name that is not a word.
func awkwardValues() []daybook.StoredValue {
	values := []daybook.StoredValue{
		value("a", "{\"b\" : [1,\t2]}", 5),
		value("a", `"second of the same time, \"quoted\""`, 5),
		value("a", `12345678901234567890.000000000000000001`, 0),
		value("a, \"b\"\né", `"é\u0000"`, 1<<64-1),
		value("z", `null`, 1<<63),
	}
	for i := range uint64(3000) {
		values = append(values, value("many", fmt.Sprintf(`{"n":%d}`, i), i/2))
	}
	return values
}

func TestWrittenFilesAreRead(t *testing.T) {
	formats := []struct {
		name      string
		newWriter func(io.Writer) ValueWriter
		newReader func(data []byte) (ValueReader, error)
	}{
		{"NDJSON", NewNDJSONWriter, func(data []byte) (ValueReader, error) {
			return NewNDJSONReader(bytes.NewReader(data), ReadOptions{}), nil
		}},
		{"JSON", NewJSONWriter, func(data []byte) (ValueReader, error) {
			if !json.Valid(data) {
				return nil, fmt.Errorf("%.100q is not JSON", data)
			}
			return NewJSONReader(bytes.NewReader(data), ReadOptions{AnyTime: true})
		}},
		{"CSV", NewCSVWriter, func(data []byte) (ValueReader, error) {
			return NewExportedCSVReader(bytes.NewReader(data), ReadOptions{})
		}},
	}
	for _, format := range formats {
		for name, want := range map[string][]daybook.StoredValue{"awkward values": awkwardValues(), "no values": nil} {
			t.Run(format.name+", "+name, func(t *testing.T) {
				r, err := format.newReader(written(t, format.newWriter, want))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, mustReadAll(t, r)); diff != "" {
					t.Errorf("values (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestJSONWriter wants one array, with each value on a line of its own, and no valid JSON before
// Close.
func TestJSONWriter(t *testing.T) {
	one, two := value("a", "{\n\"x\": 1 }", 1), value("b", "null", 1<<64-1)
	tests := []struct {
		name   string
		values []daybook.StoredValue
		want   string
	}{
		{"no values", nil, "[]\n"},
		{"one value", []daybook.StoredValue{one},
			"[\n" + `{"record_name":"a","value":{ "x": 1 },"stored_at":1}` + "\n]\n"},
		{"two values", []daybook.StoredValue{one, two}, "[\n" +
			`{"record_name":"a","value":{ "x": 1 },"stored_at":1}` + ",\n" +
			`{"record_name":"b","value":null,"stored_at":18446744073709551615}` + "\n]\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			w := NewJSONWriter(&out)
			for _, v := range test.values {
				if err := w.Write(v); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Flush(); err != nil || json.Valid(out.Bytes()) {
				t.Errorf("flushed: %v, %q; want an array without its end", err, out.String())
			}
			if err := w.Close(); err != nil || out.String() != test.want || !json.Valid(out.Bytes()) {
				t.Errorf("%v, got %q; want %q", err, out.String(), test.want)
			}
		})
	}
}

// TestExportedCSVThatWasRewritten reads exports that another program has loaded and written again.
func TestExportedCSVThatWasRewritten(t *testing.T) {
	withMark, err := os.ReadFile("testdata/import_bom.csv")
	if err != nil {
		t.Fatal(err)
	}
	one := []daybook.StoredValue{value("a", "1", 1)}
	tests := []struct {
		name, data string
		want       []daybook.StoredValue
	}{
		{"with a byte order mark", string(withMark), one},
		{"with a byte order mark before a quote", "\xEF\xBB\xBF\"record_name\",stored_at,value\na,1,1\n", one},
		{"a byte order mark alone", "\xEF\xBB\xBF", nil},
		{"sorted columns", "value,record_name,stored_at\n\"{\"\"x\"\":2}\",b,7\n",
			[]daybook.StoredValue{value("b", `{"x":2}`, 7)}},
		{"an index of pandas", ",record_name,stored_at,value\n0,a,1,1\n", one},
		{"an index of pandas that was read and written again",
			"Unnamed: 0.1,Unnamed: 0,record_name,stored_at,value\n0,0,a,1,1\n", one},
		{"an index between sorted columns", "value,,stored_at,record_name\n1,7,1,a\n", one},
		{"columns in reverse", "value,stored_at,record_name\r\n1,1,a\r\n", one},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := NewExportedCSVReader(strings.NewReader(test.data), ReadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, mustReadAll(t, r)); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
		})
	}
}

// TestExportedCSVRefuses reads files that NewCSVWriter does not write.
func TestExportedCSVRefuses(t *testing.T) {
	const header = "record_name,stored_at,value\n"
	tests := []struct {
		name, data, want string
	}{
		{"a binary file", "PAR1" + strings.Repeat("\x01\xff", 1000), `x.csv: the header is ["PAR1\x01\xff`},
		{"another header", "a,b\n1,2\n", `x.csv: the header is ["a" "b"]; want ["record_name" "stored_at" "value"]`},
		{"a column more", "record_name,stored_at,value,unit\na,1,1,m\n", `"unit"]; want ["record_name"`},
		{"a column in place of an index", "Unnamed: x,record_name,stored_at,value\n0,a,1,1\n", `want ["record_name"`},
		{"an index in place of a column", ",record_name,value\n0,a,1\n", `want ["record_name" "stored_at" "value"]`},
		{"a column twice beside an index", ",record_name,stored_at,value,value\n0,a,1,1,2\n", `want ["record_name"`},
		{"a value that pandas took for missing", ",record_name,stored_at,value\n0,a,1,\n", "x.csv:2: invalid value"},
		{"a column less", "record_name,value\na,1\n", `want ["record_name" "stored_at" "value"]`},
		{"a column twice", "record_name,value,value\na,1,1\n", `want ["record_name" "stored_at" "value"]`},
		{"a word for a time in another column", "stored_at,value,record_name\nsoon,1,a\n",
			`x.csv:2: column 1 ("stored_at"): "soon" is not a time`},
		{"a row that is too short", header + "a,1,1\nb,2\n", "x.csv:3: wrong number of fields"},
		{"a value that is not JSON", header + "a,1,1\nb,2,{\n", "x.csv:3: invalid value"},
		{"a word for a time", header + "a,soon,1\n",
			`x.csv:2: column 2 ("stored_at"): "soon" is not a time: want Unix milliseconds`},
		{"a quote that never closes", header + "a,1,\"" + strings.Repeat("x", maxExportedRow+bufferSize),
			"x.csv: a row is longer than 34 MiB; is a quote not closed?"},
		{"a time that is too large", header + "a,18446744073709551616,1\n", "it does not fit into 64 bits"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := NewExportedCSVReader(strings.NewReader(test.data), ReadOptions{Name: "x.csv"})
			if err == nil {
				_, err = readAll(r)
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 250 {
				t.Errorf("error %v; want %q", err, test.want)
			}
		})
	}
}

// TestLongestValueInCSV wants the value that CSV makes longest: half of its bytes are quotes.
func TestLongestValueInCSV(t *testing.T) {
	t.Parallel()
	want := []daybook.StoredValue{value("r", `"`+strings.Repeat(`\"`, daybook.MaxValueLen/2-1)+`"`, 1)}
	r, err := NewExportedCSVReader(bytes.NewReader(written(t, NewCSVWriter, want)), ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := mustReadAll(t, r); len(got) != 1 || string(got[0].Value) != string(want[0].Value) {
		t.Errorf("%d values; want the one that was written", len(got))
	}
}

// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bytes"
	"fmt"
	"io"
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
		{"CSV", NewCSVWriter, func(data []byte) (ValueReader, error) {
			return NewExportedCSVReader(bytes.NewReader(data), ReadOptions{})
		}},
		{"Parquet", NewParquetWriter, func(data []byte) (ValueReader, error) {
			return NewParquetReader(bytes.NewReader(data), int64(len(data)), ReadOptions{})
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

// TestDamagedParquet alters a file at many places, and cuts it off there. The reader must not
// panic.
func TestDamagedParquet(t *testing.T) {
	whole := written(t, NewParquetWriter, awkwardValues())
	for at := 0; at < len(whole); at += max(len(whole)/200, 1) {
		altered := bytes.Clone(whole)
		altered[at] ^= 0x55
		for _, data := range [][]byte{altered, whole[:at]} {
			r, err := NewParquetReader(bytes.NewReader(data), int64(len(data)), ReadOptions{Name: "x.parquet"})
			if err == nil {
				_, err = readAll(r)
			}
			if len(data) < len(whole) && err == nil {
				t.Errorf("no error for a file that is cut off after %d bytes", at)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "x.parquet: ") {
				t.Errorf("error %q; want one that names the file", err)
			}
		}
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
		{"a row that is too short", header + "a,1,1\nb,2\n", "x.csv:3: wrong number of fields"},
		{"a value that is not JSON", header + "a,1,1\nb,2,{\n", "x.csv:3: invalid value"},
		{"a word for a time", header + "a,soon,1\n",
			`x.csv:2: column 2 ("stored_at"): "soon" is not a time: want Unix milliseconds`},
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

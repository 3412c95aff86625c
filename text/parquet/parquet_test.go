// SPDX-License-Identifier: Apache-2.0

package parquet_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/parquet"
)

func value(record, text string, storedAt uint64) daybook.StoredValue {
	return daybook.StoredValue{RecordName: record, Value: json.RawMessage(text), StoredAt: storedAt}
}

// written returns the file with values.
func written(t *testing.T, values []daybook.StoredValue) []byte {
	t.Helper()
	var out bytes.Buffer
	w := parquet.NewWriter(&out)
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

// read returns the values of a file before the first error.
func read(data []byte, name string) (values []daybook.StoredValue, err error) {
	r, err := parquet.NewReader(bytes.NewReader(data), int64(len(data)), text.ReadOptions{Name: name})
	for err == nil {
		var v daybook.StoredValue
		if v, err = r.Read(); err == nil {
			values = append(values, v)
		}
	}
	if err == io.EOF {
		err = nil
	}
	return values, err
}

// awkwardValues are hard on a format: line breaks, white space, equal times, the least and the
// greatest time, a number that no float holds, and a name that is not a word.
func awkwardValues() []daybook.StoredValue {
	values := []daybook.StoredValue{
		value("a", "{\r\n\"b\" : [1,\t2]}\n", 5),
		value("a", `"second of the same time, \"quoted\""`, 5),
		value("a", `12345678901234567890.000000000000000001`, 0),
		value("a, \"b\"\r\né", `"é\u0000"`, 1<<64-1),
		value("z", `null`, 1<<63),
	}
	for i := range uint64(3000) {
		values = append(values, value("many", fmt.Sprintf(`{"n":%d}`, i), i/2))
	}
	return values
}

func TestWrittenFilesAreRead(t *testing.T) {
	for name, want := range map[string][]daybook.StoredValue{"awkward values": awkwardValues(), "no values": nil} {
		t.Run(name, func(t *testing.T) {
			got, err := read(written(t, want), "")
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("error %v, values (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestDamage alters a file at many places, and cuts it off there. The reader must not panic.
func TestDamage(t *testing.T) {
	whole := written(t, awkwardValues())
	for at := 0; at < len(whole); at += max(len(whole)/200, 1) {
		altered := bytes.Clone(whole)
		altered[at] ^= 0x55
		for _, data := range [][]byte{altered, whole[:at]} {
			_, err := read(data, "x.parquet")
			if len(data) < len(whole) && err == nil {
				t.Errorf("no error for a file that is cut off after %d bytes", at)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "x.parquet: ") {
				t.Errorf("error %q; want one that names the file", err)
			}
		}
	}
}

// TestInvalidValue wants the row of a value that no backend accepts.
func TestInvalidValue(t *testing.T) {
	tests := []struct {
		name    string
		invalid daybook.StoredValue
		want    error
		text    string
	}{
		{"an empty name", value("", "1", 1), daybook.ErrInvalidName, "invalid record name: it is empty"},
		{"a value that is not JSON", value("r", "01", 1), daybook.ErrInvalidValue, "invalid value: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			values, err := read(written(t, []daybook.StoredValue{value("r", "1", 1), test.invalid}), "x.parquet")
			var row *parquet.RowError
			if len(values) != 1 || !errors.Is(err, test.want) || !errors.As(err, &row) || row.Row != 2 {
				t.Fatalf("%d values, error %v; want 1 value, and a *RowError of row 2 that matches %q",
					len(values), err, test.want)
			}
			if want := "x.parquet: row 2: " + test.text; !strings.HasPrefix(err.Error(), want) {
				t.Errorf("error %q; want %q", err, want)
			}
		})
	}
}

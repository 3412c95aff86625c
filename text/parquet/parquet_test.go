// SPDX-License-Identifier: Apache-2.0

package parquet_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	parquetgo "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
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

// maxValues is more than a file of these tests has.
const maxValues = 10_000

// read returns the values of a file before the first error.
func read(data []byte, name string) (values []daybook.StoredValue, err error) {
	r, err := parquet.NewReader(bytes.NewReader(data), int64(len(data)), text.ReadOptions{Name: name})
	for err == nil {
		if len(values) > maxValues {
			return values, errors.New("the file has no end")
		}
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
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOtherFiles reads Parquet that NewWriter does not write.
func TestOtherFiles(t *testing.T) {
	type otherRow struct {
		RecordName string `parquet:"record_name"`
		StoredAt   int32  `parquet:"stored_at"`
		Value      string `parquet:"value"`
	}
	type ownRow struct {
		RecordName string `parquet:"record_name,dict"`
		StoredAt   uint64 `parquet:"stored_at,delta"`
		Value      string `parquet:"value,json"`
	}
	const other, lz4 = "x.parquet: it has other columns, ", "x.parquet: it is compressed with LZ4, "
	own := []ownRow{{"a", 1, "1"}}
	tests := []struct {
		name string
		data []byte
		want string // "": no error
	}{
		{"another type of a column", file(t, []otherRow{{"a", 1, "1"}}), other},
		{"another compression", file(t, own, parquetgo.Compression(&parquetgo.Snappy)), ""},
		{"no compression", file(t, own), ""},
		{"LZ4", file(t, own, parquetgo.Compression(&parquetgo.Lz4Raw)), lz4},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			values, err := read(test.data, "x.parquet")
			if test.want == "" && (err != nil || len(values) != 1) {
				t.Errorf("%d values, error %v; want 1 value", len(values), err)
			}
			if test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want)) {
				t.Errorf("error %v; want %q", err, test.want)
			}
		})
	}
}

// file returns the Parquet file with rows.
func file[T any](t *testing.T, rows []T, options ...parquetgo.WriterOption) []byte {
	t.Helper()
	var out bytes.Buffer
	w := parquetgo.NewGenericWriter[T](&out, options...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestDamage flips bits of each byte of a file, and cuts it off there. The reader must not panic,
// nor take memory without a bound: bit 1 of one of the bytes makes LZ4 of zstd.
func TestDamage(t *testing.T) {
	whole := written(t, []daybook.StoredValue{value("a", "1", 5), value("b", `{"x":"y"}`, 6), value("a", "[]", 7)})
	for at := range whole {
		bits := []int{1, at % 8}
		if testenv.Race { // its checks of pointers end the program where the library panics otherwise
			bits = nil
		}
		for _, bit := range bits {
			damaged := bytes.Clone(whole)
			damaged[at] ^= 1 << bit
			if _, err := read(damaged, "x.parquet"); err != nil && !strings.HasPrefix(err.Error(), "x.parquet: ") {
				t.Errorf("bit %d of byte %d: error %q; want one that names the file", bit, at, err)
			}
		}
		_, err := read(whole[:at], "x.parquet")
		if err == nil || !strings.HasPrefix(err.Error(), "x.parquet: it is not a whole Parquet file: ") {
			t.Errorf("cut off after %d bytes: error %v; want one that says so", at, err)
		}
	}
}

// TestErrorsWithoutAName wants errors of a file whose name is not known.
func TestErrorsWithoutAName(t *testing.T) {
	whole := written(t, []daybook.StoredValue{value("", "1", 1)})
	const cutOff = "it is not a whole Parquet file: "
	if _, err := read(whole[:20], ""); err == nil || !strings.HasPrefix(err.Error(), cutOff) {
		t.Errorf("cut off: error %v", err)
	}
	if _, err := read(whole, ""); err == nil || !strings.HasPrefix(err.Error(), "row 1: invalid record name: ") {
		t.Errorf("with an invalid name: error %v", err)
	}
}

// brokenFile cannot be read or written when it is broken.
type brokenFile struct {
	*bytes.Reader
	isBroken bool
}

var errBroken = errors.New("the disk is broken")

func (f *brokenFile) ReadAt(p []byte, at int64) (int, error) {
	if f.isBroken {
		return 0, errBroken
	}
	return f.Reader.ReadAt(p, at)
}

func (f *brokenFile) Write([]byte) (int, error) { return 0, errBroken }

// TestReadError wants the cause of an error of the file, and the row after which it came.
func TestReadError(t *testing.T) {
	whole := written(t, awkwardValues())
	in := &brokenFile{Reader: bytes.NewReader(whole)}
	r, err := parquet.NewReader(in, int64(len(whole)), text.ReadOptions{Name: "x.parquet"})
	if err != nil {
		t.Fatal(err)
	}
	in.isBroken = true
	_, err = r.Read()
	if !errors.Is(err, errBroken) || !strings.HasPrefix(err.Error(), "x.parquet: after row 0: ") {
		t.Errorf("error %v; want that of the file", err)
	}
}

// TestRowGroups wants groups as small as the comment of NewWriter says, because a group is in
// memory. A file that cannot be written is noticed at the end of a group.
func TestRowGroups(t *testing.T) {
	large := `"` + strings.Repeat("x", 8<<20-2) + `"`
	tests := []struct {
		name   string
		value  func() string
		groups []int64 // the number of values in each
	}{
		{"large values", func() string { return large }, []int64{4, 2}},
		{"small values", func() string { return fmt.Sprint(rand.Uint64()) }, []int64{128 << 10, 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			w, broken := parquet.NewWriter(&out), parquet.NewWriter(&brokenFile{isBroken: true})
			var got []int64
			var failure error
			for _, size := range test.groups {
				for range size {
					v := value("r", test.value(), 1)
					if err := w.Write(v); err != nil {
						t.Fatal(err)
					}
					if failure == nil {
						failure = broken.Write(v)
					}
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			for _, group := range metadata(t, out.Bytes()).RowGroups {
				got = append(got, group.NumRows)
			}
			if diff := gocmp.Diff(test.groups, got); diff != "" || !errors.Is(failure, errBroken) {
				t.Errorf("error of a broken file: %v; values in each group (-want +got):\n%s", failure, diff)
			}
		})
	}
}

func metadata(t *testing.T, data []byte) *format.FileMetaData {
	t.Helper()
	file, err := parquetgo.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return file.Metadata()
}

// TestFileSaysWhoWroteIt wants this module and its version.
func TestFileSaysWhoWroteIt(t *testing.T) {
	info, _ := debug.ReadBuildInfo()
	want := "daybook version " + cmp.Or(info.Main.Version, "(devel)") + "(build )"
	if got := metadata(t, written(t, nil)).CreatedBy; got != want {
		t.Errorf("got %q; want %q", got, want)
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

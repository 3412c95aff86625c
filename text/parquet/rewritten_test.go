// SPDX-License-Identifier: Apache-2.0

package parquet_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	parquetgo "github.com/parquet-go/parquet-go"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text/parquet"
)

func ptr[T any](v T) *T { return &v }

// indexedRow is a row as pandas writes it: all columns optional, without the type JSON, with signed
// times, and with an index.
type indexedRow struct {
	Value      *string    `parquet:"value,optional"`
	StoredAtAs *time.Time `parquet:"stored_at_utc,optional,timestamp(millisecond:utc)"`
	StoredAt   *int64     `parquet:"stored_at,optional"`
	RecordName *string    `parquet:"record_name,optional"`
	Index      int64      `parquet:"__index_level_0__"`
}

func indexed(name string, storedAt int64, text string) indexedRow {
	return indexedRow{ptr(text), ptr(time.UnixMilli(storedAt)), &storedAt, &name, 7}
}

// TestRewrittenFiles reads what DuckDB and pandas make of an export, and exports of earlier
// versions.
func TestRewrittenFiles(t *testing.T) {
	type timestampRow struct {
		RecordName string    `parquet:"record_name"`
		StoredAt   time.Time `parquet:"stored_at,timestamp(microsecond:utc)"`
		Value      string    `parquet:"value,json"`
	}
	many := func(groups int) []byte { // more rows than are read at a time, in several row groups
		var rows []indexedRow
		for range groups * 100 {
			rows = append(rows, indexed("a", 5, "1"))
		}
		return file(t, rows, parquetgo.MaxRowsPerRowGroup(100))
	}
	kitchen := []daybook.StoredValue{
		value("sensor.cellar", "null", 0),
		value("sensor.cellar", `"é"`, 1<<64-1),
		value("sensor.kitchen", `{"celsius":21.50}`, 1_764_000_000_000),
		value("sensor.kitchen", `{"celsius": 21.75, "ok":true}`, 1_764_000_060_000),
	}
	var manyOnes []daybook.StoredValue
	for range 300 {
		manyOnes = append(manyOnes, value("a", "1", 5))
	}
	tests := []struct {
		name string
		data []byte
		want []daybook.StoredValue
	}{
		{"an export without stored_at_utc", testFile(t, "exported_before_stored_at_utc.parquet"), kitchen},
		{"a copy by DuckDB of a time without a type", testFile(t, "duckdb_copy.parquet"),
			[]daybook.StoredValue{value("b", `{"time;v":"2024-01-01T00:00:00Z;21.5"}`, 1_795_962_237_315)}},
		{"a copy by DuckDB of an export", testFile(t, "duckdb_copy_of_export.parquet"), kitchen},
		{"an index of pandas", file(t, []indexedRow{indexed("a", 5, "1"), indexed("b", 1<<63-1, "2")}),
			[]daybook.StoredValue{value("a", "1", 5), value("b", "2", 1<<63-1)}},
		{"several row groups", many(3), manyOnes},
		{"stored_at as a timestamp in microseconds",
			file(t, []timestampRow{{"a", time.UnixMilli(1_764_000_000_123), "1"}}),
			[]daybook.StoredValue{value("a", "1", 1_764_000_000_123)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := read(test.data, "")
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(test.want, got); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
		})
	}
}

func testFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestRowsThatHaveNoValue wants the row and the column of a cell that no export has. The values
// before it are read.
func TestRowsThatHaveNoValue(t *testing.T) {
	type microsRow struct {
		RecordName string    `parquet:"record_name"`
		StoredAt   time.Time `parquet:"stored_at,timestamp(microsecond:utc)"`
		Value      string    `parquet:"value"`
	}
	first := indexed("a", 5, "1")
	changed := func(change func(*indexedRow)) []byte {
		row := indexed("a", 6, "2")
		change(&row)
		return file(t, []indexedRow{first, row})
	}
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"no name", changed(func(r *indexedRow) { r.RecordName = nil }), `the column "record_name": it is null`},
		{"no time", changed(func(r *indexedRow) { r.StoredAt = nil }), `the column "stored_at": it is null`},
		{"no value", changed(func(r *indexedRow) { r.Value = nil }), `the column "value": it is null`},
		{"a value that is not JSON", changed(func(r *indexedRow) { r.Value = ptr("x") }), "invalid value"},
		{"a time before 1970", changed(func(r *indexedRow) { r.StoredAt = ptr(int64(-1)) }),
			`the column "stored_at": it is before 1970`},
		{"a time that was moved by hand", changed(func(r *indexedRow) { r.StoredAt = ptr(int64(7)) }),
			`the columns "stored_at" and "stored_at_utc" differ: 7 and 6 ms`},
		{"a time that Parquet can write and a daybook cannot",
			file(t, []microsRow{{"a", time.UnixMilli(5), "1"}, {"a", time.UnixMicro(5001), "1"}}),
			`the column "stored_at": it is not a whole number of milliseconds`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			values, err := read(test.data, "x.parquet")
			var row *parquet.RowError
			if len(values) != 1 || !errors.As(err, &row) || row.Row != 2 ||
				!strings.HasPrefix(err.Error(), "x.parquet: row 2: "+test.want) {
				t.Errorf("%d values, error %v; want 1 value, and %q in row 2", len(values), err, test.want)
			}
		})
	}
}

// TestOtherColumns wants the column that keeps a file from being an export.
func TestOtherColumns(t *testing.T) {
	type listRow struct {
		RecordName []string `parquet:"record_name"`
		StoredAt   uint64   `parquet:"stored_at"`
		Value      string   `parquet:"value"`
	}
	type floatRow struct {
		RecordName string  `parquet:"record_name"`
		StoredAt   float64 `parquet:"stored_at"`
		Value      string  `parquet:"value"`
	}
	type groupRow struct {
		RecordName string                  `parquet:"record_name"`
		StoredAt   uint64                  `parquet:"stored_at"`
		Value      struct{ Celsius int64 } `parquet:"value"`
	}
	type unitRow struct {
		RecordName string `parquet:"record_name"`
		StoredAt   uint64 `parquet:"stored_at"`
		Value      string `parquet:"value"`
		Unit       string `parquet:"unit"`
	}
	type timelessRow struct {
		RecordName string    `parquet:"record_name"`
		UTC        time.Time `parquet:"stored_at_utc,timestamp(millisecond:utc)"`
		Value      string    `parquet:"value"`
	}
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"a list for a name", file(t, []listRow{{}}), `"record_name" is `},
		{"a float for a time", file(t, []floatRow{{}}), `"stored_at" is `},
		{"a group for a value", file(t, []groupRow{{}}), `"value" is `},
		{"a column more", file(t, []unitRow{{}}), `"unit" is not one of an export's`},
		{"a column less", file(t, []timelessRow{{}}), `there is no "stored_at"; want record_name, stored_at, value`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := read(test.data, "x.parquet")
			const other = "x.parquet: it has other columns, or columns of other types, than an export: "
			if err == nil || !strings.HasPrefix(err.Error(), other+test.want) || len(err.Error()) > 250 {
				t.Errorf("error %v; want one that begins with %q", err, other+test.want)
			}
		})
	}
}

// TestTimesInUTC wants a timestamp of each time that other programs can show, and null for others.
func TestTimesInUTC(t *testing.T) {
	type utcRow struct {
		StoredAt uint64 `parquet:"stored_at"`
		UTC      *int64 `parquet:"stored_at_utc,optional,timestamp(millisecond:utc)"`
	}
	times := []uint64{0, 1, 1_764_000_000_123, 253_402_300_799_999, 253_402_300_800_000, 1<<64 - 1}
	var values []daybook.StoredValue
	for _, ms := range times {
		values = append(values, value("a", "1", ms))
	}
	data := written(t, values)
	rows, err := parquetgo.Read[utcRow](bytes.NewReader(data), int64(len(data)))
	if err != nil || len(rows) != len(times) {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, ms := range times {
		isShown := ms <= 253_402_300_799_999
		if got := rows[i].UTC; isShown != (got != nil) || got != nil && uint64(*got) != ms {
			t.Errorf("%d ms: %v; want that time, or null after the year 9999", ms, got)
		}
	}
	file, err := parquetgo.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	const want = "TIMESTAMP(isAdjustedToUTC=true,unit=MILLIS)"
	if got := file.Root().Column("stored_at_utc").Type().String(); got != want {
		t.Errorf("stored_at_utc is %s; want %s", got, want)
	}
}

// SPDX-License-Identifier: Apache-2.0

package parquet_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	parquetgo "github.com/parquet-go/parquet-go"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/parquet"
)

// flat returns the flat file with values.
func flat(t *testing.T, values ...daybook.StoredValue) []byte {
	t.Helper()
	columns := text.NewFlatColumns()
	for _, v := range values {
		if err := columns.Add(v); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	w := parquet.NewFlatWriter(&out, columns)
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

// flatRows returns the names and types of the columns of a file, and its rows, as the Parquet
// library reads them.
func flatRows(t *testing.T, data []byte) (columns []string, rows [][]string) {
	t.Helper()
	file, err := parquetgo.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, column := range file.Root().Columns() {
		columns = append(columns, fmt.Sprintf("%s %v", column.Name(), column.Type()))
	}
	for _, group := range file.RowGroups() {
		reader := group.Rows()
		defer reader.Close()
		for {
			var buffer [1]parquetgo.Row
			n, err := reader.ReadRows(buffer[:])
			if n == 1 {
				var cells []string
				for _, cell := range buffer[0] {
					cells = append(cells, fmt.Sprint(cell))
				}
				rows = append(rows, cells)
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return columns, rows
}

// TestFlatFile wants a column of a fitting type for each member, in the order of the members.
func TestFlatFile(t *testing.T) {
	const ms = 1_764_000_000_123
	columns, rows := flatRows(t, flat(t,
		value("a", ` { "z" : 9007199254740993 ,"on":true,"name":"é\n\"x\"","deep":{"c":21.50}} `, ms),
		value("b", `{"z":null,"deep":{"c":-0},"list":[1, 2],"mixed":"7","huge":1E400}`, ms+1),
		value("b", `{"mixed":7,"a,b":1,"":2,"nothing":null}`, ms+2),
		value("c", `12.5`, 0),
	))
	wantColumns := []string{
		"record_name STRING", "stored_at TIMESTAMP(isAdjustedToUTC=true,unit=MILLIS)", "z INT(64,true)", "on BOOLEAN",
		"name STRING", "deep.c DOUBLE", "list STRING", "mixed STRING", "huge STRING", "a,b INT(64,true)",
		" INT(64,true)", "nothing STRING", "value DOUBLE",
	}
	const null = "<null>"
	wantRows := [][]string{
		{"a", "1764000000123", "9007199254740993", "true", "é\n\"x\"", "21.5",
			null, null, null, null, null, null, null},
		{"b", "1764000000124", null, null, null, "-0", "[1, 2]", `"7"`, "1E400", null, null, null, null},
		{"b", "1764000000125", null, null, null, null, null, "7", null, "1", "2", null, null},
		{"c", "0", null, null, null, null, null, null, null, null, null, null, "12.5"},
	}
	if diff := gocmp.Diff(wantColumns, columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	if diff := gocmp.Diff(wantRows, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if columns, rows = flatRows(t, flat(t)); len(columns) != 2 || len(rows) != 0 {
		t.Errorf("without values: columns %q, %d rows", columns, len(rows))
	}
}

// TestFlatFileIsNoExport wants an error that names the remedy, also where the columns are those of
// an export.
func TestFlatFileIsNoExport(t *testing.T) {
	for _, v := range []daybook.StoredValue{value("a", `"5"`, 1), value("a", `{"x":1}`, 1)} {
		_, err := read(flat(t, v), "x.parquet")
		if err == nil || !strings.Contains(err.Error(), "x.parquet: it was written with --flat") {
			t.Errorf("%s: error %v; want one that names --flat", v.Value, err)
		}
	}
}

// TestFlatFileLosesNothing wants an error for a value that does not fit the columns, and for a time
// that other programs do not have.
func TestFlatFileLosesNothing(t *testing.T) {
	columns := text.NewFlatColumns()
	err := columns.Add(value("r", `{"n":1,"f":0.5,"s":"x","b":true,"none":null,"any":[1]}`, 1))
	if err != nil {
		t.Fatal(err)
	}
	const moved = "because it was stored after the columns were counted"
	for _, test := range []struct {
		v    daybook.StoredValue
		want string // "": no error
	}{
		{value("r", `{"n":2,"f":1,"s":"y","b":false,"any":"x"}`, 2), ""},
		{value("r", `{"n":null}`, 2), ""},
		{value("r", `{"n":0.5}`, 2), `record "r", the value at 2 ms: the member "n" does not fit its column, ` + moved},
		{value("r", `{"n":-0}`, 2), moved},
		{value("r", `{"f":12345678901234567890}`, 2), moved},
		{value("r", `{"s":1}`, 2), moved},
		{value("r", `{"b":"true"}`, 2), moved},
		{value("r", `{"none":true}`, 2), moved},
		{value("r", `{"new":1}`, 2), moved},
		{value("r", `{"n":1,"n":2}`, 2), "it has two members"},
		{value("r", `{"n":1}`, 253_402_300_800_000), "--until 9999-12-30"},
	} {
		err := parquet.NewFlatWriter(io.Discard, columns).Write(test.v)
		got := fmt.Sprint(err)
		if test.want == "" && err != nil || !strings.Contains(got, test.want) {
			t.Errorf("%s: error %v; want %q", test.v.Value, err, test.want)
		}
	}
}

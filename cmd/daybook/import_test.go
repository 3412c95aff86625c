// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

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

func TestExportAndImport(t *testing.T) {
	dir := filledDir(t, awkwardValues()...)
	want := stored(t, dir)
	for _, format := range exportFormats {
		t.Run(format, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "history."+format)
			out := mustRun(t, "", "export", "*", file, "--dir", dir)
			if !strings.HasPrefix(out, "exported 3,005 values, ") {
				t.Errorf("export printed %q", out)
			}
			imported := newDir(t)
			out = mustRun(t, "", "import", file, "--dir", imported)
			if !strings.HasPrefix(out, "imported 3,005 values from 1 file in ") {
				t.Errorf("import printed %q", out)
			}
			if diff := cmp.Diff(want, stored(t, imported)); diff != "" {
				t.Errorf("imported values (-want +got):\n%s", diff)
			}
			piped := mustRun(t, "", "export", "*", "-", "--format", format, "--dir", dir)
			if data, err := os.ReadFile(file); err != nil || format != "parquet" && piped != string(data) {
				t.Errorf("the piped export differs from the file (%v)", err)
			}
		})
	}
}

func TestImportOfRewrittenCSV(t *testing.T) {
	dir := newDir(t)
	sorted := writeFile(t, "sorted.csv", "value,record_name,stored_at\n2,b,7\n")
	mustRun(t, "", "import", "../../text/testdata/import_bom.csv", sorted, "--dir", dir)
	indexed := writeFile(t, "indexed.csv", ",record_name,stored_at,value\n0,c,8,\"{\"\"x\"\":3}\"\n")
	mustRun(t, "", "import", indexed, "--dir", dir)
	want := []daybook.StoredValue{value("a", "1", 1), value("b", "2", 7), value("c", `{"x":3}`, 8)}
	if diff := cmp.Diff(want, stored(t, dir)); diff != "" {
		t.Errorf("imported values (-want +got):\n%s", diff)
	}
}

// TestImportOfJSONFiles wants the values of a .json file that holds an array, or lines. The end of
// an array that was cut off is missing, and the values before it are stored.
func TestImportOfJSONFiles(t *testing.T) {
	const one = `{"record_name":"a","value":1,"stored_at":18446744073709551615}`
	tests := []struct{ name, data, problem string }{
		{"an array", "[" + one + "]", ""},
		{"lines", one + "\n", ""},
		{"an array that was cut off", "[\n" + one, "x.json:2: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := newDir(t)
			got := run(t, "", "import", writeFile(t, "x.json", test.data), "--dir", dir)
			if (got.status != statusDone) != (test.problem != "") || !strings.Contains(got.err, test.problem) ||
				strings.Count(got.err, "\n") > 1 {
				t.Errorf("status %d, stderr %q; want %q", got.status, got.err, test.problem)
			}
			if diff := cmp.Diff([]daybook.StoredValue{value("a", "1", 1<<64-1)}, stored(t, dir)); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
		})
	}
}

// TestImportRefuses wants one line for a file that is cut off, altered, or not exported at all.
func TestImportRefuses(t *testing.T) {
	dir := filledDir(t, awkwardValues()...)
	parquet := filepath.Join(t.TempDir(), "history.parquet")
	mustRun(t, "", "export", "*", parquet, "--dir", dir)
	data, err := os.ReadFile(parquet)
	if err != nil {
		t.Fatal(err)
	}
	const header = "record_name,stored_at,value\n"
	tests := []struct {
		name, file, data, want string
		stored                 string // what the error says about values before it; "": nothing
	}{
		{"a Parquet file that is cut off", "x.parquet", string(data[:len(data)/2]),
			"it is not a whole Parquet file", ""},
		{"a file that is not Parquet", "x.parquet", "no parquet", "it is not a whole Parquet file", ""},
		{"a binary file for CSV", "x.csv", "PAR1" + strings.Repeat("\x01\xff", 1000),
			`the header is ["PAR1\x01\xff\x01`, ""},
		{"CSV of another program", "x.csv", "a,b\n1,2\n",
			`"daybook ingest" reads CSV that "daybook export" did not write`, ""},
		{"a row of CSV that is too short", "x.csv", header + "a,1,1\nb,2\n", "wrong number of fields", "1 value was"},
		{"a value that is not JSON", "x.csv", header + "a,1,1\nb,2,{\n", "x.csv:3: ", "1 value was"},
		{"a word for a time", "x.csv", header + "a,soon,1\n",
			`x.csv:2: column 2 ("stored_at"): "soon" is not a time`, "0 values were"},
		{"a line that is not JSON", "x.ndjson", "{\n", "x.ndjson:1: ", "0 values were"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			file := writeFile(t, test.file, test.data)
			dir := newDir(t)
			got := run(t, "", "import", file, "--dir", dir)
			if got.status != statusFailed || got.out != "" || strings.Count(got.err, "\n") != 1 || len(got.err) > 400 {
				t.Errorf("%+v; want a failure and one line", got)
			}
			saysStored := strings.Contains(got.err, " stored before it")
			if !strings.Contains(got.err, test.want) || saysStored != (test.stored != "") ||
				!strings.Contains(got.err, test.stored) {
				t.Errorf("stderr %q; want %q, and %q", got.err, test.want, test.stored)
			}
			if _, err := os.Stat(dir); test.stored == "" && !os.IsNotExist(err) {
				t.Errorf("a directory was created for a file that export did not write: %v", err)
			}
		})
	}
}

// TestImportOfCutOffCSV wants to be told of a last line without a line end, which export writes.
func TestImportOfCutOffCSV(t *testing.T) {
	const whole = "record_name,stored_at,value\na,1,12.5\na,2,12.5\n"
	for _, test := range []struct {
		text string
		want bool
	}{{whole, false}, {whole[:len(whole)-3], true}, {"record_name,stored_at,value", false}, {"", false}} {
		file := writeFile(t, "x.csv", test.text)
		for _, command := range []string{"import", "ingest"} {
			got := run(t, "", command, file, "--dir", newDir(t))
			said := strings.Contains(got.err, file+": the last line does not end with a line end")
			if got.status != statusDone || said != test.want {
				t.Errorf("%s of %q: %+v; want that it is said: %v", command, test.text, got, test.want)
			}
		}
	}
}

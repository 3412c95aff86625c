// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/timeform"
)

// readCSV detects how a file of CSV is written, reads it, and returns a line for each value or bad
// line.
func readCSV(sample Sample, hints Hints) (sentence string, lines []string, err error) {
	sample.Text = bytes.TrimPrefix(sample.Text, []byte("\uFEFF"))
	f, err := detectCSV(sample, hints)
	if err != nil {
		return "", nil, err
	}
	lines, err = readAs(f, sample.Text)
	return f.String(), lines, err
}

// readAs reads a file of CSV as it was found to be, and returns a line for each value or bad line.
func readAs(f *Finding, file []byte) (lines []string, err error) {
	r, err := text.NewCSVReader(bytes.NewReader(file), f.Reader)
	if err != nil {
		return nil, err
	}
	for {
		v, err := r.Read()
		switch {
		case err == io.EOF:
			return append(lines, r.(text.Noter).Notes()...), nil
		case errors.As(err, new(*text.LineError)):
			lines = append(lines, err.Error())
		case err != nil:
			return lines, err
		default:
			lines = append(lines, fmt.Sprintf("%s %d %s", v.RecordName, v.StoredAt, v.Value))
		}
	}
}

// TestCSVCases reads files of other people.
func TestCSVCases(t *testing.T) {
	tests := []struct {
		file     string
		sentence string // after "CSV, "
		lines    []string
	}{
		{"cr_only.csv", `',' between columns, header; time: "time" as RFC 3339; record "cr_only"`,
			[]string{`cr_only 1704067200000 {"v":5}`}},
		{"date_and_time.csv", `',' between columns, header; time: "Date" and "Time" as DD/MM/YYYY HH:MM, UTC; ` +
			`record "date_and_time"`, []string{`date_and_time 1761696000000 {"Min":13.28}`}},
		{"dateonly.csv", `',' between columns, header; time: "date" as YYYY-MM-DD, UTC; record "dateonly"`,
			[]string{`dateonly 1325376000000 {"v":12.8}`}},
		{"ha.csv", `',' between columns, header; time: "last_changed" as RFC 3339; record "ha"; ` +
			`strings, not numbers: "state" because of "unavailable"`, []string{
			`ha 1766772000000 {"entity_id":"sensor.voltmeter_a","state":"13.249470"}`,
			`ha 1766772003000 {"entity_id":"sensor.voltmeter_b","state":"unavailable"}`,
		}},
		{"hex_ids.csv", `',' between columns, header; time: "time" as Unix time in s; record "hex_ids"`, []string{
			`hex_ids 1696758378500 {"id":"1E5","data":"1000000000000001"}`,
			`hex_ids 1696758378600 {"id":"0F7","data":"01FD01C780000300"}`,
			`hex_ids 1696758378700 {"id":"1E999","data":"12345678901234567890"}`,
		}},
		{"micros.csv", `',' between columns, header; ` +
			`time: "time" as Unix time in us, cut off below 1 ms; record "micros"`,
			[]string{`micros 1571140860123 {"v":1}`}},
		{"no_header.csv", `',' between columns, no header; time: "c1" as RFC 3339; record "no_header"`,
			[]string{`no_header 1704067200000 {"c2":5}`, `no_header 1704067201000 {"c2":6}`}},
		{"nozone.csv", `',' between columns, header; time: "time" as YYYY-MM-DD HH:MM:SS, UTC; record "nozone"`,
			[]string{`nozone 1386018900000 {"v":73.96}`}},
		{"semicolon.csv", `';' between columns, decimal comma, header; time: "time" as RFC 3339; record "semicolon"`,
			[]string{`semicolon 1704067200000 {"v":21.5}`}},
		{"semicolon_now.csv", `';' between columns, header; time: "time" as RFC 3339; record "semicolon_now"`,
			[]string{`semicolon_now 1704067200000 {"v":21.5}`}},
		{"space_after_comma.csv", `',' between columns, header; time: "time" as RFC 3339; record "space_after_comma"`,
			[]string{`space_after_comma 1704067200000 {"v":5}`}},
		{"total.csv", `',' between columns, header; time: "time" as RFC 3339; record "total"`, []string{
			`total 1704067200000 {"v":5}`, `total 1704067201000 {"v":6}`,
			`total.csv:4: column 1 ("time"): "Total" is not a time: want RFC 3339`,
		}},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			mustRead(t, readFile(t, test.file), test.file, test.sentence, test.lines)
		})
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// inUTC are hints for a file whose times without a zone are UTC.
func inUTC(name string) Hints {
	return Hints{Reader: text.ReadOptions{Name: name}, Time: timeform.Options{Zone: time.UTC}}
}

// mustRead wants what is found in a file, and its values and bad lines.
func mustRead(t *testing.T, file, name, sentence string, lines []string) {
	t.Helper()
	got, gotLines, err := readCSV(Sample{[]byte(file), true}, inUTC(name))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("CSV, "+sentence, got); diff != "" {
		t.Errorf("sentence (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(lines, gotLines); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestOwnCSV(t *testing.T) {
	for _, file := range []string{readFile(t, "import_bom.csv")[3:], "stored_at,value,record_name\n1,2,a\n"} {
		f, err := detectCSV(Sample{[]byte(file), true}, Hints{})
		if err != nil || !f.Own {
			t.Errorf("%q: %+v, error %v; want a file of our own", file, f, err)
		}
	}
}

// TestRefusedCSV wants errors before anything is read.
func TestRefusedCSV(t *testing.T) {
	tests := []struct {
		name string
		file string
		is   error
		want string
	}{
		{"a date that is a number", readFile(t, "yyyymmdd.csv"), text.ErrNoUnit,
			`x.csv:2: column 1 ("time"): "20140214" is not a time without a unit`},
		{"a date that is ambiguous", readFile(t, "hobo_title.csv"), nil, // 06/08/22
			`x.csv:3: column 2 ("Date Time, GMT-05:00"): "06/08/22 07:00:00 PM" is ambiguous`},
		{"a date of birth", "id,birth_date,kg\n1,1985-02-03,70\n", ErrNoTime, `"birth_date"`},
		{"the date when a meter was installed", "meter,installed,kwh\nA,2019-03-01,100\n", ErrNoTime, ""},
		{"a sunrise beside a day", "date,sunrise_time,max\n2024-05-01,05:40,21\n", ErrPartOfTime, `"sunrise_time"`},
		{"an expiry that has the name of a time", "date of expiry,v\n2025-03-01,1\n", ErrNoTime, ""},
		{"no time", "a,b\n1,2\n", ErrNoTime, `nothing in it looks like a time: its columns are "a" and "b"`},
		{"times of day alone", "Time,b\n10:00,2\n11:00,2\n", nil, `column 1 ("Time")`},
		{"a header with too few names", "time,v\n2024-01-01T00:00:00Z,1,2\n2024-01-01T00:00:01Z,1,2\n", ErrHeader,
			"x.csv:1: the header does not fit the rows: it has 2 names, and most rows have 3 cells"},
		{"names and numbers over units", "Date,Time,1\n,,flow\n2024/01/15,14:30:00,12\n2024/01/15,14:31:00,12\n",
			ErrHeader, "x.csv:1: the header does not fit the rows: it names a time, and the row after it has none"},
		{"nothing", "\n", nil, "it is empty"},
		{"no table", "hello\nworld\n", ErrNoTable, "it is no table"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := detectCSV(Sample{[]byte(test.file), true}, inUTC("x.csv"))
			if err == nil || !strings.Contains(err.Error(), test.want) ||
				test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("error %v; want %q", err, test.want)
			}
		})
	}
}

// TestTimeAmongOthers reads files that have dates of another meaning beside the time.
func TestTimeAmongOthers(t *testing.T) {
	tests := []struct{ name, input, want string }{
		{"a date of birth first", "birth date,visit date,kg\n1985-02-03,2024-05-01,70\n",
			`f 1714521600000 {"birth date":"1985-02-03","kg":70}`},
		{"the end of an interval first", "end time,start time,kwh\n2024-05-01T01:00:00Z,2024-05-01T00:00:00Z,1\n",
			`f 1714521600000 {"end time":"2024-05-01T01:00:00Z","kwh":1}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			hints := Hints{Reader: text.ReadOptions{Name: "f.csv"}, Time: timeform.Options{Zone: time.UTC}}
			_, lines, err := readCSV(Sample{[]byte(test.input), true}, hints)
			if diff := cmp.Diff([]string{test.want}, lines); err != nil || diff != "" {
				t.Errorf("%v; values (-want +got):\n%s", err, diff)
			}
		})
	}
}

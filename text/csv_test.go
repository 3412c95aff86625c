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

func TestCSVReader(t *testing.T) {
	const header = "time,a,b,c,,e\n"
	tests := []struct {
		name string
		row  string
		want string
		time uint64
	}{
		{"numbers keep their text", "1764000005,1.50,-2.0,0,-0,-0.00",
			`{"a":1.50,"b":-2.0,"c":0,"column_5":-0,"e":-0.00}`, 1764000005000},
		{"exponents, as in hexadecimal names", "1764000005,1E5,-2e5,1E+3,1.5e3,9e9",
			`{"a":"1E5","b":"-2e5","c":"1E+3","column_5":"1.5e3","e":"9e9"}`, 1764000005000},
		{"whole numbers of 15 and of more digits",
			"1764000005,999999999999999,-999999999999999,1000000000000000,-1000000000000000,12345678901234567890",
			`{"a":999999999999999,"b":-999999999999999,"c":"1000000000000000",` +
				`"column_5":"-1000000000000000","e":"12345678901234567890"}`, 1764000005000},
		{"fractions of any length", "1764000005,0.12345678901234567890,1234567890123456.5,,,",
			`{"a":0.12345678901234567890,"b":1234567890123456.5}`, 1764000005000},
		{"texts that begin like numbers", "1764000005,-,-.5,00.5,1.2.3,--1",
			`{"a":"-","b":"-.5","c":"00.5","column_5":"1.2.3","e":"--1"}`, 1764000005000},
		{"cells that say nothing", "1764000005,NaN,null,N/A,,1", `{"e":1}`, 1764000005000},
		{"the same in other letters", "1764000005,nan,NULL,n/a,,1", `{"e":1}`, 1764000005000},
		{"texts that are like them", "1764000005,nano,NIL,NA,-,\" null\"",
			`{"a":"nano","b":"NIL","c":"NA","column_5":"-","e":" null"}`, 1764000005000},
		{"texts that look like numbers", "1764000005,007,+1,1.,\" 2\",0x1F",
			`{"a":"007","b":"+1","c":"1.","column_5":" 2","e":"0x1F"}`, 1764000005000},
		{"digits at both ends", "1764000005,9,90,09,\"1\t\",9.9",
			`{"a":9,"b":90,"c":"09","column_5":"1\t","e":9.9}`, 1764000005000},
		{"other JSON", `1764000005,[1],"{""x"":1}","""y""",1]," 0 "`,
			`{"a":"[1]","b":"{\"x\":1}","c":"\"y\"","column_5":"1]","e":" 0 "}`, 1764000005000},
		{"blanks around cells", "1764000005 , 1\t,\t\"x\" ,  , null, a b ",
			`{"a":1,"b":"x","e":"a b"}`, 1764000005000},
		{"true and false", "1764000005,true,false,TRUE,False,t",
			`{"a":true,"b":false,"c":"TRUE","column_5":"False","e":"t"}`, 1764000005000},
		{"empty cells are left out", "1764000005,,1,,,", `{"b":1}`, 1764000005000},
		{"only a time", "1764000005,,,,,", `{}`, 1764000005000},
		{"quotes, separators and lines in a cell", "1764000005,\"a \"\"b\"\", c\",\"x\ny\",<é>,,",
			`{"a":"a \"b\", c","b":"x\ny","c":"<é>"}`, 1764000005000},
		{"milliseconds", "1764000000123,1,,,,", `{"a":1}`, 1764000000123},
		{"RFC 3339", "2001-01-01T00:00:07+00:00,1,,,,", `{"a":1}`, 978307207000},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			opts := ReadOptions{Record: "w", Time: []string{"time"}}
			r, err := NewCSVReader(strings.NewReader(header+test.row+"\n"), opts)
			if err != nil {
				t.Fatal(err)
			}
			want := []daybook.StoredValue{value("w", test.want, test.time)}
			if diff := cmp.Diff(want, mustReadAll(t, r)); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
		})
	}
}

// TestBadRows wants that a bad row is a *LineError, and that the rows before and after it are read.
func TestBadRows(t *testing.T) {
	tests := []struct {
		name string
		row  string
		want string
	}{
		{"too few cells", "1764000005", "it has 1 cell; want 2"},
		{"too many cells", "1764000005,1,2", "it has 3 cells; want 2"},
		{"a quote in the middle", `1764000005,a"b`, "bare"},
		{"no time", ",1", `column 1 ("time"): it has no time`},
		{"a word for a time", "noon,1",
			`column 1 ("time"): "noon" is not a time: want RFC 3339, or Unix time in s, ms, us or ns`},
		{"a date that is a number", "20140214,1", `column 1 ("time"): "20140214" is not a time without a unit`},
		{"a time without its zone", "1970-01-01 00:00:05,1", "has no time zone"},
		{"not UTF-8", "1764000005,\xff", `column 2 ("a"): not valid UTF-8`},
		{"a time that is not UTF-8", "\xff,1", `column 1 ("time"): not valid UTF-8`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			input := "time,a\n1764000001,\"x\ny\"\n" + test.row + "\n1764000002,2\n" // the first row has two lines
			opts := ReadOptions{Name: "rows.csv", Record: "w", Time: []string{"time"}}
			r, err := NewCSVReader(strings.NewReader(input), opts)
			if err != nil {
				t.Fatal(err)
			}
			values, bad, err := readGood(r)
			if err != nil || len(values) != 2 || len(bad) != 1 {
				t.Fatalf("values %v, bad lines %v, error %v; want 2 values and 1 bad line", values, bad, err)
			}
			text := bad[0].Error()
			if bad[0].Line != 4 || !strings.HasPrefix(text, "rows.csv:4: ") || !strings.Contains(text, test.want) {
				t.Errorf("%+v, which says %q; want line 4 and %q", bad[0], text, test.want)
			}
		})
	}
}

// TestBadCSV wants errors that end a file.
func TestBadCSV(t *testing.T) {
	t.Parallel()
	byTime := ReadOptions{Name: "rows.csv", Record: "r", Time: []string{"t"}}
	tests := []struct {
		name  string
		opts  ReadOptions
		input string
		want  string // "": no error
	}{
		{"no record", ReadOptions{Time: []string{"t"}}, "t\n1\n", "invalid record name: it is empty"},
		{"no time column", ReadOptions{Record: "r"}, "t\n1\n", "neither Time nor StampNow"},
		{"another unit", ReadOptions{Record: "r", Time: []string{"t"}, TimeUnit: "m"}, "t\n1\n",
			"want s, ms, us or ns"},
		{"an invalid record name", ReadOptions{Record: "a\x00b", Time: []string{"t"}}, "t\n1\n",
			"with a NUL; want none"},
		{"a missing time column", ReadOptions{Record: "r", Time: []string{"when"}}, "t,a\n1,2\n",
			`the header is ["t" "a"]; want a column "when"`},
		{"two columns without a name", byTime, "t,a,,\n1764000001,2,3,4\n", ""},
		{"a header that is not UTF-8", byTime, "t,a\xff\n1,2\n",
			`column 2 ("a\xff"): its name in the header is not valid UTF-8`},
		{"a time column without a name", ReadOptions{Record: "r", Time: []string{"column_2"}},
			"a,\n1,1764000002\n", ""},
		{"a quote within a name", byTime, "t,a\"b\n1,2\n", `rows.csv: line 1: column 2: bare "`},
		{"an empty file", byTime, "", "rows.csv: it is empty: want a header line"},
		{"a quote that never closes", byTime, "t,a\n1,\"" + strings.Repeat("x\n", MaxLineLen/2+bufferSize),
			"rows.csv: after line 1: a row is longer than 17 MiB; is a quote not closed?"},
		{"a byte order mark", byTime, "\uFEFFt,a\n1764000001,2\n", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := NewCSVReader(strings.NewReader(test.input), test.opts)
			if err == nil {
				_, err = readAll(r)
			}
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v; want %q", err, test.want)
			}
		})
	}
}

// TestUnclosedQuoteCountsItsLines wants that an error names all lines that an unclosed quote makes
// one row.
func TestUnclosedQuoteCountsItsLines(t *testing.T) {
	input := "t,a\n1764000001,1\n2,\"two\n3,3\n4,4\n5,5\n"
	r, err := NewCSVReader(strings.NewReader(input), ReadOptions{Record: "r", Time: []string{"t"}})
	if err != nil {
		t.Fatal(err)
	}
	values, bad, err := readGood(r)
	if err != nil || len(values) != 1 || len(bad) != 1 {
		t.Fatalf("values %v, bad lines %v, error %v; want 1 of each", values, bad, err)
	}
	if bad[0].Line != 3 || bad[0].LastLine != 6 || bad[0].Lines() != 4 ||
		!strings.HasPrefix(bad[0].Error(), "lines 3-6: ") {
		t.Errorf("%+v, which says %q; want lines 3 to 6", bad[0], bad[0])
	}
}

// TestCSVWithoutATimeColumn wants that the first column is a member as each other.
func TestCSVWithoutATimeColumn(t *testing.T) {
	r, err := NewCSVReader(strings.NewReader("a,b\n1,2\n"), ReadOptions{Record: "w", StampNow: true})
	if err != nil {
		t.Fatal(err)
	}
	before := daybook.Now()
	values := mustReadAll(t, r)
	if len(values) != 1 || string(values[0].Value) != `{"a":1,"b":2}` ||
		values[0].StoredAt < before || values[0].StoredAt > daybook.Now() {
		t.Errorf("values %v; want both columns, and the time of now", values)
	}
}

// TestBoundIsThatOfARow reads files that are longer than the longest row, with a bound of one
// buffer.
func TestBoundIsThatOfARow(t *testing.T) {
	rows := strings.Repeat("r,1764000005,123456789\n", maxReads/2) // more than a buffer
	exported, err := NewExportedCSVReader(strings.NewReader("record_name,stored_at,value\n"+rows), ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	exported.(*exportedCSVReader).bound.max = bufferSize
	for name, r := range map[string]ValueReader{"exported": exported} {
		if values, err := readAll(r); err != nil || len(values) != maxReads/2 {
			t.Errorf("%s: %d values, %v; want %d", name, len(values), err, maxReads/2)
		}
	}
}

// TestCSVReadErrors wants an error of the input as it is, with the file's name and the last line
// before it.
func TestCSVReadErrors(t *testing.T) {
	broken := errors.New("the cable is cut")
	input := func(lines string) io.Reader { return io.MultiReader(strings.NewReader(lines), failingReader{broken}) }
	plain := func(in io.Reader) (ValueReader, error) {
		return NewCSVReader(in, ReadOptions{Name: "x.csv", Record: "r", Time: []string{"t"}})
	}
	exported := func(in io.Reader) (ValueReader, error) { return NewExportedCSVReader(in, ReadOptions{Name: "x.csv"}) }
	tests := []struct {
		name  string
		open  func(io.Reader) (ValueReader, error)
		lines string
		want  string
	}{
		{"before the header", plain, "", "x.csv: the cable is cut"},
		{"after half a byte order mark", plain, "\xEF", "x.csv: the cable is cut"},
		{"in the header", plain, "t,a", "x.csv: the cable is cut"},
		{"after the header", plain, "t,a\n", "x.csv: after line 1: the cable is cut"},
		{"after a row", plain, "t,a\n1,1\n", "x.csv: after line 2: the cable is cut"},
		{"after a malformed row", plain, "t,a\n1,1\n2\n", "x.csv: after line 3: the cable is cut"},
		{"in the header of an export", exported, "record_name", "x.csv: the cable is cut"},
		{"in an export", exported, "record_name,stored_at,value\na,1,1\n", "x.csv: the cable is cut"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := test.open(input(test.lines))
			if err == nil {
				_, _, err = readGood(r)
			}
			if !errors.Is(err, broken) || err.Error() != test.want {
				t.Errorf("error %v; want %q", err, test.want)
			}
		})
	}
}

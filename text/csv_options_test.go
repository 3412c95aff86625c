// SPDX-License-Identifier: Apache-2.0

package text

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

// TestCSVOptions wants what each option makes of a file: a line for each value, bad line and note.
func TestCSVOptions(t *testing.T) {
	byTime := []string{"t"}
	tests := []struct {
		name string
		opts ReadOptions
		file string
		want []string
	}{
		{"a delimiter", ReadOptions{Time: byTime, CSV: CSVOptions{Delimiter: ';'}},
			"t;a\n1764000001;2,5\n", []string{`r 1764000001000 {"a":"2,5"}`}},
		{"comments, and lines to skip", ReadOptions{Time: byTime, CSV: CSVOptions{Comment: '#', SkipLines: 2}},
			"a \"title\n\n# comment\nt,a\n#1\n1764000001,#2\n", []string{`r 1764000001000 {"a":"#2"}`}},
		{"names of columns", ReadOptions{Time: byTime, CSV: CSVOptions{Columns: []string{"t", "", "b", "b"}}},
			"1764000001,1,2,3\n1,1\n", []string{
				`r 1764000001000 {"column_2":1,"b":2,"b_2":3}`, "line 2: it has 2 cells; want 4, one for each column",
			}},
		{"cells that a row may lack", ReadOptions{Time: byTime, CSV: CSVOptions{MayLack: 2}},
			"t,a,b,c\n1764000001,1,2,3\n1764000002,4\n1764000003,5,6\n", []string{
				`r 1764000001000 {"a":1,"b":2,"c":3}`, `r 1764000002000 {"a":4}`,
				"line 4: it has 3 cells; want 4, one for each column",
			}},
		{"names that are repeated", ReadOptions{Time: byTime}, "t,Year,Year,Year\n1764000001,1,2,3\n",
			[]string{`r 1764000001000 {"Year":1,"Year_2":2,"Year_3":3}`}},
		{"blanks", ReadOptions{Time: byTime}, "t , a\n 1764000001\t,\t\" x\" \n",
			[]string{`r 1764000001000 {"a":" x"}`}},
		{"blanks that are kept", ReadOptions{Time: []string{"t "}, CSV: CSVOptions{KeepBlanks: true}},
			"t , a\n1764000001, 5\n", []string{`r 1764000001000 {" a":" 5"}`}},
		{"decimal commas", ReadOptions{Time: byTime, CSV: CSVOptions{Delimiter: ';', DecimalComma: true}},
			"t;a;b;c;d;e\n1764000001;1,50;-1.234,5;1.234.567;0,0;12\n1764000002;1.5;1.23,4;0.123;,5;1,\n" +
				"1764000003;1.234.56;1234.567;1,2,3;1.234,5.6;-\n1764000004;.123;01,5;1E5;1e5,0;12.34.567\n",
			[]string{
				`r 1764000001000 {"a":1.50,"b":-1234.5,"c":1234567,"d":0.0,"e":12}`,
				`r 1764000002000 {"a":"1.5","b":"1.23,4","c":"0.123","d":",5","e":"1,"}`,
				`r 1764000003000 {"a":"1.234.56","b":"1234.567","c":"1,2,3","d":"1.234,5.6","e":"-"}`,
				`r 1764000004000 {"a":".123","b":"01,5","c":"1E5","d":"1e5,0","e":"12.34.567"}`,
				`column 2 ("a"): 3 cells are no numbers and were kept as strings, the first in line 3`,
				`column 3 ("b"): 3 cells are no numbers and were kept as strings, the first in line 3`,
				`column 4 ("c"): 3 cells are no numbers and were kept as strings, the first in line 3`,
				`column 5 ("d"): 3 cells are no numbers and were kept as strings, the first in line 3`,
				`column 6 ("e"): 3 cells are no numbers and were kept as strings, the first in line 3`,
			}},
		{"texts", ReadOptions{Time: byTime, CSV: CSVOptions{Text: []string{"a"}}},
			"t,a,b\n1764000001,5,5\n1764000002,true,\n1764000003,NaN,1\n", []string{
				`r 1764000001000 {"a":"5","b":5}`, `r 1764000002000 {"a":"true"}`, `r 1764000003000 {"b":1}`,
			}},
		{"numbers", ReadOptions{Time: byTime, CSV: CSVOptions{Number: []string{"a"}}},
			"t,a\n1764000001,1E5\n1764000002,12345678901234567890\n1764000003,x\n1764000004,\n1764000005,true\n",
			[]string{
				`r 1764000001000 {"a":1E5}`, `r 1764000002000 {"a":12345678901234567890}`,
				`line 4: column 2 ("a"): "x" is not a number`, `r 1764000004000 {}`,
				`line 6: column 2 ("a"): "true" is not a number`,
			}},
		{"a text in a column of numbers", ReadOptions{Time: byTime},
			"t,a,b\n1764000001,1,x\n1764000002,err,y\n1764000003,2,z\n", []string{
				`r 1764000001000 {"a":1,"b":"x"}`, `r 1764000002000 {"a":"err","b":"y"}`,
				`r 1764000003000 {"a":2,"b":"z"}`,
				`column 2 ("a"): 1 cell is no number and was kept as a string, the first in line 3`,
			}},
		{"a template", ReadOptions{Time: byTime, Record: "ha.{id}"},
			"t,id,a\n1764000001,x/y,1\n1764000002,,1\n", []string{
				`ha.x/y 1764000001000 {"a":1}`, `line 3: "id" is empty, which names the record`,
			}},
		{"a topic", ReadOptions{Time: byTime, Record: "{topic}"},
			"t,topic,a\n1764000001,home/hall,1\n", []string{`home.hall 1764000001000 {"a":1}`}},
		{"a record for each column", ReadOptions{Time: byTime, Record: "{id}.{column}", Split: true},
			"t,id,a,b\n1764000001,x,1,y\n1764000002,x,,\n1764000003,x,,true\n", []string{
				"x.a 1764000001000 1", `x.b 1764000001000 "y"`, "x.b 1764000003000 true",
			}},
		{"a record for each column and row", ReadOptions{Time: byTime, Record: "{column}.{id}", Split: true},
			"t,id,a\n1764000001,x,1\n1764000002,y,2\n", []string{"a.x 1764000001000 1", "a.y 1764000002000 2"}},
		{"a column called column", ReadOptions{Time: byTime, Record: "{column}"},
			"t,column\n1764000001,x\n", []string{"x 1764000001000 {}"}},
		{"two columns of the time", ReadOptions{Time: []string{"d", "t"}},
			"t,d,a\n10:00:00Z,2025-11-24,1\n10:00:00Z,,1\n,,1\n", []string{
				`r 1763978400000 {"a":1}`,
				`line 3: column 2 ("d"): "10:00:00Z" is not a time: want RFC 3339, or Unix time in s, ms, us or ns`,
				`line 4: column 2 ("d"): it has no time`,
			}},
		{"times by a parser", ReadOptions{Time: byTime, Times: lengthParser{}}, "t,a\nxyz,1\n,1\n",
			[]string{`r 3 {"a":1}`, `line 3: column 1 ("t"): it has no time`}},
		{"NUL bytes", ReadOptions{Time: byTime}, "t,a\n1764000001,1\n\x00\x00\x00\n1764000002,1\n", []string{
			`r 1764000001000 {"a":1}`, "line 3: it holds NUL bytes, as a loss of power can leave them in a file",
			`r 1764000002000 {"a":1}`,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.opts.Record == "" {
				test.opts.Record = "r"
			}
			r, err := NewCSVReader(strings.NewReader(test.file), test.opts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, readLines(t, r)); diff != "" {
				t.Errorf("values, errors and notes (-want +got):\n%s", diff)
			}
		})
	}
}

// lengthParser takes the length of a text for its time.
type lengthParser struct{}

func (lengthParser) ParseTime(text string) (uint64, error) { return uint64(len(text)), nil }

// readLines returns a line for each value and bad line in their order, and each note.
func readLines(t *testing.T, r ValueReader) (lines []string) {
	t.Helper()
	for range maxReads {
		v, err := r.Read()
		switch {
		case err == nil:
			lines = append(lines, fmt.Sprintf("%s %d %s", v.RecordName, v.StoredAt, v.Value))
		case errors.As(err, new(*LineError)):
			lines = append(lines, err.Error())
		default:
			return append(lines, r.(Noter).Notes()...)
		}
	}
	t.Fatal(errNoEnd)
	return nil
}

func TestBadCSVOptions(t *testing.T) {
	byTime := []string{"t"}
	tests := []struct {
		name string
		opts ReadOptions
		want string
	}{
		{"a delimiter that is not ASCII", ReadOptions{CSV: CSVOptions{Delimiter: '§'}},
			"Delimiter and Comment must be"},
		{"a quote for a delimiter", ReadOptions{CSV: CSVOptions{Delimiter: '"'}}, "Delimiter and Comment must be"},
		{"comments that begin with the delimiter", ReadOptions{CSV: CSVOptions{Delimiter: ';', Comment: ';'}},
			"Delimiter and Comment must be"},
		{"comments that begin with a comma", ReadOptions{CSV: CSVOptions{Comment: ','}},
			"Delimiter and Comment must be"},
		{"a split without a column", ReadOptions{Split: true}, "Split wants the field {column}"},
		{"a template of a missing column", ReadOptions{Record: "{x}"}, `want a column "x", which names the record`},
		{"a broken template", ReadOptions{Record: "{x"}, "want a field between { and }"},
		{"a missing column of texts", ReadOptions{CSV: CSVOptions{Text: []string{"x"}}}, `want a column "x"`},
		{"a missing column of numbers", ReadOptions{CSV: CSVOptions{Number: []string{"x"}}}, `want a column "x"`},
		{"a missing second column of the time", ReadOptions{Time: []string{"t", "u"}}, `want a column "u"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.opts.Time == nil {
				test.opts.Time = byTime
			}
			if test.opts.Record == "" {
				test.opts.Record = "r"
			}
			_, err := NewCSVReader(strings.NewReader("t,a\n1764000001,1\n"), test.opts)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v; want %q", err, test.want)
			}
		})
	}
}

// TestRowsThatAreTooLong wants that the values of a row are bounded as all values.
func TestRowsThatAreTooLong(t *testing.T) {
	long := strings.Repeat("x", daybook.MaxValueLen)
	for _, split := range []bool{false, true} {
		opts := ReadOptions{Time: []string{"t"}, Record: "r.{column}", Split: split}
		if !split {
			opts.Record = "r"
		}
		r, err := NewCSVReader(strings.NewReader("t,a\n1764000001,"+long+"\n1764000002,1\n"), opts)
		if err != nil {
			t.Fatal(err)
		}
		values, bad, err := readGood(r)
		if err != nil || len(values) != 1 || len(bad) != 1 || !errors.Is(bad[0], daybook.ErrValueTooLarge) {
			t.Errorf("split %v: %d values, bad lines %v, error %v; want 1 of each", split, len(values), bad, err)
		}
	}
}

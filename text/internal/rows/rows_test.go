// SPDX-License-Identifier: Apache-2.0

package rows

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// readRows returns the rows of a text, and a row that holds the error for each malformed one.
func readRows(t *testing.T, in io.Reader, opts Options) (all [][]string) {
	t.Helper()
	r := NewReader(in, opts)
	for {
		cells, err := r.Read()
		switch {
		case err == io.EOF:
			return all
		case errors.As(err, new(*Error)):
			all = append(all, []string{"error", err.Error()})
			continue
		case err != nil:
			return append(all, []string{"end", err.Error()})
		}
		row := []string{}
		for _, cell := range cells {
			row = append(row, string(cell))
		}
		all = append(all, row)
	}
}

func TestReader(t *testing.T) {
	plain := Options{Delimiter: ',', MaxLen: 1 << 20}
	tests := []struct {
		name string
		text string
		opts Options
		want [][]string
	}{
		{"nothing", "", plain, nil},
		{"line ends of all kinds", "a,b\r\nc,d\re,f\ng,h", plain,
			[][]string{{"a", "b"}, {"c", "d"}, {"e", "f"}, {"g", "h"}}},
		{"empty lines", "\n\r\n\r\ra\n \t\nb\n\n", plain, [][]string{{"a"}, {"b"}}},
		{"empty cells", ",\n,,\n\"\"\n", plain, [][]string{{"", ""}, {"", "", ""}, {""}}},
		{"quotes", "\"a,\"\"b\"\"\",\"x\r\ny\"\n\"\"\"\",2", plain, [][]string{{`a,"b"`, "x\r\ny"}, {`"`, "2"}}},
		{"blanks are dropped", " a\t, \"b \" ,c d ,\n", plain, [][]string{{"a", "b ", "c d", ""}}},
		{"blanks are kept", " a\t,c d ,\n", Options{Delimiter: ',', KeepBlanks: true, MaxLen: 99},
			[][]string{{" a\t", "c d ", ""}}},
		{"tabs", "a\t\t b\n", Options{Delimiter: '\t', MaxLen: 99}, [][]string{{"a", "", "b"}}},
		{"quotes within cells between tabs", "a\t{\"b\":\"c d\"}\t5\"\n\"e\tf\"\n",
			Options{Delimiter: '\t', MaxLen: 99}, [][]string{{"a", `{"b":"c d"}`, `5"`}, {"e\tf"}}},
		{"blanks between cells", "  a \t b\tc \t\n\n \t \nd  \"e f\"  \"\"\n", Options{Delimiter: ' ', MaxLen: 99},
			[][]string{{"a", "b", "c"}, {"d", "e f", ""}}},
		{"each blank between cells", " a  b \n", Options{Delimiter: ' ', KeepBlanks: true, MaxLen: 99},
			[][]string{{"", "a", "", "b", ""}}},
		{"tabs after quotes", "\"a\"\tb \"c\" \t\"d\"", Options{Delimiter: ' ', MaxLen: 99},
			[][]string{{"a", "b", "c", "d"}}},
		{"comments", "#x \"\n# y\r\na,#b\n#", Options{Delimiter: ',', Comment: '#', MaxLen: 99},
			[][]string{{"a", "#b"}}},
		{"a quote in a cell", "1\na,b\"c\nd\n", plain,
			[][]string{{"1"}, {"error", "line 2: column 2: " + ErrBareQuote.Error()}, {"d"}}},
		{"a text after quotes", "1\n\"a\"b,\nd\n", plain,
			[][]string{{"1"}, {"error", "line 2: column 1: " + ErrBareQuote.Error()}, {"d"}}},
		{"a quote that is not closed", "1\nx,\"a\nb\n", plain,
			[][]string{{"1"}, {"error", "line 2: column 2: " + ErrNotClosed.Error()}}},
		{"NUL bytes", "1\n\x00\x00\x00a,b\nc\x00d\n\x00\n2\n\x00\x00", plain, [][]string{
			{"1"}, {"error", "line 2: " + ErrNUL.Error()}, {"error", "line 3: " + ErrNUL.Error()},
			{"error", "line 4: " + ErrNUL.Error()}, {"2"}, {"error", "line 6: " + ErrNUL.Error()},
		}},
		{"more NUL bytes than a row may have", "1\n" + strings.Repeat("\x00", 1<<21), plain,
			[][]string{{"1"}, {"error", "line 2: " + ErrNUL.Error()}}},
		{"a long comment", "#" + strings.Repeat("x", 1<<17) + "\na", Options{Comment: '#', MaxLen: 99},
			[][]string{{"a"}}},
		{"a long row", "a\n" + strings.Repeat("x", 1<<17), Options{Delimiter: ',', MaxLen: 1 << 16},
			[][]string{{"a"}, {"end", "a row is longer than 0 MiB; is a quote not closed?"}}},
		{"many rows that are longer together", strings.Repeat("abc\n", 4), Options{Delimiter: ',', MaxLen: 4},
			[][]string{{"abc"}, {"abc"}, {"abc"}, {"abc"}}},
		{"too many cells", strings.Repeat(",", MaxCells) + "\na", plain,
			[][]string{{"error", "line 1: column 1: the row has more than 65536 cells"}, {"a"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := readRows(t, strings.NewReader(test.text), test.opts)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			got = readRows(t, iotest.OneByteReader(strings.NewReader(test.text)), test.opts)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("rows of single bytes (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLines wants the line that each row begins in.
func TestLines(t *testing.T) {
	const text = "a\r\n\r\n\"b\r\nc\rd\ne\"\rf\n\ng"
	r := NewReader(iotest.OneByteReader(strings.NewReader(text)), Options{Delimiter: ',', MaxLen: 99})
	for _, want := range []int{1, 3, 7, 9} {
		if _, err := r.Read(); err != nil || r.Line() != want {
			t.Errorf("a row in line %d, error %v; want line %d", r.Line(), err, want)
		}
	}
	if r.NextLine() != 10 {
		t.Errorf("the next line is %d; want 10", r.NextLine())
	}
}

// TestIsUnended wants to know whether the last row has a line end, which a comment or blanks after
// it have not.
func TestIsUnended(t *testing.T) {
	for text, want := range map[string]bool{
		"a\n": false, "a\nb": true, "a\rb\r": false, "a\n\"b\n": false, "a\n\"b\n\"": true, "a\n# b": false,
		"a\n  ": false, "a\n\n\n": false, "": false,
	} {
		r := NewReader(iotest.OneByteReader(strings.NewReader(text)), Options{Delimiter: ',', Comment: '#', MaxLen: 99})
		var err error
		for err != io.EOF {
			_, err = r.Read()
		}
		if r.IsUnended() != want {
			t.Errorf("%q: got %v; want %v", text, r.IsUnended(), want)
		}
	}
}

func TestNames(t *testing.T) {
	tests := []struct {
		name    string
		header  []string
		want    []string
		renamed []int
	}{
		{"different", []string{"a", "b"}, []string{"a", "b"}, nil},
		{"repeated", []string{"Year", "a", "Year", "Year"}, []string{"Year", "a", "Year_2", "Year_3"}, []int{2, 3}},
		{"the new name is taken", []string{"a", "a", "a_2"}, []string{"a", "a_3", "a_2"}, []int{1}},
		{"empty", []string{"", "a", ""}, []string{"column_1", "a", "column_3"}, nil},
		{"the name of an empty one is taken", []string{"t", "", "column_2"},
			[]string{"t", "column_2_2", "column_2"}, []int{1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			names, renamed, err := Names(test.header)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]any{test.want, test.renamed}, []any{names, renamed}); diff != "" {
				t.Errorf("names and places of the renamed (-want +got):\n%s", diff)
			}
		})
	}
}

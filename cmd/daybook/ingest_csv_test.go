// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

func TestIngestCSV(t *testing.T) {
	header := "time,a,b,c,,e\n"
	tests := []struct {
		why  string
		row  string
		want daybook.StoredValue
	}{
		{"numbers keep their text", "5,1.50,-2e5,0,-0,1E+3", value("w", `{"a":1.50,"b":-2e5,"c":0,"column_5":-0,"e":1E+3}`, 5000)},
		{"what only looks like a number is text", "5,007,+1,1., 2,0x1F", value("w", `{"a":"007","b":"+1","c":"1.","column_5":" 2","e":"0x1F"}`, 5000)},
		{"true and false", "5,true,false,TRUE,null,NaN", value("w", `{"a":true,"b":false,"c":"TRUE","column_5":"null","e":"NaN"}`, 5000)},
		{"empty cells are left out", "5,,1,,,", value("w", `{"b":1}`, 5000)},
		{"nothing but a time", "5,,,,,", value("w", `{}`, 5000)},
		{"quotes, separators and lines in a cell", "5,\"a \"\"b\"\", c\",\"x\ny\",<é>,,", value("w", `{"a":"a \"b\", c","b":"x\ny","c":"<é>"}`, 5000)},
		{"milliseconds", "1764000000123,1,,,,", value("w", `{"a":1}`, 1764000000123)},
		{"RFC 3339", "1970-01-01T00:00:07+00:00,1,,,,", value("w", `{"a":1}`, 7000)},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			dir := newDir(t)
			mustRun(t, header+test.row+"\n", "ingest", "--record", "w", "--time-column", "time", "--dir", dir)
			if diff := cmp.Diff([]daybook.StoredValue{test.want}, stored(t, dir)); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBadRows(t *testing.T) {
	tests := []struct {
		why  string
		row  string
		want string
	}{
		{"too few cells", "5", "wrong number of fields"},
		{"too many cells", "5,1,2", "wrong number of fields"},
		{"a quote in the middle", `5,a"b`, "bare"},
		{"no time", ",1", "no time"},
		{"a time that is none", "noon,1", `"noon" is not a time`},
		{"a time without its zone", "1970-01-01 00:00:05,1", "has no time zone"},
		{"not UTF-8", "5,\xff", "column 2 is not valid UTF-8"},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			dir := newDir(t)
			args := []string{"ingest", "--record", "w", "--time-column", "time", "--dir", dir}
			input := "time,a\n1,\"x\ny\"\n" + test.row + "\n2,2\n" // the first row has two lines
			got := run(t, input, args...)
			if got.status != statusFailed || !strings.HasPrefix(got.err, "daybook: stdin:4: ") || !strings.Contains(got.err, test.want) {
				t.Errorf("stopping: %+v; want %q", got, test.want)
			}
			got = run(t, input, append(args, "--skip-bad")...)
			if got.status != statusDone || !strings.Contains(got.out, "stored 2 values") {
				t.Errorf("skipping: %+v", got)
			}
		})
	}
}

func TestBadCSV(t *testing.T) {
	t.Parallel()
	tests := []struct {
		why    string
		args   []string
		input  string
		want   string
		status int
	}{
		{"no record", []string{"--time-column", "t"}, "t\n1\n", "needs --record", statusUsage},
		{"no time column", []string{"--record", "r"}, "t\n1\n", "needs --time-column", statusUsage},
		{"a record name that is none", []string{"--record", "a\x00b", "--time-column", "t"}, "t\n1\n", "holds a NUL", statusUsage},
		{"a time column that is not there", []string{"--record", "r", "--time-column", "when"}, "t,a\n1,2\n", `no column "when" in the header ["t" "a"]`, statusFailed},
		{"a column twice", []string{"--record", "r", "--time-column", "t"}, "t,a,a\n1,2,3\n", `columns 2 and 3 of the header are both named "a"`, statusFailed},
		{"two columns without a name have different ones", []string{"--record", "r", "--time-column", "t"}, "t,a,,\n1,2,3,4\n", "", statusDone},
		{"a name that is the place of one without", []string{"--record", "r", "--time-column", "t"}, "t,,column_2\n1,2,3\n", `columns 2 and 3 of the header are both named "column_2"`, statusFailed},
		{"a header that is not UTF-8", []string{"--record", "r", "--time-column", "t"}, "t,a\xff\n1,2\n", `column 2 of the header, "a\xff", is not valid UTF-8`, statusFailed},
		{"a time column by its place", []string{"--record", "r", "--time-column", "column_2"}, "a,\n1,2\n", "", statusDone},
		{"an empty file", []string{"--record", "r", "--time-column", "t", "--format", "csv"}, "", "want a header line", statusFailed},
		{"a quote that never closes", []string{"--record", "r", "--time-column", "t"}, "t,a\n1,\"" + strings.Repeat("x\n", maxLine/2+inputBuffer), "is a quote not closed?", statusFailed},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			got := run(t, test.input, append([]string{"ingest", "--dir", newDir(t)}, test.args...)...)
			if got.status != test.status || !strings.Contains(got.err, test.want) {
				t.Errorf("%+v; want status %d and %q", got, test.status, test.want)
			}
		})
	}
}

func TestUnclosedQuoteLosesNoLineSilently(t *testing.T) {
	dir := newDir(t)
	input := "t,a\n1,1\n2,\"two\n3,3\n4,4\n5,5\n"
	got := run(t, input, "ingest", "--record", "r", "--time-column", "t", "--skip-bad", "--dir", dir)
	if !strings.HasPrefix(got.err, "skipped stdin:3-6: ") || strings.Count(got.err, "\n") != 1 ||
		!strings.HasSuffix(got.out, ", skipped 4 bad lines\n") || got.status != statusDone {
		t.Errorf("%+v; want that lines 3 to 6 were skipped", got)
	}
	if n := len(stored(t, dir)); n != 1 {
		t.Errorf("%d values are stored; want the first line's", n)
	}
}

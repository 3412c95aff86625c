// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

func TestQuery(t *testing.T) {
	dir := filledDir(t, someValues()...)
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"json is one array", []string{"a.one", "--format", "json"}, "[\n" +
			`{"record_name":"a.one","value":{"x":2},"stored_at":2000}` + ",\n" +
			`{"record_name":"a.one","value":{"x": 1},"stored_at":1000}` + "\n]\n"},
		{"json of no values is an array too", []string{"c", "--format", "json"}, "[]\n"},
		{"ndjson keeps a value's bytes", []string{"*", "--format", "ndjson"},
			`{"record_name":"a.one","value":{"x":2},"stored_at":2000}
{"record_name":"a.one","value":{"x": 1},"stored_at":1000}
{"record_name":"a.two","value":"<tag> & \u00e9","stored_at":1500}
{"record_name":"b","value":null,"stored_at":0}
`},
		{"a limit counts for each record", []string{"a.*", "--limit", "1", "--format", "csv"},
			`record_name,stored_at,value
a.one,2000,"{""x"":2}"
a.two,1500,"""<tag> & \u00e9"""
`},
		{"the oldest first", []string{"a.one", "--oldest-first", "--limit=1", "--format", "csv"},
			`record_name,stored_at,value
a.one,1000,"{""x"": 1}"
`},
		{"a time range includes both ends",
			[]string{"*", "--since", "1000", "--until", "1970-01-01T00:00:01.5Z", "--format", "csv"},
			`record_name,stored_at,value
a.one,1000,"{""x"": 1}"
a.two,1500,"""<tag> & \u00e9"""
`},
		{"a star in a topic is one level", []string{"*", "--topic", "--format", "csv"}, `record_name,stored_at,value
b,0,null
`},
		{"a relative time after its flag", []string{"*", "--since", "-7d", "--format", "ndjson"}, ""},
		{"a relative time after an equals sign", []string{"*", "--since=-7d", "--format", "ndjson"}, ""},
		{"csv without values has its header", []string{"nothing", "--format", "csv"}, "record_name,stored_at,value\n"},
		{"a table", []string{"a*"}, `RECORD  STORED AT                      VALUE
a.one   1970-01-01T01:00:02.000+01:00  {"x":2}
a.one   1970-01-01T01:00:01.000+01:00  {"x":1}
a.two   1970-01-01T01:00:01.500+01:00  "<tag> & \u00e9"
`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"query", "--dir", dir}, test.args...)
			if diff := cmp.Diff(test.want, mustRun(t, "", args...)); diff != "" {
				t.Errorf("daybook %q (-want +got):\n%s", args, diff)
			}
		})
	}
}

func TestQueryReportsThatNothingMatches(t *testing.T) {
	dir := filledDir(t, someValues()...)
	got := run(t, "", "query", "c.*", "--topic", "--since", "5", "--dir", dir)
	want := result{"", "no values of records that match the topic \"c.*\" in that time\n", statusDone}
	if got != want {
		t.Errorf("%+v; want %+v", got, want)
	}
}

func TestTableOfManyBlocks(t *testing.T) {
	var values []daybook.StoredValue
	for i := range 3*maxBlockRows + 7 {
		values = append(values, value("record", fmt.Sprint(i), uint64(i)))
	}
	dir := filledDir(t, values...)
	out := mustRun(t, "", "query", "record", "--oldest-first", "--dir", dir)
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != len(values)+1 {
		t.Fatalf("%d lines; want a header and %d values", len(lines), len(values))
	}
	for i, line := range lines[1:] {
		if want := fmt.Sprintf("record  %s  %d", formatTime(uint64(i)), i); line != want {
			t.Fatalf("line %d is %q; want %q", i+2, line, want)
		}
	}
}

func TestTableIsSafeOnATerminal(t *testing.T) {
	tests := []struct {
		name   string
		stored daybook.StoredValue
		want   string
	}{
		{"a name with an escape", value("r\x1b[2J\n", `1`, 0), `r\u001b[2J\u000a`},
		{"a string with a control character of eight bits", value("r", "\"\u009b2J\"", 0), `"\u009b2J"`},
		{"a name with a right-to-left override", value("r\u202e", `1`, 0), `r\u202e`},
		{"a value of several lines", value("r", "{\n \"x\": 1\n}", 0), `{"x":1}`},
		{"a long value, which is cut", value("r", `"`+strings.Repeat("x", 1<<20)+`"`, 0), `xxx…`},
		{"letters of other scripts, which stay", value("küche", `"温度"`, 0), `"温度"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := filledDir(t, test.stored)
			got := mustRun(t, "", "query", "*", "--dir", dir)
			if strings.Count(got, "\n") != 2 || !strings.Contains(got, test.want) || len(got) > 600 {
				t.Errorf("got %q; want a header and a line with %q", got, test.want)
			}
		})
	}
}

func TestLineBreaksInAValueStayOnItsLine(t *testing.T) {
	dir := filledDir(t, value("r", "{\n\"x\":\r\n1}", 7))
	want := "{\"record_name\":\"r\",\"value\":{ \"x\":  1},\"stored_at\":7}\n"
	if got := mustRun(t, "", "query", "r", "--format", "ndjson", "--dir", dir); got != want {
		t.Errorf("got %q; want %q", got, want)
	}
}

// TestQueryAsParquet wants that import reads what query writes.
func TestQueryAsParquet(t *testing.T) {
	from, to := filledDir(t, someValues()...), newDir(t)
	file := writeFile(t, "all.parquet", mustRun(t, "", "query", "*", "--format", "parquet", "--oldest-first",
		"--dir", from))
	mustRun(t, "", "import", file, "--dir", to)
	if diff := cmp.Diff(stored(t, from), stored(t, to)); diff != "" {
		t.Errorf("copied values (-want +got):\n%s", diff)
	}
}

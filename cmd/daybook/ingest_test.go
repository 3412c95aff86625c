// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

func TestIngestNDJSON(t *testing.T) {
	tests := []struct {
		why   string
		input string
		want  []daybook.StoredValue
	}{
		{"a value keeps its bytes", `{"record_name":"r","value":{"x": 1.50, "s":"<\u00e9>"},"stored_at":5}` + "\n",
			[]daybook.StoredValue{value("r", `{"x": 1.50, "s":"<\u00e9>"}`, 5)}},
		{"AimDB's form, other members ignored", `{"type":"data","topic":"r","payload":[1],"ts":5}` + "\n",
			[]daybook.StoredValue{value("r", `[1]`, 5)}},
		{"null is a value", `{"record_name":"r","value":null,"stored_at":5}`, []daybook.StoredValue{value("r", `null`, 5)}},
		{"the members in any order, the last line without its end", "{\"stored_at\":5,\"value\":1,\"record_name\":\"r\"}",
			[]daybook.StoredValue{value("r", `1`, 5)}},
		{"empty lines and carriage returns", "\r\n\n  \n{\"record_name\":\"r\",\"value\":1,\"stored_at\":5}\r\n\n",
			[]daybook.StoredValue{value("r", `1`, 5)}},
		{"a byte order mark", "\uFEFF{\"record_name\":\"r\",\"value\":1,\"stored_at\":5}\n", []daybook.StoredValue{value("r", `1`, 5)}},
		{"a time in RFC 3339", `{"record_name":"r","value":1,"stored_at":"1970-01-01T00:00:05Z"}`, []daybook.StoredValue{value("r", `1`, 5000)}},
		{"the last time there is", `{"record_name":"r","value":1,"stored_at":18446744073709551615}`,
			[]daybook.StoredValue{value("r", `1`, math.MaxUint64)}},
		{"an escaped name", `{"record_name":"k\u00fcche \"1\"","value":1,"stored_at":5}`, []daybook.StoredValue{value(`küche "1"`, `1`, 5)}},
		{"a member with the same name but for its case is another", `{"record_name":"r","Record_Name":1,"value":1,"Value":2,"stored_at":5,"STORED_AT":6}`,
			[]daybook.StoredValue{value("r", `1`, 5)}},
		{"a name that is null is none", `{"record_name":null,"topic":"r","payload":1,"ts":5}`, []daybook.StoredValue{value("r", `1`, 5)}},
		{"both halves of a surrogate pair", `{"record_name":"\ud83d\uDE00","value":1,"stored_at":5}`, []daybook.StoredValue{value("😀", `1`, 5)}},
		{"what looks like half a pair, after a backslash", `{"record_name":"\\ud800","value":1,"stored_at":5}`, []daybook.StoredValue{value(`\ud800`, `1`, 5)}},
		{"a replacement character that is really there", `{"record_name":"\ufffd�","value":1,"stored_at":5}`, []daybook.StoredValue{value("\uFFFD\uFFFD", `1`, 5)}},
		{"a value as deep as it may be", `{"record_name":"r","value":` + nested(daybook.MaxValueDepth) + `,"stored_at":5}`,
			[]daybook.StoredValue{value("r", nested(daybook.MaxValueDepth), 5)}},
		{"nothing", "", nil},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			dir := newDir(t)
			mustRun(t, test.input, "ingest", "--dir", dir)
			if diff := cmp.Diff(test.want, stored(t, dir)); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
		})
	}
}

// nested is an array in an array, and so on.
func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestBadLines(t *testing.T) {
	tests := []struct {
		why  string
		line string
		want string
	}{
		{"not JSON", `{"record_name":`, "not JSON"},
		{"two texts on a line", `{"record_name":"r","value":1,"stored_at":5} {}`, "not JSON"},
		{"not an object", `[1]`, "a JSON array: want an object"},
		{"no name", `{"value":1,"stored_at":5}`, `neither "record_name" nor "topic"`},
		{"a name that is a number", `{"record_name":1,"value":1,"stored_at":5}`, `"record_name" is a JSON number: want a string`},
		{"an empty name", `{"record_name":"","value":1,"stored_at":5}`, "invalid record name: it is empty"},
		{"a name with a NUL", `{"record_name":"a\u0000b","value":1,"stored_at":5}`, "holds a NUL"},
		{"a name too long", `{"record_name":"` + strings.Repeat("n", 1025) + `","value":1,"stored_at":5}`, "1025 bytes"},
		{"no value", `{"record_name":"r","stored_at":5}`, `no "value"`},
		{"no payload", `{"topic":"r","ts":5}`, `no "payload"`},
		{"no time", `{"record_name":"r","value":1}`, `no "stored_at" (--now`},
		{"no time in AimDB's form", `{"topic":"r","payload":1}`, `no "ts" (--now`},
		{"a time with a fraction", `{"record_name":"r","value":1,"stored_at":5.5}`, "stored_at is 5.5"},
		{"a negative time", `{"record_name":"r","value":1,"stored_at":-5}`, "stored_at is -5"},
		{"a time that is a word", `{"record_name":"r","value":1,"stored_at":"now"}`, `stored_at is "now"`},
		{"a time of more than 64 bits", `{"record_name":"r","value":1,"stored_at":18446744073709551616}`, "64 bits"},
		{"a value twice", `{"record_name":"r","value":1,"value":2,"stored_at":5}`, `member "value" is there twice`},
		{"a name twice, once with an escape", `{"record_name":"r","record\u005fname":"s","value":1,"stored_at":5}`, `member "record_name" is there twice`},
		{"a member that is there twice as null", `{"topic":null,"topic":"r","payload":1,"ts":5}`, `member "topic" is there twice`},
		{"names in other letters are other members", `{"Record_Name":"r","VALUE":1,"stored_at":5}`, `neither "record_name" nor "topic"`},
		{"half a surrogate pair in a name", `{"record_name":"a\ud800","value":1,"stored_at":5}`, `"record_name" holds half a surrogate pair`},
		{"the halves the wrong way round", `{"topic":"a\uDC00\uD800","payload":1,"ts":5}`, `"topic" holds half a surrogate pair`},
		{"a value that is no JSON", `{"record_name":"r","value":01,"stored_at":5}`, `member "value": invalid value`},
		{"an ignored member that is no JSON", `{"record_name":"r","value":1,"stored_at":5,"x":[}`, `member "x": invalid value`},
		{"a value one deeper than may be", `{"record_name":"r","value":` + nested(daybook.MaxValueDepth+1) + `,"stored_at":5}`, `member "value": invalid value`},
		{"a time without its zone", `{"record_name":"r","value":1,"stored_at":"2026-11-23T08:00:00"}`, "has no time zone"},
		{"not UTF-8", "{\"record_name\":\"r\",\"value\":\"\xff\",\"stored_at\":5}", "not valid UTF-8"},
	}
	good := `{"record_name":"good","value":1,"stored_at":5}` + "\n"
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			dir := newDir(t)
			input := good + "\n" + test.line + "\n" + good
			got := run(t, input, "ingest", "--dir", dir, "--format", "ndjson")
			if got.status != statusFailed || !strings.HasPrefix(got.err, "daybook: stdin:3: ") ||
				!strings.Contains(got.err, test.want) || !strings.HasSuffix(got.err, ": 1 value was stored before it\n") {
				t.Errorf("stopping: %+v; want %q", got, test.want)
			}
			if n := len(stored(t, dir)); n != 1 {
				t.Errorf("stopping: %d values are stored; want 1", n)
			}
			got = run(t, input, "ingest", "--dir", dir, "--format", "ndjson", "--skip-bad")
			if got.status != statusDone || !strings.HasPrefix(got.err, "skipped stdin:3: ") || strings.Count(got.err, "\n") != 1 ||
				!strings.HasPrefix(got.out, "stored 2 values from standard input") || !strings.HasSuffix(got.out, ", skipped 1 bad line\n") {
				t.Errorf("skipping: %+v", got)
			}
			if n := len(stored(t, dir)); n != 3 {
				t.Errorf("skipping: %d values are stored; want 3", n)
			}
		})
	}
}

func TestManyBadLinesAreCountedQuietly(t *testing.T) {
	good := `{"record_name":"good","value":1,"stored_at":5}` + "\n"
	got := run(t, strings.Repeat("{\n", 1000)+good, "ingest", "--skip-bad", "--dir", newDir(t))
	if strings.Count(got.err, "\n") != 21 || !strings.HasSuffix(got.out, ", skipped 1,000 bad lines\n") {
		t.Errorf("%d lines on stderr; stdout %q", strings.Count(got.err, "\n"), got.out)
	}
}

func TestStampedNow(t *testing.T) {
	dir := newDir(t)
	before := daybook.Now()
	mustRun(t, `{"record_name":"r","value":1}`+"\n"+`{"topic":"r","payload":2,"ts":5}`, "ingest", "--now", "--dir", dir)
	values := stored(t, dir)
	if len(values) != 2 || values[0].StoredAt != 5 || values[1].StoredAt < before || values[1].StoredAt > daybook.Now() {
		t.Errorf("stored %v", values)
	}
}

func TestFormatIsFound(t *testing.T) {
	line, rows := `{"record_name":"r","value":1,"stored_at":5}`, "t,a\n5,1\n"
	tests := []struct {
		why     string
		name    string
		content string
		csv     bool
	}{
		{"by a name of NDJSON", "a.NDJSON", line, false},
		{"by a name of JSON lines", "a.jsonl", line, false},
		{"by a name of CSV", "a.csv", rows, true},
		{"by a brace, after white space", "a.log", "\n  " + line, false},
		{"by anything else", "a.txt", rows, true},
		{"an empty file is nothing", "a.dat", "", false},
		{"nor is it with the flags of CSV", "a.dat", "", true},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			dir := newDir(t)
			file := writeFile(t, test.name, test.content)
			args := []string{"ingest", "--dir", dir, file}
			if test.csv {
				args = append(args, "--record", "r", "--time-column", "t")
			}
			mustRun(t, "", args...)
			if got := len(stored(t, dir)); (got == 1) != (test.content != "") {
				t.Errorf("%d values are stored", got)
			}
		})
	}
}

func TestSeveralFilesInOrder(t *testing.T) {
	dir := newDir(t)
	first := writeFile(t, "first.ndjson", `{"record_name":"r","value":1,"stored_at":5}`)
	second := writeFile(t, "second.ndjson", `{"record_name":"r","value":3,"stored_at":5}`+"\nbad\n")
	got := run(t, `{"record_name":"r","value":2,"stored_at":5}`, "ingest", "--dir", dir, first, "-", second)
	want := "daybook: " + second + ":2: not JSON: want an object at byte 1: 3 values were stored before it\n"
	if got.err != want {
		t.Errorf("stderr %q; want %q", got.err, want)
	}
	if diff := cmp.Diff([]daybook.StoredValue{value("r", "1", 5), value("r", "2", 5), value("r", "3", 5)}, stored(t, dir)); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

func TestLongLines(t *testing.T) {
	line := func(length int) string {
		return `{"record_name":"r","value":"` + strings.Repeat("x", length-2) + `","stored_at":5}` + "\n"
	}
	t.Parallel()
	dir := newDir(t)
	input := line(daybook.MaxValueLen) + line(daybook.MaxValueLen+1) + line(maxLine) + line(10)
	got := run(t, input, "ingest", "--skip-bad", "--dir", dir)
	want := "skipped stdin:2: member \"value\": value too large: it has 16777217 bytes; at most 16777216\n" +
		"skipped stdin:3: the line is longer than 17 MiB\n"
	if got.err != want || got.status != statusDone {
		t.Errorf("status %d, stderr %q; want %q", got.status, got.err, want)
	}
	values := stored(t, dir)
	if len(values) != 2 || len(values[0].Value) != daybook.MaxValueLen || len(values[1].Value) != 10 {
		t.Errorf("%d values are stored; want the first and the last line's", len(values))
	}
}

func TestRoundTrip(t *testing.T) {
	var values []daybook.StoredValue
	for i := range 2*batchValues + 3 {
		values = append(values, value(fmt.Sprintf("r.%d", i%3), fmt.Sprintf(`{ "n" : %d.0, "s":"<&>\u2028\/é"}`, i), uint64(i/2)))
	}
	values = append(values, value("küche \"1\"\n<&>\u2028", `"x"`, math.MaxUint64))
	from, to := filledDir(t, values...), newDir(t)
	lines := mustRun(t, "", "query", "*", "--oldest-first", "--format", "ndjson", "--dir", from)
	mustRun(t, lines, "ingest", "--dir", to)
	if diff := cmp.Diff(stored(t, from), stored(t, to)); diff != "" {
		t.Errorf("copy (-want +got):\n%s", diff)
	}
	again := mustRun(t, "", "query", "*", "--oldest-first", "--format", "ndjson", "--dir", to)
	if again != lines {
		t.Error("the copy prints other lines")
	}
}

// batchSizes is a store that only remembers how large the batches were.
type batchSizes struct{ values, bytes []int }

func (s *batchSizes) StoreBatch(_ context.Context, batch []daybook.StoredValue) error {
	total := 0
	for _, v := range batch {
		total += len(v.Value)
	}
	s.values, s.bytes = append(s.values, len(batch)), append(s.bytes, total)
	return nil
}

func TestBatchesAreBounded(t *testing.T) {
	var sizes batchSizes
	i := &ingestion{db: &sizes}
	long := `"` + strings.Repeat("x", 2*batchBytes) + `"`
	for _, text := range []string{"1", long, "2"} {
		if err := i.add(t.Context(), value("r", text, 1)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 * batchValues {
		if err := i.add(t.Context(), value("r", "3", 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := i.store(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := batchSizes{[]int{1, 1, batchValues, batchValues, 1}, []int{1, len(long), batchValues, batchValues, 1}}
	if diff := cmp.Diff(want, sizes, cmp.AllowUnexported(batchSizes{})); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
)

// TestBadLine wants that a bad line ends the command, and that --skip-bad goes on after it. Package
// text tests what makes a line bad.
func TestBadLine(t *testing.T) {
	tests := []struct {
		name string
		line string
		want string
	}{
		{"not JSON", `{"record_name":`, "not JSON"},
		{"an empty record name", `{"record_name":"","value":1,"stored_at":5}`, "invalid record name: it is empty"},
		{"a value that is not JSON", `{"record_name":"r","value":01,"stored_at":5}`, `member "value": invalid value`},
		{"no time", `{"record_name":"r","value":1}`, `member "stored_at": it has no time`},
	}
	good := `{"record_name":"good","value":1,"stored_at":5}` + "\n"
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := newDir(t)
			input := good + "\n" + test.line + "\n" + good
			got := run(t, input, "ingest", "--dir", dir, "--format", "ndjson")
			if got.status != statusFailed || !strings.HasPrefix(got.err, "daybook: stdin:3: ") ||
				strings.Count(got.err, "\n") != 1 || !strings.Contains(got.err, test.want) ||
				!strings.Contains(got.err, ": 1 value was stored before it") {
				t.Errorf("stopping: %+v; want %q", got, test.want)
			}
			if hasRemedy := strings.Contains(got.err, "; --now stamps"); hasRemedy != (test.name == "no time") {
				t.Errorf("stopping: stderr %q names --now: %v", got.err, hasRemedy)
			}
			if n := len(stored(t, dir)); n != 1 {
				t.Errorf("stopping: %d values are stored; want 1", n)
			}
			got = run(t, input, "ingest", "--dir", dir, "--format", "ndjson", "--skip-bad")
			if got.status != statusDone || !strings.HasPrefix(got.err, "skipped stdin:3: ") ||
				strings.Count(got.err, "\n") != 1 ||
				!strings.HasPrefix(got.out, "stored 2 values from standard input") ||
				!strings.HasSuffix(got.out, ", skipped 1 bad line\n") {
				t.Errorf("skipping: %+v", got)
			}
			if n := len(stored(t, dir)); n != 3 {
				t.Errorf("skipping: %d values are stored; want 3", n)
			}
		})
	}
}

// TestBadRow wants the same for a row of CSV.
func TestBadRow(t *testing.T) {
	tests := []struct {
		name string
		row  string
		want string
	}{
		{"too few cells", "1764000005", "it has 1 cell; want 2, one for each column"},
		{"no time", ",1", `column 1 ("time"): it has no time: 1 value was stored before it; --now stamps`},
		{"a word for a time", "noon,1", `"noon" is not a time`},
		{"a date that is a number", "20140214,1", "; --time-unit says the unit, if this is a Unix time"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := newDir(t)
			args := []string{"ingest", "--record", "w", "--time-column", "time", "--dir", dir}
			input := "time,a\n1764000001,\"x\ny\"\n" + test.row + "\n1764000002,2\n" // the first row has two lines
			got := run(t, input, args...)
			if got.status != statusFailed || !strings.HasPrefix(got.err, "daybook: stdin:4: ") ||
				!strings.Contains(got.err, test.want) {
				t.Errorf("stopping: %+v; want %q", got, test.want)
			}
			got = run(t, input, append(args, "--skip-bad")...)
			if got.status != statusDone || !strings.Contains(got.out, "stored 2 values") {
				t.Errorf("skipping: %+v", got)
			}
		})
	}
}

func TestUnclosedQuoteLosesNoLineSilently(t *testing.T) {
	dir := newDir(t)
	input := "t,a\n1764000001,1\n2,\"two\n3,3\n4,4\n5,5\n"
	got := run(t, input, "ingest", "--record", "r", "--time-column", "t", "--skip-bad", "--dir", dir)
	if !strings.HasPrefix(got.err, "skipped stdin:3-6: ") || strings.Count(got.err, "\n") != 1 ||
		!strings.HasSuffix(got.out, ", skipped 4 bad lines\n") || got.status != statusDone {
		t.Errorf("%+v; want that lines 3 to 6 were skipped", got)
	}
	if n := len(stored(t, dir)); n != 1 {
		t.Errorf("%d values are stored; want the first line's", n)
	}
}

func TestManyBadLinesAreCountedQuietly(t *testing.T) {
	good := `{"record_name":"good","value":1,"stored_at":5}` + "\n"
	got := run(t, strings.Repeat("{\n", 1000)+good, "ingest", "--skip-bad", "--dir", newDir(t))
	if strings.Count(got.err, "\n") != 21 || !strings.HasSuffix(got.out, ", skipped 1,000 bad lines\n") {
		t.Errorf("%d lines on stderr; stdout %q", strings.Count(got.err, "\n"), got.out)
	}
}

func TestNowStampsValuesWithoutTime(t *testing.T) {
	dir := newDir(t)
	before := daybook.Now()
	lines := `{"record_name":"r","value":1}` + "\n" + `{"topic":"r","payload":2,"ts":1764000000005}`
	mustRun(t, lines, "ingest", "--now", "--dir", dir)
	values := stored(t, dir)
	if len(values) != 2 || values[0].StoredAt != 1764000000005 ||
		values[1].StoredAt < before || values[1].StoredAt > daybook.Now() {
		t.Errorf("stored %v", values)
	}
}

// TestNumbersAsTimes ingests times that were stored in January 1970, August 1970 or a far future.
func TestNumbersAsTimes(t *testing.T) {
	csv := []string{"--record", "r", "--time-column", "time"}
	tests := []struct {
		name  string
		input string
		args  []string
		want  uint64 // 0: an error that names --time-unit
	}{
		{"seconds in NDJSON", `{"topic":"r","payload":1,"ts":1585673980}`, nil, 1585673980000},
		{"seconds in quotes", `{"topic":"r","payload":1,"ts":"1585673980"}`, nil, 1585673980000},
		{"microseconds in CSV", "time,v\n1571140860123456,1\n", csv, 1571140860123},
		{"nanoseconds in CSV", "time,v\n1571140860123456789,1\n", csv, 1571140860123},
		{"a date in CSV", "time,v\n20140214,1\n", csv, 0},
		{"a year in NDJSON", `{"topic":"r","payload":1,"ts":2010}`, nil, 0},
		{"a day of Excel", "time,v\n41684.6,1\n", csv, 0},
		{"few seconds", "time,v\n999999999.5,1\n", append(csv, "--time-unit", "s"), 999999999500},
		{"an own line", `{"record_name":"r","value":1,"stored_at":20140214}`, nil, 20140214},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := newDir(t)
			got := run(t, test.input, append([]string{"ingest", "--dir", dir}, test.args...)...)
			if test.want == 0 {
				if got.status != statusFailed || !strings.Contains(got.err, "; --time-unit says the unit") {
					t.Errorf("%+v; want an error that names --time-unit", got)
				}
				return
			}
			values := stored(t, dir)
			if got.status != statusDone || len(values) != 1 || values[0].StoredAt != test.want {
				t.Errorf("%+v; stored %v; want the time %d", got, values, test.want)
			}
		})
	}
}

// TestAnyTime wants an error for an implausible time of another program, which names the flag that
// allows it. An own line may have any time, and so may each file that import reads.
func TestAnyTime(t *testing.T) {
	const foreign, own = `{"topic":"r","payload":1,"ts":"1971-01-01T00:00:00Z"}`,
		`{"record_name":"r","value":1,"stored_at":18446744073709551615}`
	tests := []struct {
		name  string
		input string
		args  []string
		want  uint64 // 0: an error that names --any-time
	}{
		{"a line", foreign, []string{"ingest"}, 0},
		{"a row", "t\n9999999999\n", []string{"ingest", "--record", "r", "--time-column", "t"}, 0},
		{"a unit that is wrong", "t\n20140214\n",
			[]string{"ingest", "--record", "r", "--time-column", "t", "--time-unit", "s"}, 0},
		{"a line with the flag", foreign, []string{"ingest", "--any-time"}, 31_536_000_000},
		{"a row with the flag", "t\n9999999999\n",
			[]string{"ingest", "--any-time", "--record", "r", "--time-column", "t"}, 9_999_999_999_000},
		{"an own line", own, []string{"ingest"}, math.MaxUint64},
		{"an own line that is imported", own, []string{"import", "-", "--format", "ndjson"}, math.MaxUint64},
		{"AimDB's line that is imported", `{"topic":"r","payload":1,"ts":5}`,
			[]string{"import", "-", "--format", "ndjson"}, 5},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := newDir(t)
			got := run(t, test.input, append(test.args, "--dir", dir)...)
			if test.want == 0 {
				if got.status != statusFailed || !strings.Contains(got.err, "--any-time allows such times") {
					t.Errorf("%+v; want an error that names --any-time", got)
				}
				return
			}
			values := stored(t, dir)
			if got.status != statusDone || len(values) != 1 || values[0].StoredAt != test.want {
				t.Errorf("%+v; stored %v; want the time %d", got, values, test.want)
			}
		})
	}
}

func TestUnsetClockIsNoted(t *testing.T) {
	for now, want := range map[uint64]bool{0: true, text.MinPlausible - 1: true, text.MinPlausible: false} {
		var notes strings.Builder
		noteUnsetClock(&notes, now)
		if got := strings.Contains(notes.String(), "before 1980"); got != want {
			t.Errorf("at %d the note is %q; want one: %v", now, notes.String(), want)
		}
	}
}

func TestIngestFindsTheFormat(t *testing.T) {
	line, rows := `{"record_name":"r","value":1,"stored_at":5}`, "t,a\n1764000005,1\n"
	tests := []struct {
		name    string
		file    string
		content string
		csv     bool // the flags of CSV are given
	}{
		{"by the ending .ndjson in any case", "a.NDJSON", line, false},
		{"by the ending .jsonl", "a.jsonl", line, false},
		{"by the ending .csv", "a.csv", rows, true},
		{"by a brace, after white space", "a.log", "\n  " + line, false},
		{"by another first character", "a.txt", rows, true},
		{"an empty file has none", "a.dat", "", false},
		{"an empty file with the flags of CSV", "a.dat", "", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := newDir(t)
			file := writeFile(t, test.file, test.content)
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
	want := "daybook: " + second + ":2: not JSON: want an object at byte 1: 3 values were stored before it; " +
		"--skip-bad skips such lines\n"
	if got.err != want {
		t.Errorf("stderr %q; want %q", got.err, want)
	}
	values := []daybook.StoredValue{value("r", "1", 5), value("r", "2", 5), value("r", "3", 5)}
	if diff := cmp.Diff(values, stored(t, dir)); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

func TestIngestReadsWhatQueryPrints(t *testing.T) {
	var values []daybook.StoredValue
	for i := range 2*maxBatchValues + 3 {
		text := fmt.Sprintf(`{ "n" : %d.0, "s":"<&>\u2028\/é"}`, i)
		values = append(values, value(fmt.Sprintf("r.%d", i%3), text, uint64(i/2)))
	}
	values = append(values, value("küche \"1\"\n<&>\u2028", `"x"`, math.MaxUint64))
	from, to := filledDir(t, values...), newDir(t)
	lines := mustRun(t, "", "query", "*", "--oldest-first", "--format", "ndjson", "--dir", from)
	mustRun(t, lines, "ingest", "--dir", to)
	if diff := cmp.Diff(stored(t, from), stored(t, to)); diff != "" {
		t.Errorf("copied values (-want +got):\n%s", diff)
	}
	again := mustRun(t, "", "query", "*", "--oldest-first", "--format", "ndjson", "--dir", to)
	if again != lines {
		t.Error("query prints other lines for the copy")
	}
}

// batchSizes is a store that only remembers the sizes of the batches.
type batchSizes struct{ values, bytes []int }

func (s *batchSizes) StoreBatch(_ context.Context, batch []daybook.StoredValue) error {
	total := 0
	for _, v := range batch {
		total += len(v.Value)
	}
	s.values, s.bytes = append(s.values, len(batch)), append(s.bytes, total)
	return nil
}

// failingBatch is a store that fails to store the batch that has a value.
type failingBatch struct {
	at     uint64 // time of the value
	stored []uint64
}

func (s *failingBatch) StoreBatch(_ context.Context, batch []daybook.StoredValue) error {
	if batch[0].StoredAt <= s.at && s.at <= batch[len(batch)-1].StoredAt {
		return daybook.ErrNoSpace
	}
	for _, v := range batch {
		s.stored = append(s.stored, v.StoredAt)
	}
	return nil
}

// TestNothingAfterAFailedBatch fails to store one batch while the next is read. No value after that
// batch may be stored, and the count is that of the values before it.
func TestNothingAfterAFailedBatch(t *testing.T) {
	for failing := range uint64(4) {
		db := failingBatch{at: failing*maxBatchValues + 1}
		l := &loader{db: &db}
		err := error(nil)
		for at := uint64(1); at <= 3*maxBatchValues+10 && err == nil; at++ {
			err = l.add(t.Context(), value("r", "1", at))
		}
		err = errors.Join(err, l.store(t.Context()))
		if !errors.Is(err, daybook.ErrNoSpace) {
			t.Errorf("batch %d fails: got %v; want ErrNoSpace", failing, err)
		}
		want := int(failing) * maxBatchValues
		if l.stored != want || len(db.stored) != want || want > 0 && db.stored[want-1] != uint64(want) {
			t.Errorf("batch %d fails: %d counted, %d stored; want the first %d", failing, l.stored, len(db.stored),
				want)
		}
		if err := l.store(t.Context()); err != nil {
			t.Errorf("batch %d has failed: then store gave %v; want nothing left to store", failing, err)
		}
	}
}

func TestBatchesAreBounded(t *testing.T) {
	var sizes batchSizes
	l := &loader{db: &sizes}
	long := `"` + strings.Repeat("x", 2*maxBatchBytes) + `"`
	for _, text := range []string{"1", long, "2"} {
		if err := l.add(t.Context(), value("r", text, 1)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 * maxBatchValues {
		if err := l.add(t.Context(), value("r", "3", 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.store(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := batchSizes{
		values: []int{1, 1, maxBatchValues, maxBatchValues, 1},
		bytes:  []int{1, len(long), maxBatchValues, maxBatchValues, 1},
	}
	if diff := cmp.Diff(want, sizes, cmp.AllowUnexported(batchSizes{})); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
}

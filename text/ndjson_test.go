// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

func TestNDJSONReader(t *testing.T) {
	deepest := nested(daybook.MaxValueDepth)
	one := []daybook.StoredValue{value("r", `1`, 5)}
	tests := []struct {
		name  string
		input string
		want  []daybook.StoredValue
	}{
		{"a value keeps its bytes", `{"record_name":"r","value":{"x": 1.50, "s":"<\u00e9>"},"stored_at":5}` + "\n",
			[]daybook.StoredValue{value("r", `{"x": 1.50, "s":"<\u00e9>"}`, 5)}},
		{"AimDB's form, with other members", `{"type":"data","topic":"r","payload":[1],"ts":1764000000005}` + "\n",
			[]daybook.StoredValue{value("r", `[1]`, 1764000000005)}},
		{"AimDB's form, in seconds", `{"topic":"r","payload":1,"ts":1764000000}`,
			[]daybook.StoredValue{value("r", `1`, 1764000000000)}},
		{"AimDB's form, in seconds as a text", `{"topic":"r","payload":1,"ts":"1764000000.5"}`,
			[]daybook.StoredValue{value("r", `1`, 1764000000500)}},
		{"AimDB's form, in seconds with an exponent", `{"topic":"r","payload":1,"ts":1.764e9}`,
			[]daybook.StoredValue{value("r", `1`, 1764000000000)}},
		{"AimDB's form, in RFC 3339", `{"topic":"r","payload":1,"ts":"2025-11-24T16:00:00Z"}`,
			[]daybook.StoredValue{value("r", `1`, 1764000000000)}},
		{"null is a value", `{"record_name":"r","value":null,"stored_at":5}`,
			[]daybook.StoredValue{value("r", `null`, 5)}},
		{"members in another order, and no line break at the end",
			`{"stored_at":5,"value":1,"record_name":"r"}`, one},
		{"empty lines and carriage returns",
			"\r\n\n  \n" + `{"record_name":"r","value":1,"stored_at":5}` + "\r\n\n", one},
		{"a byte order mark", "\uFEFF" + `{"record_name":"r","value":1,"stored_at":5}` + "\n", one},
		{"a time in RFC 3339", `{"record_name":"r","value":1,"stored_at":"1970-01-01T00:00:05Z"}`,
			[]daybook.StoredValue{value("r", `1`, 5000)}},
		{"the greatest time", `{"record_name":"r","value":1,"stored_at":18446744073709551615}`,
			[]daybook.StoredValue{value("r", `1`, math.MaxUint64)}},
		{"an escaped name", `{"record_name":"k\u00fcche \"1\"","value":1,"stored_at":5}`,
			[]daybook.StoredValue{value(`küche "1"`, `1`, 5)}},
		{"members whose names differ in case only",
			`{"record_name":"r","Record_Name":1,"value":1,"Value":2,"stored_at":5,"STORED_AT":6}`, one},
		{"a name that is null does not count", `{"record_name":null,"topic":"r","payload":1,"ts":1764000000005}`,
			[]daybook.StoredValue{value("r", `1`, 1764000000005)}},
		{"both halves of a surrogate pair", `{"record_name":"\ud83d\uDE00","value":1,"stored_at":5}`,
			[]daybook.StoredValue{value("😀", `1`, 5)}},
		{"two pairs", `{"record_name":"\ud83d\uDE00\ud83d\uDE00","value":1,"stored_at":5}`,
			[]daybook.StoredValue{value("😀😀", `1`, 5)}},
		{"an escaped backslash before a text like half a pair", `{"record_name":"\\ud800","value":1,"stored_at":5}`,
			[]daybook.StoredValue{value(`\ud800`, `1`, 5)}},
		{"a replacement character of the file itself", `{"record_name":"\ufffd�","value":1,"stored_at":5}`,
			[]daybook.StoredValue{value("\uFFFD\uFFFD", `1`, 5)}},
		{"a value of the greatest depth", `{"record_name":"r","value":` + deepest + `,"stored_at":5}`,
			[]daybook.StoredValue{value("r", deepest, 5)}},
		{"nothing", "", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := mustReadAll(t, NewNDJSONReader(strings.NewReader(test.input), ReadOptions{}))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
		})
	}
}

// nested returns an array in an array, and so on.
func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

// TestBadLines wants that a bad line is a *LineError, and that the lines before and after it are
// read.
func TestBadLines(t *testing.T) {
	tests := []struct {
		name string
		line string
		want string
	}{
		{"not JSON", `{"record_name":`, "not JSON"},
		{"two texts on a line", `{"record_name":"r","value":1,"stored_at":5} {}`, "not JSON"},
		{"not an object", `[1]`, "it is a JSON array: want an object"},
		{"no name", `{"value":1,"stored_at":5}`, `neither "record_name" nor "topic"`},
		{"a name that is a number", `{"record_name":1,"value":1,"stored_at":5}`,
			`member "record_name": it is a JSON number: want a string`},
		{"an empty name", `{"record_name":"","value":1,"stored_at":5}`, "invalid record name: it is empty"},
		{"a name with a NUL", `{"record_name":"a\u0000b","value":1,"stored_at":5}`, "with a NUL; want none"},
		{"a name that is too long", `{"record_name":"` + strings.Repeat("n", 1025) + `","value":1,"stored_at":5}`,
			"1025 bytes"},
		{"no value", `{"record_name":"r","stored_at":5}`, `member "value": it is missing`},
		{"no payload", `{"topic":"r","ts":5}`, `member "payload": it is missing`},
		{"no time", `{"record_name":"r","value":1}`, `member "stored_at": it has no time`},
		{"no time in AimDB's form", `{"topic":"r","payload":1}`, `member "ts": it has no time`},
		{"a time with a fraction", `{"record_name":"r","value":1,"stored_at":5.5}`,
			`member "stored_at": "5.5" is not a time: want Unix milliseconds`},
		{"a time in quotes, which Daybook does not write", `{"record_name":"r","value":1,"stored_at":"5"}`,
			`member "stored_at": "5" is not a time: want Unix milliseconds`},
		{"a number without a unit in AimDB's form", `{"topic":"r","payload":1,"ts":20140214}`,
			`member "ts": "20140214" is not a time without a unit`},
		{"a text without a unit in AimDB's form", `{"topic":"r","payload":1,"ts":"2010"}`,
			`member "ts": "2010" is not a time without a unit`},
		{"another kind of JSON in AimDB's form", `{"topic":"r","payload":1,"ts":[1764000000]}`,
			`member "ts": "[1764000000]" is not a time: want RFC 3339`},
		{"a negative time", `{"record_name":"r","value":1,"stored_at":-5}`, `member "stored_at": "-5" is not a time`},
		{"a word for a time", `{"record_name":"r","value":1,"stored_at":"now"}`,
			`member "stored_at": "now" is not a time`},
		{"a time of more than 64 bits", `{"record_name":"r","value":1,"stored_at":18446744073709551616}`, "64 bits"},
		{"a value twice", `{"record_name":"r","value":1,"value":2,"stored_at":5}`,
			`member "value": it is there twice`},
		{"a name twice, once with an escape", `{"record_name":"r","record\u005fname":"s","value":1,"stored_at":5}`,
			`member "record_name": it is there twice`},
		{"a name twice, once as null", `{"topic":null,"topic":"r","payload":1,"ts":5}`,
			`member "topic": it is there twice`},
		{"members whose names differ in case", `{"Record_Name":"r","VALUE":1,"stored_at":5}`,
			`neither "record_name" nor "topic"`},
		{"half a surrogate pair in a name", `{"record_name":"a\ud800","value":1,"stored_at":5}`,
			`member "record_name": it holds half a surrogate pair`},
		{"half a pair after another escape", `{"record_name":"\n\ud800","value":1,"stored_at":5}`,
			`member "record_name": it holds half a surrogate pair`},
		{"half a pair before a text like the other", `{"record_name":"\ud83dxude00","value":1,"stored_at":5}`,
			`member "record_name": it holds half a surrogate pair`},
		{"half a pair after a pair", `{"record_name":"\ud83d\ude00\ud83d","value":1,"stored_at":5}`,
			`member "record_name": it holds half a surrogate pair`},
		{"the halves in the wrong order", `{"topic":"a\uDC00\uD800","payload":1,"ts":5}`,
			`member "topic": it holds half a surrogate pair`},
		{"a value that is not JSON", `{"record_name":"r","value":01,"stored_at":5}`, `member "value": invalid value`},
		{"an ignored member that is not JSON", `{"record_name":"r","value":1,"stored_at":5,"x":[}`,
			`member "x": invalid value`},
		{"a value that is too deep",
			`{"record_name":"r","value":` + nested(daybook.MaxValueDepth+1) + `,"stored_at":5}`,
			`member "value": invalid value`},
		{"a time without its zone", `{"record_name":"r","value":1,"stored_at":"2026-11-23T08:00:00"}`,
			"has no time zone"},
		{"not UTF-8", "{\"record_name\":\"r\",\"value\":\"\xff\",\"stored_at\":5}", "not valid UTF-8"},
	}
	const good = `{"record_name":"good","value":1,"stored_at":5}` + "\n"
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			input := good + "\n" + test.line + "\n" + good
			values, bad, err := readGood(NewNDJSONReader(strings.NewReader(input), ReadOptions{Name: "lines.ndjson"}))
			if err != nil || len(values) != 2 || len(bad) != 1 {
				t.Fatalf("values %v, bad lines %v, error %v; want 2 values and 1 bad line", values, bad, err)
			}
			text := bad[0].Error()
			if bad[0].Line != 3 || bad[0].Lines() != 1 ||
				!strings.HasPrefix(text, "lines.ndjson:3: ") || !strings.Contains(text, test.want) {
				t.Errorf("%+v, which says %q; want line 3 and %q", bad[0], text, test.want)
			}
		})
	}
}

func TestStampNow(t *testing.T) {
	before := daybook.Now()
	lines := `{"record_name":"r","value":1}` + "\n" + `{"topic":"r","payload":2,"ts":1764000000005}`
	values := mustReadAll(t, NewNDJSONReader(strings.NewReader(lines), ReadOptions{StampNow: true}))
	if len(values) != 2 || values[1].StoredAt != 1764000000005 ||
		values[0].StoredAt < before || values[0].StoredAt > daybook.Now() {
		t.Errorf("values %v", values)
	}
}

// TestUnitOfLines wants that a unit is about the lines of other programs alone. A number in a line
// of Daybook's own is an error with any other unit than that of Daybook.
func TestUnitOfLines(t *testing.T) {
	own, foreign := `{"record_name":"r","value":1,"stored_at":7}`+"\n", `{"topic":"r","payload":2,"ts":7}`+"\n"
	tests := []struct {
		unit    TimeUnit
		own     uint64 // 0: an error
		foreign uint64
	}{
		{ByDigits, 7, 0},
		{Seconds, 0, 7000},
		{Milliseconds, 7, 7},
	}
	for _, test := range tests {
		t.Run("unit "+string(test.unit), func(t *testing.T) {
			opts := ReadOptions{TimeUnit: test.unit, AnyTime: true}
			values, bad, err := readGood(NewNDJSONReader(strings.NewReader(own+foreign), opts))
			var want []daybook.StoredValue
			if test.own > 0 {
				want = append(want, value("r", "1", test.own))
			}
			if test.foreign > 0 {
				want = append(want, value("r", "2", test.foreign))
			}
			if diff := cmp.Diff(want, values); diff != "" || err != nil || len(bad) != 2-len(want) {
				t.Errorf("bad lines %v, error %v; values (-want +got):\n%s", bad, err, diff)
			}
		})
	}
}

func TestLongLines(t *testing.T) {
	line := func(length int) string {
		return `{"record_name":"r","value":"` + strings.Repeat("x", length-2) + `","stored_at":5}` + "\n"
	}
	t.Parallel()
	input := line(daybook.MaxValueLen) + line(daybook.MaxValueLen+1) + line(MaxLineLen) + line(10)
	values, bad, err := readGood(NewNDJSONReader(strings.NewReader(input), ReadOptions{}))
	if err != nil || len(values) != 2 || len(values[0].Value) != daybook.MaxValueLen || len(values[1].Value) != 10 {
		t.Errorf("%d values, %v; want those of the first and the last line", len(values), err)
	}
	want := "line 2: member \"value\": value too large: got 16777217 bytes; want at most 16777216\n" +
		"line 3: the line is longer than 17 MiB\n"
	var got strings.Builder
	for _, line := range bad {
		fmt.Fprintln(&got, line)
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("bad lines (-want +got):\n%s", diff)
	}
}

func TestNDJSONKeepsEverything(t *testing.T) {
	var values []daybook.StoredValue
	for i := range 2003 {
		text := fmt.Sprintf(`{ "n" : %d.0, "s":"<&>\u2028\/é"}`, i)
		values = append(values, value(fmt.Sprintf("r.%d", i%3), text, uint64(i/2)))
	}
	values = append(values, value("küche \"1\"\n<&>\u2028", `"x"`, math.MaxUint64))
	lines := written(t, NewNDJSONWriter, values)
	got := mustReadAll(t, NewNDJSONReader(bytes.NewReader(lines), ReadOptions{}))
	if diff := cmp.Diff(values, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if again := written(t, NewNDJSONWriter, got); !bytes.Equal(again, lines) {
		t.Error("the values that were read are written as other lines")
	}
}

// TestReadErrorEndsTheFile wants an error of the input as it is, with the file's name.
func TestReadErrorEndsTheFile(t *testing.T) {
	broken := errors.New("the cable is cut")
	lines := strings.NewReader(`{"record_name":"r","value":1,"stored_at":5}` + "\n{")
	input := io.MultiReader(lines, failingReader{broken})
	values, bad, err := readGood(NewNDJSONReader(input, ReadOptions{Name: "lines"}))
	if len(values) != 1 || len(bad) != 0 || !errors.Is(err, broken) || err.Error() != "lines: the cable is cut" {
		t.Errorf("values %v, bad lines %v, error %v", values, bad, err)
	}
}

// TestReadErrorAtTheStart wants the error of an input that fails once, before its first line.
func TestReadErrorAtTheStart(t *testing.T) {
	input := iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("\uFEFF{}\n")))
	values, bad, err := readGood(NewNDJSONReader(input, ReadOptions{Name: "lines"}))
	if len(values)+len(bad) > 0 || !errors.Is(err, iotest.ErrTimeout) || err.Error() != "lines: timeout" {
		t.Errorf("values %v, bad lines %v, error %v; want the error of the input", values, bad, err)
	}
}

// failingReader is an input that cannot be read.
type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// SPDX-License-Identifier: Apache-2.0

package text

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

// TestJSONTextSequence reads RFC 7464, in which a record separator is before each text.
func TestJSONTextSequence(t *testing.T) {
	const one, two = `{"record_name":"r","value":1,"stored_at":1}`, `{"record_name":"r","value":2,"stored_at":2}`
	const bad1, bad2 = "line 1: ", "line 2: "
	tests := []struct {
		name, in string
		want     []string // the beginnings of values and errors
	}{
		{"lines", "\x1e" + one + "\n\x1e" + two + "\n", []string{"r 1 1", "r 2 2"}},
		{"two separators", "\x1e\x1e" + one + "\n\x1e\n\x1e" + two, []string{"r 1 1", "r 2 2"}},
		{"a text that is cut", "\x1e" + one + "\n\x1e{\"record\n\x1e" + two + "\n", []string{"r 1 1", bad2, "r 2 2"}},
		{"a separator between texts of a line", "\x1e" + one + "\x1e" + two + "\n", []string{bad1}},
		{"a separator in a string", "\x1e{\"record_name\":\"a\x1eb\",\"value\":1,\"stored_at\":1}\n", []string{bad1}},
		{"none before the first text", one + "\n\x1e" + two + "\n", []string{"r 1 1", bad2}},
	}
	for _, test := range tests {
		for _, in := range []io.Reader{strings.NewReader(test.in), iotest.OneByteReader(strings.NewReader(test.in))} {
			values, bad, err := readGood(NewNDJSONReader(in, ReadOptions{}))
			checkSequence(t, "NDJSON, "+test.name, test.want, values, bad, err)
		}
		r, err := NewJSONReader(strings.NewReader(test.in), ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		values, bad, err := readGood(r)
		checkSequence(t, "JSON, "+test.name, test.want, values, bad, err)
	}
}

// TestSequenceOfManyLines reads texts of several lines, as jq --seq writes them.
func TestSequenceOfManyLines(t *testing.T) {
	const in = "\x1e{\n  \"record_name\":\"r\",\n \"value\": 1, \"stored_at\": 1\n}\n\x1e{\n \"record_name\":\"r\",\n" +
		"\"value\":2,\"stored_at\":2}\n"
	r, err := NewJSONReader(strings.NewReader(in), ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	values, bad, err := readGood(r)
	checkSequence(t, "many lines", []string{"r 1 1", "r 2 2"}, values, bad, err)
}

func checkSequence(
	t *testing.T, name string, want []string, values []daybook.StoredValue, bad []*LineError, err error,
) {
	t.Helper()
	var lines []string
	for _, v := range values {
		lines = append(lines, fmt.Sprintf("%s %s %d", v.RecordName, v.Value, v.StoredAt))
	}
	for _, e := range bad {
		lines = append(lines, e.Error()[:len("line 1: ")])
	}
	slices.Sort(lines)
	slices.Sort(want)
	if diff := cmp.Diff(want, lines); err != nil || diff != "" {
		t.Errorf("%s: error %v; values and errors (-want +got):\n%s", name, err, diff)
	}
}

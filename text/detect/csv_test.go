// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook/text"
)

// readCSV detects how a file of CSV is written, reads it, and returns a line for each value or bad
// line.
func readCSV(sample Sample, hints Hints) (sentence string, lines []string, err error) {
	sample.Text = bytes.TrimPrefix(sample.Text, []byte("\uFEFF"))
	f, err := detectCSV(sample, hints)
	if err != nil {
		return "", nil, err
	}
	r, err := text.NewCSVReader(bytes.NewReader(sample.Text), f.Reader)
	if err != nil {
		return f.String(), nil, err
	}
	for {
		v, err := r.Read()
		switch {
		case err == io.EOF:
			return f.String(), append(lines, r.(text.Noter).Notes()...), nil
		case errors.As(err, new(*text.LineError)):
			lines = append(lines, err.Error())
		case err != nil:
			return f.String(), lines, err
		default:
			lines = append(lines, fmt.Sprintf("%s %d %s", v.RecordName, v.StoredAt, v.Value))
		}
	}
}

// TestCSVCases reads files of other people.
func TestCSVCases(t *testing.T) {
	tests := []struct {
		file     string
		sentence string
		lines    []string
	}{
		{"cr_only.csv", `CSV, ',' between columns, header; time: "time" as RFC 3339; record "cr_only"`,
			[]string{`cr_only 1704067200000 {"v":5}`}},
		{"ha.csv", `CSV, ',' between columns, header; time: "last_changed" as RFC 3339; record "ha"`, []string{
			`ha 1766772000000 {"entity_id":"sensor.voltmeter_a","state":"13.249470"}`,
			`ha 1766772003000 {"entity_id":"sensor.voltmeter_b","state":"unavailable"}`,
		}},
		{"no_header.csv", `CSV, ',' between columns, no header; time: "c1" as RFC 3339; record "no_header"`,
			[]string{`no_header 1704067200000 {"c2":5}`, `no_header 1704067201000 {"c2":6}`}},
		{"semicolon.csv",
			`CSV, ';' between columns, header, decimal comma; time: "time" as RFC 3339; record "semicolon"`,
			[]string{`semicolon 1704067200000 {"v":21.5}`}},
		{"semicolon_now.csv", `CSV, ';' between columns, header; time: "time" as RFC 3339; record "semicolon_now"`,
			[]string{`semicolon_now 1704067200000 {"v":21.5}`}},
		{"space_after_comma.csv", `CSV, ',' between columns, header; time: "time" as RFC 3339; record "space_after_comma"`,
			[]string{`space_after_comma 1704067200000 {"v":5}`}},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			path := filepath.Join("testdata", test.file)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			sentence, lines, err := readCSV(Sample{data, true}, Hints{Reader: text.ReadOptions{Name: path}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.sentence, sentence); diff != "" {
				t.Errorf("sentence (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.lines, lines); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
		})
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestArraysOfJSON wants that the refusal of JSON lists its arrays, and that the expression that it
// shows makes values of one of them.
func TestArraysOfJSON(t *testing.T) {
	tests := []struct {
		name, file string
		arrays     string   // in the refusal
		want       []string // values that the expression makes
	}{
		{"two arrays of objects", `{"a":[{"time":1764000000,"v":1}],"b":[{"time":1764000001,"v":2}]}`,
			".a[], .b[]; ", []string{`{"time":1764000000,"v":1}`}},
		{"Prometheus", `{"data":{"result":[{"metric":{},"values":[[1764000000,"1"],[1764000060,"2"]]},` +
			`{"values":[[1764000000,"3"]]}]}}`,
			".data.result[], .data.result[].values[]; ", []string{`"1"`, `"3"`, `"2"`}},
		{"rows in arrays", `{"series":[[1764000000,1,2],[1764000060,3,4]]}`, ".series[]; ", []string{`[1,2]`, `[3,4]`}},
		{"names with blanks", `{"my data":[{"the time":"2025-11-24T16:00:00Z","v":1}],"x":[{"time":1764000000}]}`,
			`.["my data"][], .x[]; `, []string{`{"the time":"2025-11-24T16:00:00Z","v":1}`}},
		{"an array of arrays", `[[{"time":1764000000,"v":1}],[{"time":1764000060,"v":2}]]`, ".[]; ",
			[]string{`{"time":1764000000,"v":1}`, `{"time":1764000060,"v":2}`}},
		{"a time of its own", `{"time":1764000000,"log":[{"at":"2025-11-24T16:00:00Z","v":1}]}`, ".log[]; ",
			[]string{`{"at":"2025-11-24T16:00:00Z","v":1}`}},
		{"an element without the array within it",
			`{"a":[{"b":null},{},{"b":[{"time":1764000000,"v":1}]}],"c":[{"x":1}]}`,
			".a[], .a[].b[], .c[]; ", []string{`{"time":1764000000,"v":1}`}},
		{"no array has a time", `{"a":[{"v":1}],"b":[[1,2]]}`, ".a[], .b[]; ", nil},
	}
	example := regexp.MustCompile(`--jq '([^']*)'`)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "in.json")
			if err := os.WriteFile(path, []byte(test.file), 0o600); err != nil {
				t.Fatal(err)
			}
			refused := run(t, "", "ingest", path, "--dir", newDir(t))
			if refused.status != statusFailed || !strings.Contains(refused.err, ": "+test.arrays) {
				t.Fatalf("status %d, %q; want a refusal with %q", refused.status, refused.err, test.arrays)
			}
			shown := example.FindStringSubmatch(refused.err)
			if shown == nil {
				if test.want != nil {
					t.Errorf("%q; want an expression", refused.err)
				}
				return
			}
			dir := newDir(t)
			if got := run(t, "", "ingest", path, "--dir", dir, "--jq", shown[1]); got.status != statusDone {
				t.Fatalf("%s: %s", shown[1], got.err)
			}
			var values []string
			for _, v := range stored(t, dir) {
				values = append(values, string(v.Value))
			}
			if diff := cmp.Diff(test.want, values); diff != "" {
				t.Errorf("%s: values (-want +got):\n%s", shown[1], diff)
			}
		})
	}
}

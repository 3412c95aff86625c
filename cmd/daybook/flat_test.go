// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
)

// TestFlat wants the same columns from query and export, in the order of their values, and the
// selection alone.
func TestFlat(t *testing.T) {
	dir := filledDir(t,
		value("a", `{"motor":{"rpm":5},"on":true}`, 1_764_000_000_000), value("a", `{"late":1}`, 1_764_000_000_001),
		value("b", "7.50", 1_764_000_000_000))
	const want = "record_name,stored_at,motor.rpm,on,value\n" +
		"a,2025-11-24T16:00:00.000Z,5,true,\nb,2025-11-24T16:00:00.000Z,,,7.50\n"
	file := filepath.Join(t.TempDir(), "x.csv")
	mustRun(t, "", "export", "*", file, "--flat", "--until", "1764000000000", "--dir", dir)
	exported, err := os.ReadFile(file)
	if err != nil || string(exported) != want {
		t.Errorf("export wrote %q, %v; want %q", exported, err, want)
	}
	for _, args := range [][]string{
		{"query", "*", "--flat", "--oldest-first"}, {"query", "*", "--flat", "--format", "csv", "--oldest-first"},
		{"export", "*", "-", "--flat"}, {"export", "*", "-", "--flat", "--format", "csv"},
	} {
		if got := mustRun(t, "", append(args, "--until", "1764000000000", "--dir", dir)...); got != want {
			t.Errorf("daybook %q: got %q; want %q", args, got, want)
		}
	}
	got := run(t, "", "import", file, "--dir", newDir(t))
	if got.status != statusFailed || !strings.Contains(got.err, "daybook ingest") {
		t.Errorf("import of it: %+v; want a failure that names ingest", got)
	}
}

// TestFlatIsCSV wants a usage error for a format that has no columns.
func TestFlatIsCSV(t *testing.T) {
	dir := filledDir(t, someValues()...)
	for _, args := range [][]string{
		{"query", "*", "--flat", "--format", "table"}, {"query", "*", "--flat", "--format", "ndjson"},
		{"query", "*", "--flat", "--format", "json"}, {"export", "*", "x.parquet", "--flat"},
		{"export", "*", "x.json", "--flat"}, {"export", "*", "x.csv", "--flat", "--format", "ndjson"},
	} {
		got := run(t, "", append(args, "--dir", dir)...)
		if got.status != statusUsage || !strings.Contains(got.err, "--flat makes columns") || got.out != "" {
			t.Errorf("daybook %q: %+v; want a usage error", args, got)
		}
	}
}

// TestFlatReadsTwice stores a new member between the two passes over the values.
func TestFlatReadsTwice(t *testing.T) {
	db := &changingStore{values: [][]daybook.StoredValue{
		{value("a", `{"x":1}`, 1)}, {value("a", `{"x":1}`, 1), value("a", `{"y":2}`, 2)},
	}}
	var out strings.Builder
	w, err := newScanWriter(t.Context(), db, "*", daybook.QueryParams{}, flatFormat, &out, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = writeValues(t.Context(), w, db, "*", daybook.QueryParams{})
	if err == nil || !strings.Contains(err.Error(), `the member "y" has no column`) ||
		!strings.HasSuffix(out.String(), ",1\n") {
		t.Errorf("error %v after %q; want one about y, after the first value", err, out.String())
	}
}

// changingStore yields other values at each scan.
type changingStore struct{ values [][]daybook.StoredValue }

func (s *changingStore) Scan(
	context.Context, string, daybook.QueryParams,
) iter.Seq2[daybook.StoredValue, error] {
	values := s.values[0]
	s.values = s.values[1:]
	return func(yield func(daybook.StoredValue, error) bool) {
		for _, v := range values {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	parquetgo "github.com/parquet-go/parquet-go"

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

// TestFlatParquet wants the same file from query and export, and an error of import and ingest that
// names --flat.
func TestFlatParquet(t *testing.T) {
	dir := filledDir(t, value("a", `{"motor":{"rpm":5},"on":true}`, 1_764_000_000_000), value("b", "7.50", 1))
	file := filepath.Join(t.TempDir(), "x.parquet")
	mustRun(t, "", "export", "*", file, "--flat", "--dir", dir)
	exported, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	in, err := parquetgo.OpenFile(bytes.NewReader(exported), int64(len(exported)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, column := range in.Root().Columns() {
		names = append(names, column.Name())
	}
	want := []string{"record_name", "stored_at", "motor.rpm", "on", "value"}
	if !slices.Equal(names, want) || in.NumRows() != 2 {
		t.Errorf("columns %q and %d rows; want %q and 2", names, in.NumRows(), want)
	}
	args := []string{"query", "*", "--flat", "--format", "parquet", "--oldest-first", "--dir", dir}
	if got := mustRun(t, "", args...); got != string(exported) {
		t.Errorf("query writes %d other bytes than export, which writes %d", len(got), len(exported))
	}
	for _, command := range []string{"import", "ingest"} {
		got := run(t, "", command, file, "--dir", newDir(t))
		if got.status != statusFailed || !strings.Contains(got.err, "export without --flat") {
			t.Errorf("%s of it: %+v; want a failure that names --flat", command, got)
		}
	}
}

// TestFlatHasColumns wants a usage error for a format that has no columns.
func TestFlatHasColumns(t *testing.T) {
	dir := filledDir(t, someValues()...)
	for _, args := range [][]string{
		{"query", "*", "--flat", "--format", "table"}, {"query", "*", "--flat", "--format", "ndjson"},
		{"query", "*", "--flat", "--format", "json"}, {"export", "*", "x.ndjson", "--flat"},
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
	w, err := newScanWriter(t.Context(), db, "*", daybook.QueryParams{}, "csv"+flatSuffix, &out, 0)
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

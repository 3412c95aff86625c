// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
)

// ndjsonOf returns values as lines.
func ndjsonOf(t *testing.T, values ...daybook.StoredValue) string {
	t.Helper()
	var lines strings.Builder
	out := text.NewNDJSONWriter(&lines)
	for _, v := range values {
		if err := out.Write(v); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return lines.String()
}

// TestSkipExistingResumes wants that a second run stores what a bad line kept from being stored,
// and a third run nothing.
func TestSkipExistingResumes(t *testing.T) {
	dir := newDir(t)
	var values []daybook.StoredValue
	for i := range 2*maxBatchValues + 300 {
		values = append(values, value(fmt.Sprintf("r.%d", i%3), fmt.Sprint(i/7), uint64(1+i/5)))
	}
	lines := ndjsonOf(t, values...)
	middle := len(lines)/2 + strings.IndexByte(lines[len(lines)/2:], '\n') + 1
	got := run(t, lines[:middle]+"bad\n"+lines[middle:], "ingest", "--dir", dir)
	if got.status != statusFailed {
		t.Fatalf("%+v; want a failure", got)
	}
	before := len(stored(t, dir))
	if before == 0 {
		t.Fatal("nothing was stored before the bad line")
	}
	seen := make(map[valueKey]bool)
	for _, v := range values {
		seen[keyOf(v)] = true
	}
	out := mustRun(t, lines, "ingest", "--skip-existing", "--dir", dir)
	if !strings.HasPrefix(out, "stored ") || !strings.Contains(out, " that it has") {
		t.Errorf("stdout %q; want how many values were skipped", out)
	}
	got2 := make(map[valueKey]bool)
	for _, v := range stored(t, dir) {
		got2[keyOf(v)] = true
	}
	if diff := cmp.Diff(seen, got2); diff != "" {
		t.Errorf("stored values (-want +got):\n%s", diff)
	}
	want := fmt.Sprintf("stored 0 values from standard input in 0.0 s, skipped %s that it has\n",
		counted(len(values), "value"))
	again := mustRun(t, lines, "ingest", "--skip-existing", "--dir", dir)
	if out := stopwatch.ReplaceAllString(again, "0.0 s"); out != want {
		t.Errorf("a third run printed %q; want %q", out, want)
	}
}

// TestSkipExistingBesideBadLines wants a second run to succeed, which finds all its values stored.
func TestSkipExistingBesideBadLines(t *testing.T) {
	dir := newDir(t)
	const lines = `{"record_name":"r","value":1,"stored_at":5}` + "\nbad\n"
	for _, want := range []string{"stored 1 value", "stored 0 values"} {
		got := run(t, lines, "ingest", "--skip-existing", "--skip-bad", "--dir", dir)
		if got.status != statusDone || !strings.HasPrefix(got.out, want) {
			t.Errorf("%+v; want %q", got, want)
		}
	}
}

// TestExistingValues compares with a plain set, for batches that span few and many values.
func TestExistingValues(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(times int) daybook.StoredValue {
		record := []string{"a", "b*", `c\?`}[random.IntN(3)]
		return value(record, fmt.Sprint(random.IntN(3)), uint64(1+random.IntN(times)))
	}
	var have []daybook.StoredValue
	known := make(map[valueKey]bool)
	for range 9000 {
		v := pick(2000)
		have = append(have, v)
		known[keyOf(v)] = true
	}
	db, err := openForWriting(filledDir(t, have...))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, times := range []int{20, 200, 4000} {
		existing := &existingValues{db: db}
		var batch, want []daybook.StoredValue
		inBatch := make(map[valueKey]bool)
		for range 300 {
			v := pick(times)
			batch = append(batch, v)
			if key := keyOf(v); !known[key] && !inBatch[key] {
				inBatch[key] = true
				want = append(want, v)
			}
		}
		got, err := existing.drop(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, append([]daybook.StoredValue(nil), got...)); diff != "" {
			t.Errorf("%d times: kept (-want +got):\n%s", times, diff)
		}
		if existing.found != 300-len(want) {
			t.Errorf("%d times: found %d; want %d", times, existing.found, 300-len(want))
		}
	}
}

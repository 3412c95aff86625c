// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
)

func TestCheck(t *testing.T) {
	dir := filledDir(t, someValues()...)
	out := mustRun(t, "", "check", "--dir", dir)
	if !strings.HasPrefix(out, "4 values of 3 records are undamaged, in ") {
		t.Errorf("check printed %q", out)
	}
	damaged := damagedDir(t, someValues()...)
	got := run(t, "", "check", "--dir", damaged)
	if got.status != statusFailed || got.out != "" || strings.Count(got.err, "\n") != 1 ||
		!strings.Contains(got.err, `record "a.two"`) || !strings.Contains(got.err, "check --quarantine") {
		t.Errorf("%+v; want the damaged record and the remedy", got)
	}
	want := "lost 1 value that could not be read\n" +
		"set aside " + filepath.Join(damaged, "daybook.corrupt-1.db") + "\n" +
		"3 values of 2 records are undamaged, in "
	if out := mustRun(t, "", "check", "--quarantine", "--dir", damaged); !strings.HasPrefix(out, want) {
		t.Errorf("got %q; want %q", out, want)
	}
	mustRun(t, "", "check", "--dir", damaged)
}

// TestCheckReportsMissingValues loses a chunk, so that the catalogue entry counts more values than
// there are.
func TestCheckReportsMissingValues(t *testing.T) {
	values := []daybook.StoredValue{value("r", `"<tag>"`, 1)}
	for i := range uint64(1499) {
		values = append(values, value("r", "1", i+2))
	}
	got := run(t, "", "check", "--dir", damagedDir(t, values...))
	want := "says count 1500, bytes 1506, oldest 1, newest 1500 with sequence number 1500; its chunks hold count "
	if !strings.Contains(got.err, want) || strings.Contains(got.err, "{") {
		t.Errorf("%+v; want %q", got, want)
	}
}

func TestCheckQuarantines(t *testing.T) {
	dir := filledDir(t, someValues()...)
	path := filepath.Join(dir, "daybook.db")
	if err := os.WriteFile(path, []byte("these bytes are not a tree"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := run(t, "", "check", "--dir", dir); got.status != statusFailed || !strings.Contains(got.err, path) {
		t.Errorf("status %d, stderr %q; want the damaged file", got.status, got.err)
	}
	want := "set aside " + filepath.Join(dir, "daybook.corrupt-1.db") + "\n0 values of 0 records are undamaged, in "
	if out := mustRun(t, "", "check", "--quarantine", "--dir", dir); !strings.HasPrefix(out, want) {
		t.Errorf("got %q; want %q", out, want)
	}
	mustRun(t, `{"record_name":"a","value":1,"stored_at":1}`, "ingest", "--dir", dir)
	missing := newDir(t)
	got := run(t, "", "check", "--quarantine", "--dir", missing)
	if got.status != statusFailed || !strings.Contains(got.err, "there is no daybook") {
		t.Errorf("without a daybook: status %d, stderr %q", got.status, got.err)
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backend/sqlite"
)

// newHistory returns a file of AimDB with values, which is still open.
func newHistory(t *testing.T, name string, values ...daybook.StoredValue) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	db, err := sqlite.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.StoreBatch(t.Context(), values); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestImportOfAimDB wants all values of a history.db that AimDB has open, whatever its name is.
func TestImportOfAimDB(t *testing.T) {
	want := []daybook.StoredValue{
		value("temp::kitchen", `{"celsius": 21.50}`, 5), value("temp::kitchen", "null", 5), value("z", `"é"`, 1<<63-1),
	}
	for _, name := range []string{"history.db", "history", "history.csv"} {
		dir := newDir(t)
		out := mustRun(t, "", "import", newHistory(t, name, want...), "--dir", dir)
		if !strings.HasPrefix(out, "imported 3 values from 1 file in ") {
			t.Errorf("%s: import printed %q", name, out)
		}
		if diff := cmp.Diff(want, stored(t, dir)); diff != "" {
			t.Errorf("%s: values (-want +got):\n%s", name, diff)
		}
	}
}

// TestImportRefusesOtherSQLite wants one line that says what is wrong, and no directory.
func TestImportRefusesOtherSQLite(t *testing.T) {
	const header = "SQLite format 3\x00"
	tests := []struct{ name, data, want string }{
		{"damaged", header + strings.Repeat("x", 4096), "file is not a database"},
		{"cut off", header, "it is not a SQLite file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir, path := newDir(t), writeFile(t, "history.db", test.data)
			got := run(t, "", "import", path, "--dir", dir)
			if got.status != statusFailed || strings.Count(got.err, "\n") != 1 ||
				!strings.Contains(got.err, path+": ") || !strings.Contains(got.err, test.want) ||
				strings.Contains(got.err, "daybook check") {
				t.Errorf("status %d, stderr %q; want one line with %q", got.status, got.err, test.want)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("it created a directory")
			}
		})
	}
}

// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

func TestConformance(t *testing.T) {
	backendtest.Run(t, func(t *testing.T) daybook.Backend {
		return mustOpen(t, filepath.Join(t.TempDir(), "history.db"), nil)
	}, backendtest.Capabilities{MaxTimestamp: math.MaxInt64})
}

func mustOpen(t *testing.T, path string, options *Options) *DB {
	t.Helper()
	db, err := Open(path, options)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// openTemporary opens a new file that is closed when the test ends.
func openTemporary(t *testing.T, options *Options) *DB {
	t.Helper()
	db := mustOpen(t, filepath.Join(t.TempDir(), "history.db"), options)
	t.Cleanup(func() { mustClose(t, db) })
	return db
}

func mustClose(t *testing.T, db *DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func mustStore(t *testing.T, db *DB, record, value string, at uint64) {
	t.Helper()
	if err := db.Store(t.Context(), record, json.RawMessage(value), at); err != nil {
		t.Fatal(err)
	}
}

// wantAll compares everything that db holds, oldest first, with lines of record, value and
// timestamp.
func wantAll(t *testing.T, db *DB, want ...string) {
	t.Helper()
	values, err := db.Query(t.Context(), "*", daybook.QueryParams{Order: daybook.OldestFirst})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range values {
		got = append(got, fmt.Sprintf("%s %s %d", v.RecordName, v.Value, v.StoredAt))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestSettings shows that the writer and the readers have the settings that durability and the
// options ask for.
func TestSettings(t *testing.T) {
	db := openTemporary(t, &Options{BusyTimeout: 3 * time.Second, CacheSize: 1 << 20})
	for _, test := range []struct{ pragma, want, reason string }{
		{"journal_mode", "wal", "a commit is one sync"},
		{"synchronous", "2", "FULL: a commit is durable"},
		{"fullfsync", "1", "durable on macOS too"},
		{"wal_autocheckpoint", "16384", "64 MiB"},
		{"busy_timeout", "3000", "Options.BusyTimeout"},
		{"cache_size", "-1024", "Options.CacheSize, in KiB"},
		{"temp_store", "2", "MEMORY"},
	} {
		var writer, reader string
		if err := db.writer.conn.QueryRowContext(t.Context(), "PRAGMA "+test.pragma).Scan(&writer); err != nil {
			t.Fatal(err)
		}
		if err := db.readers.QueryRowContext(t.Context(), "PRAGMA "+test.pragma).Scan(&reader); err != nil {
			t.Fatal(err)
		}
		if test.pragma == "busy_timeout" && writer == "0" { // it waits by itself: TestWaitEndsWithContext
			writer = test.want
		}
		if writer != test.want || reader != test.want {
			t.Errorf("%s is %s for the writer and %s for a reader; want %s (%s)",
				test.pragma, writer, reader, test.want, test.reason)
		}
	}
}

// TestClose shows that Close leaves nothing in the write-ahead log.
func TestClose(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, filepath.Join(dir, "history.db"), nil)
	mustStore(t, db, "r", "1", 1)
	wantAll(t, db, "r 1 1")
	mustClose(t, db)
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("Close leaves %v, %v; want only the file itself", files, err)
	}
}

// TestReopen shows that values of equal time keep the order of insertion over several openings.
func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	var want []string
	for i := range 4 {
		db := mustOpen(t, path, nil)
		mustStore(t, db, "r", fmt.Sprint(i), 7)
		want = append(want, fmt.Sprintf("r %d 7", i))
		wantAll(t, db, want...)
		mustClose(t, db)
	}
}

// TestPath shows that characters with a meaning in a URI are ordinary in a path.
func TestPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "50%41 done#1")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	name := "a&b=c.db"
	if filepath.Separator == '/' {
		name = "a?mode=memory&b.db" // Windows allows no question mark
	}
	db := mustOpen(t, filepath.Join(dir, name), nil)
	mustStore(t, db, "r", "1", 1)
	mustClose(t, db)
	if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
		t.Error(err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other.txt")
	if err := os.WriteFile(other, []byte(strings.Repeat("This is not a database. ", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, path string
		options    *Options
		want       error // nil: any
	}{
		{"another kind of file", other, nil, daybook.ErrCorrupt},
		{"no such directory", filepath.Join(dir, "none", "history.db"), nil, nil},
		{"negative timeout", filepath.Join(dir, "a.db"), &Options{BusyTimeout: -1}, daybook.ErrInvalidParams},
		{"negative cache", filepath.Join(dir, "a.db"), &Options{CacheSize: -1}, daybook.ErrInvalidParams},
		{"negative readers", filepath.Join(dir, "a.db"), &Options{Readers: -1}, daybook.ErrInvalidParams},
	} {
		t.Run(test.name, func(t *testing.T) {
			db, err := Open(test.path, test.options)
			if err == nil {
				mustClose(t, db)
				t.Fatal("no error")
			}
			if test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got error %v; want %v", err, test.want)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "a.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused Open made the file: %v", err)
	}
}

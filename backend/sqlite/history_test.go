// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"crypto/sha256"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

// historyValues are in the order in which they are stored.
func historyValues() (values []daybook.StoredValue) {
	add := func(name, text string, storedAt uint64) {
		values = append(values, daybook.StoredValue{RecordName: name, Value: json.RawMessage(text), StoredAt: storedAt})
	}
	add("z", `{"b" : 1.50}`, 1_764_000_000_000)
	add("a", `"é"`, 1<<63-1)
	add("a", "null", 0)
	for n := range 3000 {
		add("many", fmt.Sprint(n), 5)
	}
	return values
}

// files returns what the directory holds, except for shared memory.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(entry.Name(), "-shm") {
			found[entry.Name()] = fmt.Sprintf("%x", sha256.Sum256(data))
		}
	}
	return found
}

// readHistory returns the values before the first error.
func readHistory(path string) (values []daybook.StoredValue, err error) {
	h, err := OpenHistory(path)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	for {
		value, err := h.Read()
		if err == io.EOF {
			return values, nil
		}
		if err != nil {
			return values, err
		}
		values = append(values, value)
	}
}

// TestHistory reads a file in each state in which AimDB may leave it, and wants all values in the
// order of insertion, and that no file has changed.
func TestHistory(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(t *testing.T, dir string, db *DB)
	}{
		{"closed", func(t *testing.T, _ string, db *DB) { mustClose(t, db) }},
		{"in use, with values in the log alone", func(*testing.T, string, *DB) {}},
		{"left by a process that was killed", func(t *testing.T, dir string, db *DB) {
			// The log's bytes, without the shared memory, and without the checkpoint of Close.
			main, log := filepath.Join(dir, "history.db"), filepath.Join(dir, "history.db-wal")
			mainData, mainErr := os.ReadFile(main)
			logData, logErr := os.ReadFile(log)
			mustClose(t, db)
			err := errors.Join(mainErr, logErr, os.WriteFile(main, mainData, 0o600), os.WriteFile(log, logData, 0o600))
			if err != nil {
				t.Fatal(err)
			}
		}},
		{"without a write-ahead log", func(t *testing.T, dir string, db *DB) {
			mustClose(t, db)
			runSQL(t, filepath.Join(dir, "history.db"), "PRAGMA journal_mode = DELETE")
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "history.db")
			db, err := Open(path, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := db.StoreBatch(t.Context(), historyValues()); err != nil {
				t.Fatal(err)
			}
			test.prepare(t, dir, db)
			before := files(t, dir)
			got, err := readHistory(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(historyValues(), got); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, files(t, dir)); diff != "" {
				t.Errorf("the files have changed (-before +after):\n%s", diff)
			}
		})
	}
}

// runSQL runs SQL on a file, which it creates.
func runSQL(t *testing.T, path, text string) {
	t.Helper()
	connection, err := openConnection(fileURI(path))
	if err == nil {
		_, err = connection.(driver.ExecerContext).ExecContext(t.Context(), text, nil)
		err = errors.Join(err, connection.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

const historyTable = "CREATE TABLE record_history " +
	"(id INTEGER PRIMARY KEY AUTOINCREMENT, record_name TEXT, value_json TEXT, stored_at INTEGER);"

// TestHistoryThroughALink wants the values of a log that is beside the file, not beside the link.
func TestHistoryThroughALink(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(filepath.Join(dir, "history.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.StoreBatch(t.Context(), historyValues()); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(filepath.Join(dir, "history.db"), link); err != nil {
		t.Skipf("this system has no links: %v", err)
	}
	if got, err := readHistory(link); err != nil || len(got) != len(historyValues()) {
		t.Errorf("%d values, %v; want %d", len(got), err, len(historyValues()))
	}
}

// TestRowsThatAreNoValues wants the row and the reason. The reader goes on after it.
func TestRowsThatAreNoValues(t *testing.T) {
	tests := []struct{ name, row, want string }{
		{"no name", "NULL, '1', 1", "record_name is null"},
		{"an empty name", "'', '1', 1", "invalid record name"},
		{"no value", "'a', NULL, 1", "value_json is null"},
		{"a value that is not JSON", "'a', '{', 1", "invalid value"},
		{"a time before 1970", "'a', '1', -1", "stored_at is -1"},
		{"a time with a fraction", "'a', '1', 1.5", "stored_at is a number with a fraction"},
		{"a text for a time", "'a', '1', 'noon'", "stored_at is a text"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "history.db")
			const insert = "INSERT INTO record_history (record_name, value_json, stored_at) VALUES "
			runSQL(t, path, historyTable+insert+"('a', '1', 1), ("+test.row+"), ('a', '3', 3);")
			h, err := OpenHistory(path)
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			_, firstErr := h.Read()
			_, err = h.Read()
			var row *RowError
			want := path + ": the row of record_history with the id 2: "
			if firstErr != nil || !errors.As(err, &row) || row.ID != 2 || !strings.HasPrefix(err.Error(), want) ||
				!strings.Contains(err.Error(), test.want) {
				t.Errorf("errors %v, then %v; want %q of row 2", firstErr, err, test.want)
			}
			if last, err := h.Read(); err != nil || string(last.Value) != "3" {
				t.Errorf("after it %v, %v; want the third value", last, err)
			}
		})
	}
}

// TestOtherFilesAreNoHistory wants one error for a file without AimDB's table, before any value.
func TestOtherFilesAreNoHistory(t *testing.T) {
	tests := []struct {
		name, sql string
		want      error
	}{
		{"no tables", "PRAGMA user_version = 1", ErrOtherTables},
		{"another table", "CREATE TABLE readings (id INTEGER)", ErrOtherTables},
		{"a table without a column", "CREATE TABLE record_history (id INTEGER, record_name, value_json)",
			ErrOtherTables},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "history.db")
			runSQL(t, path, test.sql)
			if _, err := OpenHistory(path); !errors.Is(err, test.want) || !strings.HasPrefix(err.Error(), path+": ") {
				t.Errorf("error %v; want %v", err, test.want)
			}
		})
	}
	for name, data := range map[string]string{"empty": "", "text": "record_name,stored_at,value\n", "short": magic} {
		path := filepath.Join(t.TempDir(), "history.db")
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenHistory(path); !errors.Is(err, daybook.ErrCorrupt) {
			t.Errorf("%s: error %v; want ErrCorrupt", name, err)
		}
	}
}

// TestHistoryThatIsOpenedMeanwhile wants an error when a process opens a file that is read without
// locks, and stores into it.
func TestHistoryThatIsOpenedMeanwhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	db, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.StoreBatch(t.Context(), historyValues()[:2]); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	h, err := OpenHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	db, err = Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.StoreBatch(t.Context(), historyValues()); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = h.Read()
	}
	if !errors.Is(err, daybook.ErrLocked) || !strings.Contains(err.Error(), "read it again") {
		t.Errorf("it ends with %v; want ErrLocked", err)
	}
}

// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
)

// aimdbSchema and aimdbLatest have the form of AimDB's statements: its table, and the newest values
// of each record by a window function.
const (
	aimdbSchema = `CREATE TABLE IF NOT EXISTS record_history (id INTEGER PRIMARY KEY AUTOINCREMENT,
	record_name TEXT NOT NULL, value_json TEXT NOT NULL, stored_at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS idx_record_time ON record_history(record_name, stored_at DESC);`
	aimdbLatest = `WITH ranked AS (SELECT record_name, value_json, stored_at,
	ROW_NUMBER() OVER (PARTITION BY record_name ORDER BY stored_at DESC) AS rn
	FROM record_history WHERE record_name LIKE ?)
SELECT record_name, value_json, stored_at FROM ranked WHERE rn <= ? ORDER BY record_name, stored_at DESC`
)

// openRaw opens the file as another program would, with one connection.
func openRaw(t *testing.T, path string) *sql.DB {
	t.Helper()
	raw := sql.OpenDB(connector{path: path, options: Options{BusyTimeout: time.Second, CacheSize: 1 << 20}})
	raw.SetMaxOpenConns(1)
	t.Cleanup(func() { raw.Close() })
	return raw
}

func mustExec(t *testing.T, raw *sql.DB, text string, args ...any) {
	t.Helper()
	if _, err := raw.ExecContext(t.Context(), text, args...); err != nil {
		t.Fatal(err)
	}
}

// TestAimDB shows that a file that AimDB wrote is read, and that AimDB's own query reads the values
// that were added.
func TestAimDB(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	raw := openRaw(t, path)
	mustExec(t, raw, aimdbSchema)
	for at, value := range []string{`{"celsius": 21.5}`, `{"celsius": 22.0}`} {
		mustExec(t, raw, insertRow, "temp::kitchen", value, at+1)
	}
	db := mustOpen(t, path, nil)
	wantAll(t, db, `temp::kitchen {"celsius": 21.5} 1`, `temp::kitchen {"celsius": 22.0} 2`)
	mustStore(t, db, "temp::kitchen", `{"celsius":23}`, 3)
	mustClose(t, db)
	var name, value string
	var at int64
	if err := raw.QueryRowContext(t.Context(), aimdbLatest, "temp::%", 1).Scan(&name, &value, &at); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(name, " ", value, " ", at), `temp::kitchen {"celsius":23} 3`; got != want {
		t.Errorf("AimDB's query returns %s; want %s", got, want)
	}
	var indexes int
	count := raw.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_master WHERE type = 'index'")
	if err := count.Scan(&indexes); err != nil || indexes != 1 {
		t.Errorf("the file has %d indexes, %v; want only AimDB's", indexes, err)
	}
}

// TestImpossibleRows shows that a row that this package would not write is an error that names the
// record.
func TestImpossibleRows(t *testing.T) {
	for _, test := range []struct {
		name string
		at   any
	}{{"negative timestamp", -1}, {"timestamp that is text", "today"}} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "history.db")
			db := mustOpen(t, path, nil)
			defer mustClose(t, db)
			raw := openRaw(t, path)
			mustExec(t, raw, insertRow, "odd", "1", test.at)
			raw.Close()
			_, err := db.Query(t.Context(), "*", daybook.QueryParams{})
			if !errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(err.Error(), `"odd"`) {
				t.Errorf("got error %v; want daybook.ErrCorrupt with the record", err)
			}
		})
	}
}

// TestBusy shows that a write waits for another program's transaction, and for how long.
func TestBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	db := mustOpen(t, path, &Options{BusyTimeout: time.Millisecond})
	defer mustClose(t, db)
	raw := openRaw(t, path)
	mustExec(t, raw, "BEGIN IMMEDIATE")
	mustExec(t, raw, insertRow, "theirs", "1", 1)
	if err := db.Store(t.Context(), "ours", json.RawMessage("1"), 1); !errors.Is(err, daybook.ErrLocked) {
		t.Errorf("Store: got error %v; want daybook.ErrLocked", err)
	}
	if _, err := db.Cleanup(t.Context(), 10); !errors.Is(err, daybook.ErrLocked) {
		t.Errorf("Cleanup: got error %v; want daybook.ErrLocked", err)
	}
	wantAll(t, db)
	mustExec(t, raw, "COMMIT")
	mustStore(t, db, "ours", "2", 2)
	wantAll(t, db, "ours 2 2", "theirs 1 1")
}

// TestTwoPrograms shows that two programs may use a file at the same time, and that each sees the
// values of both.
func TestTwoPrograms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	one, other := mustOpen(t, path, nil), mustOpen(t, path, nil)
	defer mustClose(t, one)
	defer mustClose(t, other)
	var stores sync.WaitGroup
	for name, db := range map[string]*DB{"one": one, "other": other} {
		stores.Go(func() {
			for at := range uint64(50) {
				if err := db.Store(t.Context(), name, json.RawMessage("1"), at); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	stores.Wait()
	for _, db := range []*DB{one, other} {
		values, err := db.Query(t.Context(), "*", daybook.QueryParams{})
		if err != nil || len(values) != 100 {
			t.Errorf("%d values, %v; want 100", len(values), err)
		}
	}
}

// TestWaitEndsWithContext calls each method that writes while another process writes to the file
// for longer than the call's context allows. Many Stores wait together.
func TestWaitEndsWithContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	const busyTimeout = 10 * time.Minute // so that calls that wait for it are told from a busy machine
	db, other := mustOpen(t, path, &Options{BusyTimeout: busyTimeout}), mustOpen(t, path, nil)
	defer mustClose(t, db)
	defer mustClose(t, other)
	mustStore(t, db, "r", "1", 1)
	if _, err := other.writer.conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	value := daybook.StoredValue{RecordName: "r", Value: json.RawMessage("2"), StoredAt: 2}
	calls := []func(context.Context) error{
		func(ctx context.Context) error { return db.StoreBatch(ctx, []daybook.StoredValue{value, value}) },
		func(ctx context.Context) error { _, err := db.Cleanup(ctx, 10); return err },
	}
	for range 5 {
		calls = append(calls, func(ctx context.Context) error { return db.Store(ctx, "r", value.Value, 2) })
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start, errs := time.Now(), make(chan error, len(calls))
	for _, call := range calls {
		go func() { errs <- call(ctx) }()
	}
	for range calls {
		if err := <-errs; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v; want the context's", err)
		}
	}
	if took := time.Since(start); took > busyTimeout/10 {
		t.Errorf("the calls took %v; want them to end with their context", took)
	}
	if _, err := other.writer.conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	wantAll(t, db, "r 1 1")
	mustStore(t, db, "r", "3", 3)
	wantAll(t, db, "r 1 1", "r 3 3")
}

// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
)

// TestFullDisk shows that nothing of a batch is stored that does not fit, and that storing works
// again after that. A bound on the number of pages stands for a full disk.
func TestFullDisk(t *testing.T) {
	db := openTemporary(t, nil)
	mustStore(t, db, "r", "1", 1)
	bound := func(pages int) {
		pragma := fmt.Sprintf("PRAGMA max_page_count = %d", pages)
		if _, err := db.writer.conn.ExecContext(t.Context(), pragma); err != nil {
			t.Fatal(err)
		}
	}
	bound(100)
	large := json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)
	if err := db.Store(t.Context(), "large", large, 1); !errors.Is(err, daybook.ErrNoSpace) {
		t.Errorf("Store: got error %v; want daybook.ErrNoSpace", err)
	}
	batch := []daybook.StoredValue{
		{RecordName: "small", Value: json.RawMessage("1"), StoredAt: 1},
		{RecordName: "large", Value: large, StoredAt: 1},
	}
	if err := db.StoreBatch(t.Context(), batch); !errors.Is(err, daybook.ErrNoSpace) {
		t.Errorf("StoreBatch: got error %v; want daybook.ErrNoSpace", err)
	}
	wantAll(t, db, "r 1 1")
	bound(10_000)
	mustStore(t, db, "r", "2", 2)
	wantAll(t, db, "r 1 1", "r 2 2")
}

// TestStoresShareACommit shows that the values of all waiting calls are committed together, and
// that a call whose context ends while it waits stores nothing.
func TestStoresShareACommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	db := mustOpen(t, path, nil)
	defer mustClose(t, db)
	if err := db.writer.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	results := make(chan error, 11)
	for i := range 10 {
		go func() { results <- db.Store(t.Context(), "r", json.RawMessage(fmt.Sprint(i)), uint64(i)) }()
	}
	go func() { results <- db.Store(cancelled, "cancelled", json.RawMessage("1"), 1) }()
	for !db.writer.waiting.hasLength(11) {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-results; !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v; want context.Canceled", err)
	}
	before := logPages(t, path)
	db.writer.release()
	for range 10 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	// A commit writes three pages at least: the table's, the index's and the one of the last id.
	if pages := logPages(t, path) - before; pages > 2*3 {
		t.Errorf("the log has %d more pages; want as many as one commit writes", pages)
	}
	values, err := db.Query(t.Context(), "*", daybook.QueryParams{})
	if err != nil || len(values) != 10 || values[0].RecordName != "r" {
		t.Errorf("%d values, %v; want 10 of r", len(values), err)
	}
}

func (q *queue) hasLength(n int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.pending) == n
}

// logPages returns the number of pages in the write-ahead log.
func logPages(t *testing.T, path string) int64 {
	t.Helper()
	const header, page = 32, 24 + 4096 // https://www.sqlite.org/fileformat.html#the_write_ahead_log
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	return (info.Size() - header) / page
}

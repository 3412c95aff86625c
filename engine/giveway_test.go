// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/proof/testenv"
)

// stuckWriter is the receiver of a backup who stands still.
type stuckWriter struct{ stuck, goOn chan struct{} }

func (w *stuckWriter) Write(p []byte) (int, error) {
	select {
	case <-w.stuck:
	default:
		close(w.stuck)
	}
	<-w.goOn
	return len(p), nil
}

// TestReaderGivesWay opens a daybook for writing while a read-only DB has a Scan and a Backup that
// stand still. The writer changes every page. Then the readers go on: they must get ErrLocked, and
// no value but those from before.
func TestReaderGivesWay(t *testing.T) {
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, nil)
	const records = 500
	store := func(db *DB, value string) {
		t.Helper()
		batch := make([]daybook.StoredValue, records)
		for i := range batch {
			batch[i] = daybook.StoredValue{RecordName: fmt.Sprint("record", i),
				Value: json.RawMessage(`"` + value + digits(1000) + `"`)}
		}
		if err := db.StoreBatch(ctx, batch); err != nil {
			t.Fatal(err)
		}
	}
	store(db, "old")
	mustClose(t, db)

	reader, err := Open(dir, &Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	stuck := &stuckWriter{make(chan struct{}), make(chan struct{})}
	backup := make(chan error)
	go func() { backup <- reader.Backup(ctx, stuck) }()
	<-stuck.stuck
	seen, failure := 0, error(nil)
	for value, err := range reader.Scan(ctx, "*", daybook.QueryParams{}) {
		if err != nil {
			failure = err
			break
		}
		if string(value.Value[:4]) != `"old` {
			t.Fatalf("%s holds %.10s; want the old value", value.RecordName, value.Value)
		}
		if seen++; seen == 10 {
			openAndReplaceAll(t, dir, store)
		}
	}
	if !errors.Is(failure, daybook.ErrLocked) || seen == records {
		t.Errorf("the Scan yielded %d values, and then %v; want ErrLocked", seen, failure)
	}
	close(stuck.goOn)
	if err := <-backup; !errors.Is(err, daybook.ErrLocked) {
		t.Errorf("the Backup: got %v; want ErrLocked", err)
	}
	checkGivenWay(t, reader)
	if err := reader.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	mustClose(t, mustOpen(t, dir, &Options{ReadOnly: true}))
}

// openAndReplaceAll opens the directory for writing beside a reader that stands still, and replaces
// all values. On a busy machine the reader may be late to give way, so Open has a minute and not
// three seconds.
func openAndReplaceAll(t *testing.T, dir string, store func(*DB, string)) {
	t.Helper()
	writer, err := Open(dir, &Options{LockTimeout: time.Minute})
	if err != nil {
		t.Fatalf("Open for writing beside a reader that stands still: %v", err)
	}
	for range 3 {
		store(writer, "new")
		if _, err := writer.Prune(ctx, "*", daybook.PruneParams{MaxPerRecord: 1}); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, writer)
}

// checkGivenWay checks that each method of a reader that gave way returns ErrLocked.
func checkGivenWay(t *testing.T, reader *DB) {
	t.Helper()
	calls := map[string]func() error{
		"Query":       func() error { _, err := reader.Query(ctx, "*", daybook.QueryParams{}); return err },
		"Stats":       func() error { _, err := reader.Stats(ctx); return err },
		"Quarantined": func() error { _, err := reader.Quarantined(ctx); return err },
		"Check":       func() error { return reader.Check(ctx) },
		"Backup":      func() error { return reader.Backup(ctx, discardWriter{}) },
		"Records": func() (failure error) {
			for _, err := range reader.Records(ctx, "*", daybook.Glob) {
				failure = err
			}
			return failure
		},
		"Changes": func() (failure error) {
			for _, err := range reader.Changes(ctx, daybook.ChangesParams{}) {
				failure = err
			}
			return failure
		},
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, daybook.ErrLocked) || errors.Is(err, daybook.ErrCorrupt) {
			t.Errorf("%s of a reader that gave way: got %v; want ErrLocked", name, err)
		}
	}
}

// TestReadersWaitForAWriterThatWaits: while a writer waits for readers, no reader comes between.
func TestReadersWaitForAWriterThatWaits(t *testing.T) {
	dir := testenv.TempDir(t)
	mustClose(t, mustOpen(t, dir, nil))
	done := make(chan struct{})
	failures := make(chan error, 20)
	for range cap(failures) {
		go func() {
			for {
				select {
				case <-done:
					failures <- nil
					return
				default:
				}
				reader, err := Open(dir, &Options{ReadOnly: true})
				if err == nil {
					time.Sleep(5 * time.Millisecond)
					err = reader.Close()
				}
				if err != nil && !errors.Is(err, daybook.ErrLocked) {
					failures <- err
					return
				}
			}
		}()
	}
	for range 5 {
		writer, err := Open(dir, &Options{LockTimeout: time.Minute}) // in which readers would open it many times
		if err != nil {
			t.Fatalf("Open for writing beside %d readers in loops: %v", cap(failures), err)
		}
		if err := writer.Close(); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	for range cap(failures) {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
}

// TestReaderOfAReplacedTreeGivesWay: a writer waits, the owner replaces the tree's file and closes,
// and a reader may open the new file before the writer has noticed it. It must give way as well.
func TestReaderOfAReplacedTreeGivesWay(t *testing.T) {
	dir := testenv.TempDir(t)
	owner := mustOpen(t, dir, nil)
	mustStore(t, owner, "r", "1", 1)
	writers := make(chan *DB, 1)
	go func() {
		writer, err := Open(dir, &Options{LockTimeout: time.Minute})
		if err != nil {
			t.Errorf("Open for writing: %v", err)
		}
		writers <- writer
	}()
	waitForSign(t, dir)
	if err := owner.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	mustClose(t, owner)
	for {
		reader, err := Open(dir, &Options{ReadOnly: true, LockTimeout: -1})
		if err == nil {
			defer func() { _ = reader.Close() }() // it stands still until then
		} else if !errors.Is(err, daybook.ErrLocked) {
			t.Errorf("Open for reading: %v", err)
		}
		select {
		case writer := <-writers:
			if writer != nil {
				mustClose(t, writer)
			}
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// waitForSign waits until a writer shows that it waits for the directory.
func waitForSign(t *testing.T, dir string) {
	t.Helper()
	file, err := os.Open(disk.SignPath(dir, filepath.Join(dir, TreeFile)))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for !disk.IsLockedByAnother(file, disk.OfSign) {
		time.Sleep(time.Millisecond)
	}
}

// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

// TestBadInput shows that bad input gets an error that names it, and changes nothing.
func TestBadInput(t *testing.T) {
	good := json.RawMessage("1")
	store := func(name string, value json.RawMessage) func(*DB) error {
		return func(db *DB) error { return db.Store(ctx, name, value, 1) }
	}
	query := func(pattern string, params daybook.QueryParams) func(*DB) error {
		return func(db *DB) error { _, err := db.Query(ctx, pattern, params); return err }
	}
	prune := func(params daybook.PruneParams) func(*DB) error {
		return func(db *DB) error { _, err := db.Prune(ctx, "*", params); return err }
	}
	tests := []struct {
		name  string
		do    func(*DB) error
		want  error
		words string // that the error must have
	}{
		{"empty name", store("", good), daybook.ErrInvalidName, "empty"},
		{"over-long name", store(strings.Repeat("n", 1025), good), daybook.ErrInvalidName, "1025 bytes"},
		{"name with NUL", store("a\x00b", good), daybook.ErrInvalidName, "NUL"},
		{"name not UTF-8", store("a\xffb", good), daybook.ErrInvalidName, "UTF-8"},
		{"empty value", store("r", nil), daybook.ErrInvalidValue, "empty"},
		{"invalid value", store("r", json.RawMessage(`{"a":}`)), daybook.ErrInvalidValue, "offset 5"},
		{"value not UTF-8", store("r", json.RawMessage("\"\xff\"")), daybook.ErrInvalidValue, "UTF-8"},
		{"16 MiB of brackets", store("r", json.RawMessage(strings.Repeat("[", 16<<20))), daybook.ErrInvalidValue,
			"deep"},
		{"over-large value", store("r", json.RawMessage(`"`+strings.Repeat("x", 16<<20)+`"`)),
			daybook.ErrValueTooLarge, "16777218 bytes"},
		{"batch with a bad value", func(db *DB) error {
			return db.StoreBatch(ctx,
				[]daybook.StoredValue{{RecordName: "r", Value: good}, {RecordName: "r", Value: good},
					{RecordName: "bad", Value: json.RawMessage("x")}})
		}, daybook.ErrInvalidValue, `values[2] of 3 in the batch: record "bad"`},
		{"batch with a bad name", func(db *DB) error {
			return db.StoreBatch(ctx, []daybook.StoredValue{{RecordName: "", Value: good}})
		}, daybook.ErrInvalidName, "values[0] of 1"},
		{"batch too large", func(db *DB) error {
			big := json.RawMessage(`"` + strings.Repeat("x", 15<<20) + `"`)
			var batch []daybook.StoredValue
			for range 9 {
				batch = append(batch, daybook.StoredValue{RecordName: "r", Value: big})
			}
			return db.StoreBatch(ctx, batch)
		}, daybook.ErrValueTooLarge, "split"},
		{"negative limit", query("*", daybook.QueryParams{LimitPerRecord: -1}), daybook.ErrInvalidParams, "-1"},
		{"unknown order", query("*", daybook.QueryParams{Order: 7}), daybook.ErrInvalidParams, "Order(7)"},
		{"unknown syntax", query("*", daybook.QueryParams{Syntax: 7}), daybook.ErrInvalidParams, "PatternSyntax(7)"},
		{"empty pattern", query("", daybook.QueryParams{}), daybook.ErrInvalidPattern, "empty"},
		{"empty topic pattern", query("", daybook.QueryParams{Syntax: daybook.Topic}), daybook.ErrInvalidPattern,
			"empty"},
		{"pattern with a lone backslash", query(`a\`, daybook.QueryParams{}), daybook.ErrInvalidPattern, `\`},
		{"malformed pattern in Records", func(db *DB) error {
			for _, err := range db.Records(ctx, `a\`, daybook.Glob) {
				return err
			}
			return nil
		}, daybook.ErrInvalidPattern, `\`},
		{"negative prune limit", prune(daybook.PruneParams{MaxPerRecord: -1}), daybook.ErrInvalidParams,
			"MaxPerRecord"},
		{"keep more than the maximum", prune(daybook.PruneParams{MaxPerRecord: 1, KeepNewest: 2}),
			daybook.ErrInvalidParams, "KeepNewest"},
	}
	db := mustOpen(t, t.TempDir(), nil)
	mustStore(t, db, "r", `"before"`, 5)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.do(db)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.words) {
				t.Errorf("got %v; want %v with %q", err, test.want, test.words)
			}
			if strings.Contains(err.Error(), "\n") || len(err.Error()) > 500 {
				t.Errorf("the error is not one readable line: %q", err)
			}
			wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), row{"r", `"before"`, 5})
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	notADaybook := func(t *testing.T, dir string) {
		other, err := bbolt.Open(filepath.Join(dir, treeName), 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if err := other.Update(func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucket([]byte("theirs"))
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name    string
		prepare func(t *testing.T, dir string)
		opts    *Options
		want    error
		words   string
	}{
		{"impossible options, all named", nil,
			&Options{Durability: 9, Tuning: Tuning{HeadSize: 1, TransactionSize: 1, ChunkValues: -1}},
			daybook.ErrInvalidParams, "TransactionSize"},
		{"a file that is not bbolt", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, treeName), strings.Repeat("x", 1<<16))
		}, nil, daybook.ErrCorrupt, treeName},
		{"another program's bbolt file", notADaybook, nil, daybook.ErrCorrupt, "theirs"},
		{"a newer format of the tree", newerTree, nil, daybook.ErrVersion, "format 4"},
		{"a log without what a checkpoint was posting", halfPosted, nil, daybook.ErrCorrupt,
			"ends with sequence number 1"},
		{"read-only where there is nothing", nil, &Options{ReadOnly: true}, fs.ErrNotExist, "holds no daybook"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if test.prepare != nil {
				test.prepare(t, dir)
			}
			before := contents(t, dir)
			db, err := Open(dir, test.opts)
			if err == nil {
				db.Close()
			}
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.words) {
				t.Errorf("Open: got %v; want %v with %q", err, test.want, test.words)
			}
			if after := contents(t, dir); after != before {
				t.Errorf("Open changed the directory")
			}
		})
	}
}

func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// contents returns the names and bytes of all files below dir.
func contents(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all.WriteString(path + "\x00" + string(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// newerTree makes a store whose tree has the next format version.
func newerTree(t *testing.T, dir string) {
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	bolt, err := bbolt.Open(filepath.Join(dir, treeName), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer bolt.Close()
	err = bolt.Update(func(tx *bbolt.Tx) error {
		if _, err := tx.CreateBucket([]byte("also")); err != nil { // as a format may have
			return err
		}
		format := binary.BigEndian.AppendUint64(nil, 4)
		format = binary.BigEndian.AppendUint32(format, crc32.Checksum(format, codec.Castagnoli))
		return tx.Bucket([]byte("meta")).Put([]byte("format"), format)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// halfPosted makes a store whose tree says that values up to sequence number 3 were being posted,
// and whose log ends with number 1.
func halfPosted(t *testing.T, dir string) {
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	mustStore(t, db, "a", "1", 1)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	postPart(t, dir, 3, []tree.Run{
		{Record: "a", Values: []codec.Entry{{Timestamp: 2, Sequence: 2, Value: []byte("2")}}},
		{Record: "b", Values: []codec.Entry{{Timestamp: 2, Sequence: 3, Value: []byte("2")}}},
	}, 1)
}

// TestMaxFuture shows that a timestamp too far ahead of the clock is refused, alone and in a batch,
// of which nothing is stored then.
func TestMaxFuture(t *testing.T) {
	db := mustOpen(t, t.TempDir(), &Options{MaxFuture: time.Hour})
	soon, late := daybook.Now()+30*60_000, daybook.Now()+120*60_000
	mustStore(t, db, "r", "1", soon)
	err := db.Store(ctx, "r", json.RawMessage("2"), late)
	if !errors.Is(err, daybook.ErrTimestampRange) || !strings.Contains(err.Error(), fmt.Sprint(late)) ||
		!strings.Contains(err.Error(), "MaxFuture") {
		t.Errorf("two hours ahead: got %v; want ErrTimestampRange that names it and MaxFuture", err)
	}
	err = db.StoreBatch(ctx, []daybook.StoredValue{
		{RecordName: "r", Value: json.RawMessage("3"), StoredAt: soon},
		{RecordName: "r", Value: json.RawMessage("4"), StoredAt: math.MaxUint64}})
	if !errors.Is(err, daybook.ErrTimestampRange) || !strings.Contains(err.Error(), "values[1] of 2") {
		t.Errorf("a batch: got %v; want ErrTimestampRange for values[1]", err)
	}
	wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), row{"r", "1", soon})
	if _, err := Open(t.TempDir(), &Options{MaxFuture: -1}); !errors.Is(err, daybook.ErrInvalidParams) {
		t.Errorf("a negative MaxFuture: %v; want ErrInvalidParams", err)
	}
}

func TestOpenOnAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "not a directory")
	if _, err := Open(path, nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Open of a file: got %v; want an error that names it", err)
	}
	if _, err := Open(filepath.Join(path, "below"), nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Open below a file: got %v; want an error that names it", err)
	}
}

func TestOpenLocked(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, dir, nil)
	for _, opts := range []*Options{{LockTimeout: -1}, {LockTimeout: 60 * time.Millisecond},
		{LockTimeout: -1, ReadOnly: true}} {
		_, err := Open(dir, opts)
		if !errors.Is(err, daybook.ErrLocked) || !strings.Contains(err.Error(), dir) ||
			!strings.Contains(err.Error(), "close") {
			t.Errorf("Open(%+v) of an open directory: got %v; want ErrLocked, the path, and what to do", opts, err)
		}
	}
}

func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	mustStore(t, db, "r", "1", 1)
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	mustStore(t, db, "r", "2", 2)
	if err := db.abandon(); err != nil { // so that the log must be replayed
		t.Fatal(err)
	}
	before := contents(t, dir)
	one := mustOpen(t, dir, &Options{ReadOnly: true})
	two := mustOpen(t, dir, &Options{ReadOnly: true})
	for _, db := range []*DB{one, two} {
		wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), row{"r", "2", 2}, row{"r", "1", 1})
		if _, err := db.Stats(ctx); err != nil {
			t.Errorf("Stats: %v", err)
		}
		if err := db.Store(ctx, "r", json.RawMessage("3"), 3); !errors.Is(err, daybook.ErrReadOnly) {
			t.Errorf("Store: got %v; want ErrReadOnly", err)
		}
		if _, err := db.Cleanup(ctx, 3); !errors.Is(err, daybook.ErrReadOnly) {
			t.Errorf("Cleanup: got %v; want ErrReadOnly", err)
		}
	}
	mustClose(t, one)
	mustClose(t, two)
	if contents(t, dir) != before {
		t.Error("reading changed the directory")
	}
}

func TestAfterClose(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	mustStore(t, db, "r", "1", 1)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	calls := map[string]func() error{
		"Store":      func() error { return db.Store(ctx, "r", json.RawMessage("1"), 1) },
		"StoreBatch": func() error { return db.StoreBatch(ctx, nil) },
		"Query":      func() error { _, err := db.Query(ctx, "*", daybook.QueryParams{}); return err },
		"Initialize": func() error { return db.Initialize(ctx) },
		"Cleanup":    func() error { _, err := db.Cleanup(ctx, 1); return err },
		"Prune":      func() error { _, err := db.Prune(ctx, "*", daybook.PruneParams{}); return err },
		"Sync":       func() error { return db.Sync(ctx) },
		"Checkpoint": func() error { return db.Checkpoint(ctx) },
		"Check":      func() error { return db.Check(ctx) },
		"Stats":      func() error { _, err := db.Stats(ctx); return err },
		"Scan": func() error {
			for _, err := range db.Scan(ctx, "*", daybook.QueryParams{}) {
				return err
			}
			return nil
		},
		"Records": func() error {
			for _, err := range db.Records(ctx, "*", daybook.Glob) {
				return err
			}
			return nil
		},
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, daybook.ErrClosed) {
			t.Errorf("%s after Close: got %v; want ErrClosed", name, err)
		}
	}
}

func TestCancelledContext(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	mustStore(t, db, "r", "1", 1)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := db.Store(cancelled, "r", json.RawMessage("2"), 2); !errors.Is(err, context.Canceled) {
		t.Errorf("Store: got %v; want context.Canceled", err)
	}
	if _, err := db.Query(cancelled, "*", daybook.QueryParams{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Query: got %v; want context.Canceled", err)
	}
	if deleted, err := db.Cleanup(cancelled, 10); deleted != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("Cleanup: got %d, %v; want 0, context.Canceled", deleted, err)
	}
	wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), row{"r", "1", 1})
}

// TestCancelDuringScan shows that a long scan ends with its context.
func TestCancelDuringScan(t *testing.T) {
	db := mustOpen(t, t.TempDir(), &Options{Durability: OS, Tuning: Tuning{ChunkValues: 2}})
	for i := range uint64(100) {
		mustStore(t, db, "r", "1", i)
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	seen, last := 0, error(nil)
	for _, err := range db.Scan(running, "*", daybook.QueryParams{}) {
		cancel()
		seen++
		last = err
	}
	if !errors.Is(last, context.Canceled) || seen > 10 {
		t.Errorf("a cancelled scan yielded %d values and ended with %v; want a few and context.Canceled", seen, last)
	}
}

// TestUserPanic shows that a panic in the loop of a Scan reaches the caller, and that the snapshot
// is closed.
func TestUserPanic(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	mustStore(t, db, "r", "1", 1)
	func() {
		defer func() {
			if cause := recover(); cause != "mine" {
				t.Errorf("recovered %v; want the loop's own panic", cause)
			}
		}()
		for range db.Scan(ctx, "*", daybook.QueryParams{}) {
			panic("mine")
		}
	}()
}

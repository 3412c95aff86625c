// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/retention"
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
		"Store":             func() error { return db.Store(ctx, "r", json.RawMessage("1"), 1) },
		"StoreBatch":        func() error { return db.StoreBatch(ctx, nil) },
		"Query":             func() error { _, err := db.Query(ctx, "*", daybook.QueryParams{}); return err },
		"Initialize":        func() error { return db.Initialize(ctx) },
		"Cleanup":           func() error { _, err := db.Cleanup(ctx, 1); return err },
		"Prune":             func() error { _, err := db.Prune(ctx, "*", daybook.PruneParams{}); return err },
		"Sync":              func() error { return db.Sync(ctx) },
		"Checkpoint":        func() error { return db.Checkpoint(ctx) },
		"Check":             func() error { return db.Check(ctx) },
		"Stats":             func() error { _, err := db.Stats(ctx); return err },
		"Quarantined":       func() error { _, err := db.Quarantined(ctx); return err },
		"RemoveQuarantined": func() error { return db.RemoveQuarantined(ctx, "daybook.corrupt-1.db") },
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
	db := mustOpen(t, t.TempDir(), &Options{Durability: DurabilityOS, Tuning: Tuning{ChunkValues: 2}})
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

// TestMethodsOfNil calls every method of a nil *DB. Each returns ErrNotConfigured.
func TestMethodsOfNil(t *testing.T) {
	var db *DB
	methods := reflect.TypeOf(db)
	for i := range methods.NumMethod() {
		method := methods.Method(i)
		args := []reflect.Value{reflect.ValueOf(db)}
		for a := 1; a < method.Type.NumIn(); a++ {
			args = append(args, reflect.Zero(method.Type.In(a)))
			if method.Type.In(a) == reflect.TypeFor[context.Context]() {
				args[a] = reflect.ValueOf(ctx)
			}
		}
		results := method.Func.Call(args)
		last := results[len(results)-1]
		if last.Kind() == reflect.Func {
			for _, yielded := range last.Seq2() {
				last = yielded
			}
		}
		if err, _ := last.Interface().(error); !errors.Is(err, daybook.ErrNotConfigured) {
			t.Errorf("%s: got %v; want ErrNotConfigured", method.Name, last)
		}
	}
}

// TestLoopsOverNil gives a nil *DB to the helpers that go on after an error. Each ends, because no
// later call can succeed, and returns ErrNotConfigured.
func TestLoopsOverNil(t *testing.T) {
	var db *DB
	values := make(chan int, 3)
	for i := range cap(values) {
		values <- i
	}
	soon, cancel := context.WithTimeout(ctx, time.Minute) // for a helper that does not end
	defer cancel()
	failed := 0
	persist := &daybook.PersistOptions[int]{Failed: func(int, error) { failed++ }}
	err := daybook.Persist(soon, db, "r", values, persist)
	if !errors.Is(err, daybook.ErrNotConfigured) || failed != 3 {
		t.Errorf("Persist: got %v and %d values that failed; want ErrNotConfigured and all 3", err, failed)
	}
	for _, policy := range []retention.Policy{
		{MaxAge: time.Hour},
		{MaxBytes: 1},
		{Rules: []retention.Rule{{Pattern: daybook.Pattern{Text: "*"}, MaxPerRecord: 1}}},
	} {
		keeper := retention.Keeper{Backend: db, Policy: policy, Interval: time.Hour, Logger: discard}
		if err := keeper.Run(soon); !errors.Is(err, daybook.ErrNotConfigured) {
			t.Errorf("Keeper.Run with %+v: got %v; want ErrNotConfigured", policy, err)
		}
	}
	if _, err := daybook.WatchAs[int](ctx, db, "*", daybook.WatchParams{}); !errors.Is(err, daybook.ErrNotConfigured) {
		t.Errorf("WatchAs: got %v; want ErrNotConfigured", err)
	}
	for _, err := range daybook.ScanAs[int](ctx, db, "*", daybook.QueryParams{}) {
		if !errors.Is(err, daybook.ErrNotConfigured) {
			t.Errorf("ScanAs: got %v; want ErrNotConfigured", err)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// maxOverrun is how long after its deadline a method may return. It is generous, because the
// machine has other work: without checks of the context each case here takes many seconds.
const maxOverrun = 5 * time.Second

// TestHostilePatternHonoursDeadline queries a head of long names with a topic that takes up to a
// millisecond for each of them.
func TestHostilePatternHonoursDeadline(t *testing.T) {
	db := mustOpen(t, t.TempDir(), &Options{Durability: DurabilityOS})
	const names = 3000
	batch := make([]daybook.StoredValue, names)
	for i := range batch {
		name := strings.Repeat("a.", 500) + fmt.Sprint(i)
		batch[i] = daybook.StoredValue{RecordName: name, Value: json.RawMessage(`1`)}
	}
	if err := db.StoreBatch(ctx, batch); err != nil {
		t.Fatal(err)
	}
	hostile := "#." + strings.Repeat("*.a.", 125) + "b.#"
	for _, place := range []string{"in the head", "in the tree"} {
		t.Run(place, func(t *testing.T) {
			if place == "in the tree" {
				if err := db.Checkpoint(ctx); err != nil {
					t.Fatal(err)
				}
			}
			short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			defer cancel()
			values, err := db.Query(short, hostile, daybook.QueryParams{Syntax: daybook.Topic})
			deadline, _ := short.Deadline()
			if late := time.Since(deadline); !errors.Is(err, context.DeadlineExceeded) || late > maxOverrun {
				t.Errorf("%d values, %v, %v after the deadline; want its error at once", len(values), err, late)
			}
		})
	}
}

// deadlineCalls are all methods of DB that take a context, with parameters that make them work.
func deadlineCalls(db *DB, pattern string) map[string]func(context.Context) error {
	value := json.RawMessage(`1`)
	hold := daybook.Hold{Name: "hold", Pattern: daybook.Pattern{Text: pattern}, MaxBytes: 1 << 20}
	return map[string]func(context.Context) error{
		"Initialize": db.Initialize,
		"Store":      func(ctx context.Context) error { return db.Store(ctx, "record", value, 1) },
		"StoreBatch": func(ctx context.Context) error {
			return db.StoreBatch(ctx, []daybook.StoredValue{{RecordName: "record", Value: value}})
		},
		"Query": func(ctx context.Context) error {
			_, err := db.Query(ctx, pattern, daybook.QueryParams{})
			return err
		},
		"Scan": func(ctx context.Context) (failure error) {
			for _, err := range db.Scan(ctx, pattern, daybook.QueryParams{LimitPerRecord: 1}) {
				failure = err
			}
			return failure
		},
		"Records": func(ctx context.Context) (failure error) {
			for _, err := range db.Records(ctx, pattern, daybook.Glob) {
				failure = err
			}
			return failure
		},
		"Changes": func(ctx context.Context) (failure error) {
			params := daybook.ChangesParams{Pattern: daybook.Pattern{Text: pattern}}
			for _, err := range db.Changes(ctx, params) {
				failure = err
			}
			return failure
		},
		"Cleanup": func(ctx context.Context) error { _, err := db.Cleanup(ctx, 1<<62); return err },
		"Prune": func(ctx context.Context) error {
			_, err := db.Prune(ctx, pattern, daybook.PruneParams{MaxPerRecord: 1, MaxBytes: 1})
			return err
		},
		"Prune with exceptions": func(ctx context.Context) error {
			params := daybook.PruneParams{OlderThan: 1 << 62, Except: []daybook.Pattern{{Text: pattern}, {Text: "*1"}}}
			_, err := db.Prune(ctx, "*", params)
			return err
		},
		"Watch": func(ctx context.Context) error {
			events, err := db.Watch(ctx, pattern, daybook.WatchParams{})
			if err != nil {
				return err
			}
			for range events {
			}
			return ctx.Err()
		},
		"Stats":       func(ctx context.Context) error { _, err := db.Stats(ctx); return err },
		"Quarantined": func(ctx context.Context) error { _, err := db.Quarantined(ctx); return err },
		"RemoveQuarantined": func(ctx context.Context) error {
			if err := db.RemoveQuarantined(ctx, "daybook.corrupt-1.db"); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		},
		"Sync":       db.Sync,
		"Check":      db.Check,
		"Backup":     func(ctx context.Context) error { return db.Backup(ctx, discardWriter{}) },
		"Compact":    db.Compact,
		"Checkpoint": db.Checkpoint,
		"SetHold":    func(ctx context.Context) error { return db.SetHold(ctx, hold) },
		"Holds":      func(ctx context.Context) error { _, err := db.Holds(ctx); return err },
	}
}

// TestDeadlines calls every method with a deadline, under every load. Each must return soon after
// the deadline. Those that cannot be done meanwhile must return the context's error.
func TestDeadlines(t *testing.T) {
	hostile := "*a" + strings.Repeat("?", 500) + "b*"
	records := 10_000
	if testenv.Long() {
		records = 100_000
	}
	batch := make([]daybook.StoredValue, records)
	for i := range batch {
		name := fmt.Sprint(i)
		if i%10 == 0 {
			name = strings.Repeat("a", 1000) + name
		}
		batch[i] = daybook.StoredValue{RecordName: name, Value: json.RawMessage(`1`), StoredAt: uint64(i)}
	}
	needTurn := []string{"Cleanup", "Prune", "Check", "Backup", "Compact", "Checkpoint"}
	loads := []struct {
		name, pattern string
		headSize      int64
		begin         func(*DB) (end func())
		mustFail      []string // the methods that cannot be done under the load
	}{
		{"a hostile pattern", hostile, 0, func(*DB) func() { return func() {} }, nil},
		{"many records in the head", "*", 0, func(*DB) func() { return func() {} }, nil},
		{"a long post", "*", 0, holdTurn, needTurn},
		{"a compaction", "*", 0, func(db *DB) func() {
			db.compacting <- struct{}{}
			return func() { <-db.compacting }
		}, []string{"Compact"}},
		{"a full queue", "*", MinHeadSize, func(db *DB) func() {
			end := holdTurn(db)
			for short, cancel := context.WithTimeout(ctx, time.Second); ; { // until both heads are full
				if err := db.StoreBatch(short, batch); err != nil {
					cancel()
					return end
				}
			}
		}, append([]string{"Store", "StoreBatch"}, needTurn...)},
		{"a watcher of a hostile pattern", "*", 0, func(db *DB) func() {
			db.watchers.passing <- struct{}{}
			return func() { <-db.watchers.passing }
		}, []string{"Watch"}},
	}
	for _, load := range loads {
		t.Run(load.name, func(t *testing.T) {
			opts := Options{Durability: DurabilityOS, Tuning: Tuning{HeadSize: load.headSize}}
			db := mustOpen(t, testenv.TempDir(t), &opts)
			if err := db.StoreBatch(ctx, batch); err != nil {
				t.Fatal(err)
			}
			end := load.begin(db)
			defer end()
			calls := allCalls(db, load.pattern)
			for _, name := range slices.SortedFunc(maps.Keys(calls), deletingLast) {
				checkDeadline(t, name, calls[name], slices.Contains(load.mustFail, name))
			}
		})
	}
}

// deletingLast compares names of methods: those that delete come last.
func deletingLast(a, b string) int {
	deletes := func(name string) int {
		if strings.HasPrefix(name, "Prune") || name == "Cleanup" {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(deletes(a), deletes(b)), cmp.Compare(a, b))
}

// allCalls are deadlineCalls, and with zero values those methods with a context that these do not
// have.
func allCalls(db *DB, pattern string) map[string]func(context.Context) error {
	calls := deadlineCalls(db, pattern)
	methods := reflect.ValueOf(db)
	for i := range methods.NumMethod() {
		name, method := methods.Type().Method(i).Name, methods.Method(i)
		isContext := method.Type().NumIn() > 0 && method.Type().In(0) == reflect.TypeFor[context.Context]()
		if _, found := calls[name]; found || !isContext {
			continue
		}
		calls[name] = func(ctx context.Context) error {
			in := []reflect.Value{reflect.ValueOf(ctx)}
			for n := 1; n < method.Type().NumIn(); n++ {
				in = append(in, reflect.Zero(method.Type().In(n)))
			}
			_ = method.Call(in) // whether it returns soon matters, not what
			return nil
		}
	}
	return calls
}

// checkDeadline calls a method with a deadline.
func checkDeadline(t *testing.T, name string, call func(context.Context) error, mustFail bool) {
	t.Helper()
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	returned := make(chan error, 1)
	go func() { returned <- call(short) }()
	var err error
	select {
	case err = <-returned:
	case <-time.After(20*time.Millisecond + maxOverrun):
		t.Errorf("%s has not returned %v after its deadline", name, maxOverrun)
		err = <-returned
	}
	switch {
	case err == nil && mustFail:
		t.Errorf("%s: got no error; want the context's", name)
	case err != nil && !errors.Is(err, context.DeadlineExceeded):
		t.Errorf("%s: got %v; want the context's error or none", name, err)
	}
}

// holdTurn takes the turn, as a long post does.
func holdTurn(db *DB) (end func()) {
	taken, err := db.turns.take(ctx)
	if err != nil {
		panic(err)
	}
	return taken.end
}

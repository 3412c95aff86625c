// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

// machine runs operations on a store and on the model, and compares what they say.
type machine struct {
	dir   string
	opts  *Options
	db    *DB
	model *backendtest.Memory
	next  int // makes every value different
}

var (
	someNames    = rapid.SampledFrom([]string{"a", "a.b", "a.b.c", "ab", "a\x01", "b", "ä.ö", "z*"})
	somePatterns = rapid.SampledFrom([]string{"*", "a", "a*", "a.*", "*b", "?", `z\*`, "nothing", "*.*", "#", "a.#"})
	someSyntaxes = rapid.SampledFrom([]daybook.PatternSyntax{daybook.Glob, daybook.Glob, daybook.Topic})
	// Few different times, so that many are equal, and the extremes.
	someTimes = rapid.OneOf(rapid.Uint64Range(0, 40), rapid.SampledFrom([]uint64{math.MaxUint64, math.MaxUint64 - 1, 1 << 40}))
)

func (m *machine) value(t *rapid.T) string {
	m.next++
	padding := rapid.SampledFrom([]int{0, 0, 0, 5, 60, 300, 5000}).Draw(t, "padding")
	return fmt.Sprintf(`{"n":%d,"p":"%0*d"}`, m.next, padding, 0)
}

func (m *machine) Store(t *rapid.T) {
	r := row{someNames.Draw(t, "name"), m.value(t), someTimes.Draw(t, "at")}
	for _, backend := range []daybook.Backend{m.db, m.model} {
		if err := backend.Store(ctx, r.Name, json.RawMessage(r.Value), r.At); err != nil {
			t.Fatalf("%T.Store: %v", backend, err)
		}
	}
}

func (m *machine) StoreBatch(t *rapid.T) {
	var batch []daybook.StoredValue
	for range rapid.IntRange(0, 40).Draw(t, "values") {
		batch = append(batch, daybook.StoredValue{RecordName: someNames.Draw(t, "name"), Value: json.RawMessage(m.value(t)), StoredAt: someTimes.Draw(t, "at")})
	}
	bad := len(batch) > 0 && rapid.IntRange(0, 9).Draw(t, "bad") == 0
	if bad {
		batch[len(batch)-1].Value = json.RawMessage("{")
	}
	for _, backend := range []daybook.BatchStorer{m.db, m.model} {
		if err := backend.StoreBatch(ctx, batch); (err != nil) != bad {
			t.Fatalf("%T.StoreBatch: %v", backend, err)
		}
	}
}

func (m *machine) params(t *rapid.T) daybook.QueryParams {
	params := daybook.QueryParams{
		LimitPerRecord: rapid.SampledFrom([]int{0, 0, 1, 2, 7}).Draw(t, "limit"),
		Syntax:         someSyntaxes.Draw(t, "syntax"),
		Order:          rapid.SampledFrom([]daybook.Order{daybook.NewestFirst, daybook.OldestFirst}).Draw(t, "order"),
	}
	if rapid.Bool().Draw(t, "has start") {
		start := someTimes.Draw(t, "start")
		params.StartTime = &start
	}
	if rapid.Bool().Draw(t, "has end") {
		end := someTimes.Draw(t, "end")
		params.EndTime = &end
	}
	return params
}

func (m *machine) Query(t *rapid.T) {
	pattern, params := somePatterns.Draw(t, "pattern"), m.params(t)
	query := func(backend daybook.Backend) []row {
		values, err := backend.Query(ctx, pattern, params)
		if err != nil {
			t.Fatalf("%T.Query: %v", backend, err)
		}
		return rows(values)
	}
	compare(t, "Query", query(m.model), query(m.db))
}

// records returns what a backend says of its records.
func records(t *rapid.T, backend daybook.RecordLister, pattern string, syntax daybook.PatternSyntax) []daybook.RecordInfo {
	infos := []daybook.RecordInfo{}
	for info, err := range backend.Records(ctx, pattern, syntax) {
		if err != nil {
			t.Fatalf("%T.Records: %v", backend, err)
		}
		infos = append(infos, info)
	}
	return infos
}

func (m *machine) Records(t *rapid.T) {
	pattern, syntax := somePatterns.Draw(t, "pattern"), someSyntaxes.Draw(t, "syntax")
	compare(t, "Records", records(t, m.model, pattern, syntax), records(t, m.db, pattern, syntax))
}

func (m *machine) Stats(t *rapid.T) {
	stats, err := m.db.Stats(ctx)
	if err != nil {
		t.Fatalf("Stats: %v", err)
	}
	var want Stats
	for _, info := range records(t, m.model, "*", daybook.Glob) {
		want.Records++
		want.Values += info.Count
		want.ValueBytes += info.Bytes
	}
	compare(t, "Stats", want, Stats{Records: stats.Records, Values: stats.Values, ValueBytes: stats.ValueBytes})
}

func (m *machine) Cleanup(t *rapid.T) {
	olderThan := someTimes.Draw(t, "older than")
	cleanup := func(backend daybook.Backend) uint64 {
		deleted, err := backend.Cleanup(ctx, olderThan)
		if err != nil {
			t.Fatalf("%T.Cleanup: %v", backend, err)
		}
		return deleted
	}
	compare(t, "Cleanup's count", cleanup(m.model), cleanup(m.db))
}

func (m *machine) Prune(t *rapid.T) {
	pattern := somePatterns.Draw(t, "pattern")
	params := daybook.PruneParams{
		Syntax:       someSyntaxes.Draw(t, "syntax"),
		OlderThan:    someTimes.Draw(t, "older than"),
		MaxPerRecord: rapid.SampledFrom([]int{0, 3, 10}).Draw(t, "most"),
		KeepNewest:   rapid.SampledFrom([]int{0, 2}).Draw(t, "keep"),
	}
	prune := func(backend daybook.Pruner) uint64 {
		deleted, err := backend.Prune(ctx, pattern, params)
		if err != nil {
			t.Fatalf("%T.Prune: %v", backend, err)
		}
		return deleted
	}
	compare(t, "Prune's count", prune(m.model), prune(m.db))
}

func (m *machine) Checkpoint(t *rapid.T) {
	if err := m.db.Checkpoint(ctx); err != nil {
		t.Fatalf("Checkpoint: %v", err)
	}
}

func (m *machine) Reopen(t *rapid.T) {
	m.Check(t)
	if err := m.db.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	m.open(t)
}

func (m *machine) Kill(t *rapid.T) {
	if err := m.db.abandon(); err != nil {
		t.Fatalf("abandon: %v", err)
	}
	m.open(t)
}

func (m *machine) open(t *rapid.T) {
	db, err := Open(m.dir, m.opts)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	m.db = db
}

// Check runs after every operation.
func (m *machine) Check(t *rapid.T) {
	if err := m.db.Check(ctx); err != nil {
		t.Fatalf("Check: %v", err)
	}
}

func compare(t *rapid.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s differs from the model's (-want +got):\n%s", what, diff)
	}
}

// TestModel runs random operations on a store with a small head and small chunks, so that every path is
// taken, and on the reference model, and finds no difference. More sequences: -rapid.checks=10000.
func TestModel(t *testing.T) {
	parent := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(parent, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		m := &machine{dir: dir, model: backendtest.NewMemory(), opts: &Options{
			Durability:  OS, // process crashes only; power cuts are tested elsewhere
			HeadSize:    rapid.SampledFrom([]int64{MinHeadSize, 16 << 10, 1 << 20}).Draw(t, "head size"),
			ChunkValues: rapid.SampledFrom([]int{1, 2, 4, 16, DefaultChunkValues}).Draw(t, "chunk values"),
			ChunkBytes:  rapid.SampledFrom([]int{1, 100, 1000, DefaultChunkBytes}).Draw(t, "chunk bytes"),
			Logger:      discard,
		}}
		m.open(t)
		defer func() { _ = m.db.abandon() }()
		t.Repeat(rapid.StateMachineActions(m))
		m.Check(t)
		m.Query(t)
	})
}

// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daybook-db/daybook"
)

// model is what a store must behave like: a slice in the order of insertion.
type model struct{ stored []row }

func (m *model) query(match func(string) bool, params daybook.QueryParams) []row {
	var selected []row
	for _, r := range m.stored {
		if match(r.Name) && (params.StartTime == nil || r.At >= *params.StartTime) && (params.EndTime == nil || r.At <= *params.EndTime) {
			selected = append(selected, r)
		}
	}
	if params.Order == daybook.NewestFirst {
		slices.Reverse(selected)
	}
	slices.SortStableFunc(selected, func(a, b row) int {
		order := cmp.Compare(a.At, b.At)
		if params.Order == daybook.NewestFirst {
			order = -order
		}
		return cmp.Or(cmp.Compare(a.Name, b.Name), order)
	})
	return limited(selected, params.LimitPerRecord)
}

func limited(ordered []row, limit int) []row {
	kept, count := []row{}, map[string]int{}
	for _, r := range ordered {
		if count[r.Name]++; limit == 0 || count[r.Name] <= limit {
			kept = append(kept, r)
		}
	}
	return kept
}

// prune deletes as daybook.PruneParams says, and returns how many values it deleted.
func (m *model) prune(match func(string) bool, params daybook.PruneParams) uint64 {
	doomed := map[row]int{}
	rank := map[string]int{}
	for _, r := range m.query(match, daybook.QueryParams{}) { // newest first
		rank[r.Name]++
		if r.At < params.OlderThan && rank[r.Name] > params.KeepNewest || params.MaxPerRecord > 0 && rank[r.Name] > params.MaxPerRecord {
			doomed[r]++
		}
	}
	before := len(m.stored)
	m.stored = slices.DeleteFunc(m.stored, func(r row) bool { return doomed[r] > 0 })
	return uint64(before - len(m.stored))
}

func (m *model) records(match func(string) bool) []daybook.RecordInfo {
	infos := []daybook.RecordInfo{}
	for _, r := range m.query(match, daybook.QueryParams{Order: daybook.OldestFirst}) {
		if last := len(infos) - 1; last < 0 || infos[last].RecordName != r.Name {
			infos = append(infos, daybook.RecordInfo{RecordName: r.Name, Oldest: r.At})
		}
		info := &infos[len(infos)-1]
		info.Count++
		info.Bytes += uint64(len(r.Value))
		info.Newest = r.At
	}
	return infos
}

// machine runs operations on a store and on the model, and compares what they say.
type machine struct {
	dir   string
	opts  *Options
	db    *DB
	model model
	next  int // makes every value different
}

var (
	someNames    = rapid.SampledFrom([]string{"a", "a.b", "a.b.c", "ab", "a\x01", "b", "ä.ö", "z*"})
	somePatterns = rapid.SampledFrom([]string{"*", "a", "a*", "a.*", "*b", "?", `z\*`, "nothing", "*.*"})
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
	if err := m.db.Store(ctx, r.Name, json.RawMessage(r.Value), r.At); err != nil {
		t.Fatalf("Store: %v", err)
	}
	m.model.stored = append(m.model.stored, r)
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
	if err := m.db.StoreBatch(ctx, batch); (err != nil) != bad {
		t.Fatalf("StoreBatch: %v", err)
	}
	if !bad {
		m.model.stored = append(m.model.stored, rows(batch)...)
	}
}

func (m *machine) params(t *rapid.T) daybook.QueryParams {
	params := daybook.QueryParams{
		LimitPerRecord: rapid.SampledFrom([]int{0, 0, 1, 2, 7}).Draw(t, "limit"),
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

func matcher(t *rapid.T, pattern string) func(string) bool {
	compiled, err := compile(pattern, daybook.Glob)
	if err != nil {
		t.Fatal(err)
	}
	return compiled.Match
}

func (m *machine) Query(t *rapid.T) {
	pattern, params := somePatterns.Draw(t, "pattern"), m.params(t)
	got, err := m.db.Query(ctx, pattern, params)
	if err != nil {
		t.Fatalf("Query: %v", err)
	}
	compare(t, "Query", m.model.query(matcher(t, pattern), params), rows(got))
}

func (m *machine) Records(t *rapid.T) {
	pattern := somePatterns.Draw(t, "pattern")
	got := []daybook.RecordInfo{}
	for info, err := range m.db.Records(ctx, pattern, daybook.Glob) {
		if err != nil {
			t.Fatalf("Records: %v", err)
		}
		got = append(got, info)
	}
	compare(t, "Records", m.model.records(matcher(t, pattern)), got)
}

func (m *machine) Stats(t *rapid.T) {
	stats, err := m.db.Stats(ctx)
	if err != nil {
		t.Fatalf("Stats: %v", err)
	}
	var want Stats
	for _, info := range m.model.records(func(string) bool { return true }) {
		want.Records++
		want.Values += info.Count
		want.ValueBytes += info.Bytes
	}
	compare(t, "Stats", want, Stats{Records: stats.Records, Values: stats.Values, ValueBytes: stats.ValueBytes})
}

func (m *machine) Cleanup(t *rapid.T) {
	olderThan := someTimes.Draw(t, "older than")
	got, err := m.db.Cleanup(ctx, olderThan)
	if err != nil {
		t.Fatalf("Cleanup: %v", err)
	}
	compare(t, "Cleanup's count", m.model.prune(func(string) bool { return true }, daybook.PruneParams{OlderThan: olderThan}), got)
}

func (m *machine) Prune(t *rapid.T) {
	pattern := somePatterns.Draw(t, "pattern")
	params := daybook.PruneParams{
		OlderThan:    someTimes.Draw(t, "older than"),
		MaxPerRecord: rapid.SampledFrom([]int{0, 3, 10}).Draw(t, "most"),
		KeepNewest:   rapid.SampledFrom([]int{0, 2}).Draw(t, "keep"),
	}
	got, err := m.db.Prune(ctx, pattern, params)
	if err != nil {
		t.Fatalf("Prune: %v", err)
	}
	compare(t, "Prune's count", m.model.prune(matcher(t, pattern), params), got)
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
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatalf("%s differs from the model's (-want +got):\n%s", what, diff)
	}
}

// TestModel runs random operations on a store with a small head and small chunks, so that every path is
// taken, and on a plain slice, and finds no difference. More sequences: -rapid.checks=10000.
func TestModel(t *testing.T) {
	parent := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(parent, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		m := &machine{dir: dir, opts: &Options{
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

// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/daybook-db/daybook"
)

// Memory is the reference model of a backend: a slice in the order of insertion, with a mutex. It
// is made to be obviously right, not fast: each call looks at every value. It holds every uint64
// timestamp, returns values byte for byte, and keeps nothing after Close. Make one with NewMemory.
type Memory struct {
	// mu guards the fields below.
	mu       mutex
	closed   bool
	id       [16]byte             // identity; random
	epoch    [16]byte             // random; a Memory has one history
	stored   []daybook.Change     // in the order of insertion
	sequence uint64               // of the last insertion
	times    map[uint64]time.Time // of the insertions, by number
	holds    map[string]*memoryHold
	watchers []*memoryWatcher
	watched  []daybook.Change // inserted after the first Watch, including values that have been deleted

	positions map[memoryStream]daybook.Position

	clockState []byte
	deleted    uint64 // number of values that Prune has deleted

	health   sync.Mutex // guards failures: to count a call whose context has ended, nothing is waited for
	failures daybook.StoreFailures
}

var (
	_ daybook.Backend      = (*Memory)(nil)
	_ daybook.BatchStorer  = (*Memory)(nil)
	_ daybook.Scanner      = (*Memory)(nil)
	_ daybook.RecordLister = (*Memory)(nil)
	_ daybook.Pruner       = (*Memory)(nil)
	_ daybook.Watcher      = (*Memory)(nil)
	_ daybook.ChangeSource = (*Memory)(nil)
	_ daybook.Statser      = (*Memory)(nil)
	_ daybook.Holder       = (*Memory)(nil)
	_ daybook.Receiver     = (*Memory)(nil)
	_ daybook.ClockMemory  = (*Memory)(nil)
)

// NewMemory returns an empty backend.
func NewMemory() *Memory {
	m := &Memory{mu: newMutex(), times: map[uint64]time.Time{}}
	_, _ = rand.Read(m.id[:]) // never fails
	_, _ = rand.Read(m.epoch[:])
	return m
}

// lock begins a call. If it returns nil, the caller must unlock mu.
func (m *Memory) lock(ctx context.Context) error {
	if err := m.mu.lockContext(ctx); err != nil {
		return err
	}
	if m.closed {
		m.mu.Unlock()
		return daybook.ErrClosed
	}
	return nil
}

// Initialize does nothing.
func (m *Memory) Initialize(ctx context.Context) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	m.mu.Unlock()
	return nil
}

// Close deletes everything. Afterwards every other method returns daybook.ErrClosed. Close itself
// always returns nil.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.stored = true, nil
	m.wakeLocked()
	return nil
}

// Store implements daybook.Backend.
func (m *Memory) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	return m.countStore(m.store(ctx, recordName, value, timestamp))
}

// countStore counts an error of a method that stores, and returns it.
func (m *Memory) countStore(err error) error {
	m.health.Lock()
	defer m.health.Unlock()
	m.failures.Add(err, daybook.Now())
	return err
}

func (m *Memory) store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	v := daybook.StoredValue{RecordName: recordName, Value: value, StoredAt: timestamp}
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if err := validate(v); err != nil {
		return err
	}
	m.insertLocked(v)
	return nil
}

// StoreBatch implements daybook.BatchStorer.
func (m *Memory) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	return m.countStore(m.storeBatch(ctx, values))
}

func (m *Memory) storeBatch(ctx context.Context, values []daybook.StoredValue) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for i, v := range values {
		if err := validate(v); err != nil {
			return fmt.Errorf("values[%d] of %d in the batch: %w", i, len(values), err)
		}
	}
	for _, v := range values {
		m.insertLocked(v)
	}
	return nil
}

func validate(v daybook.StoredValue) error {
	if err := daybook.ValidateRecordName(v.RecordName); err != nil {
		return err
	}
	if err := daybook.ValidateValue(v.Value); err != nil {
		return fmt.Errorf("record %q: %w", v.RecordName, err)
	}
	return nil
}

func (m *Memory) insertLocked(v daybook.StoredValue) {
	m.sequence++
	v.Value = bytes.Clone(v.Value)
	change := daybook.Change{StoredValue: v, Cursor: m.cursor(m.sequence)}
	m.stored = append(m.stored, change)
	m.times[m.sequence] = time.Now()
	if len(m.watchers) > 0 {
		m.watched = append(m.watched, change)
		m.wakeLocked()
	}
}

func (m *Memory) wakeLocked() {
	for _, w := range m.watchers {
		w.changed.Broadcast()
	}
}

// Query implements daybook.Backend.
func (m *Memory) Query(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) ([]daybook.StoredValue, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	if err := params.Validate(); err != nil {
		return nil, err
	}
	matches, err := compile(recordPattern, params.Syntax)
	if err != nil {
		return nil, err
	}
	selected := m.selectLocked(whileRunning(ctx, matches), params)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var values []daybook.StoredValue
	for _, c := range selected {
		c.Value = bytes.Clone(c.Value)
		values = append(values, c.StoredValue)
	}
	return values, nil
}

// selectLocked returns the values that a query selects, in its order.
func (m *Memory) selectLocked(matches func(name string) bool, params daybook.QueryParams) []daybook.Change {
	var selected []daybook.Change
	matches = memoized(matches)
	start, end := params.Bounds()
	for _, c := range m.stored {
		if matches(c.RecordName) && c.StoredAt >= start && c.StoredAt <= end {
			selected = append(selected, c)
		}
	}
	slices.SortFunc(selected, func(a, b daybook.Change) int {
		order := compareTimes(a, b)
		if params.Order == daybook.NewestFirst {
			order = -order
		}
		return cmp.Or(cmp.Compare(a.RecordName, b.RecordName), order)
	})
	return limit(after(params.After, params.Order, selected), params.LimitPerRecord)
}

// after returns the values of a result that come after a place.
func after(place *daybook.Place, order daybook.Order, ordered []daybook.Change) []daybook.Change {
	if place.IsBeginning() {
		return ordered
	}
	ties := 0
	return slices.DeleteFunc(ordered, func(c daybook.Change) bool {
		switch byTime := cmp.Compare(c.StoredAt, place.StoredAt); {
		case c.RecordName != place.RecordName:
			return c.RecordName < place.RecordName
		case byTime == 0:
			ties++
			return ties <= place.Ties
		case order == daybook.NewestFirst:
			return byTime > 0
		default:
			return byTime < 0
		}
	})
}

// compareTimes orders values oldest first.
func compareTimes(a, b daybook.Change) int {
	return cmp.Or(cmp.Compare(a.StoredAt, b.StoredAt), cmp.Compare(a.Cursor.Sequence, b.Cursor.Sequence))
}

// memoized calls matches only once for each name, because records have many values.
func memoized(matches func(name string) bool) func(name string) bool {
	known := map[string]bool{}
	return func(name string) bool {
		result, ok := known[name]
		if !ok {
			result = matches(name)
			known[name] = result
		}
		return result
	}
}

// limit keeps the first maxPerRecord values of each record, or all of them if that is 0.
func limit(ordered []daybook.Change, maxPerRecord int) []daybook.Change {
	var kept []daybook.Change
	count := map[string]int{}
	for _, c := range ordered {
		if count[c.RecordName]++; maxPerRecord == 0 || count[c.RecordName] <= maxPerRecord {
			kept = append(kept, c)
		}
	}
	return kept
}

// Scan implements daybook.Scanner. It holds the whole result in memory, so that it needs no lock
// during the loop.
func (m *Memory) Scan(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) iter.Seq2[daybook.StoredValue, error] {
	return func(yield func(daybook.StoredValue, error) bool) {
		values, err := m.Query(ctx, recordPattern, params)
		yieldAll(ctx, values, err, yield)
	}
}

// Records implements daybook.RecordLister.
func (m *Memory) Records(
	ctx context.Context, recordPattern string, syntax daybook.PatternSyntax,
) iter.Seq2[daybook.RecordInfo, error] {
	return func(yield func(daybook.RecordInfo, error) bool) {
		params := daybook.QueryParams{Syntax: syntax, Order: daybook.OldestFirst}
		values, err := m.Query(ctx, recordPattern, params)
		yieldAll(ctx, summarize(values), err, yield)
	}
}

// summarize describes the records of values that are ordered by name, oldest first.
func summarize(values []daybook.StoredValue) []daybook.RecordInfo {
	var infos []daybook.RecordInfo
	for _, v := range values {
		if last := len(infos) - 1; last < 0 || infos[last].RecordName != v.RecordName {
			infos = append(infos, daybook.RecordInfo{RecordName: v.RecordName, Oldest: v.StoredAt})
		}
		info := &infos[len(infos)-1]
		info.Count++
		info.Bytes += uint64(len(v.Value))
		info.Newest = v.StoredAt
	}
	return infos
}

// Stats implements daybook.Statser.
func (m *Memory) Stats(ctx context.Context) (stats daybook.Stats, err error) {
	if err := m.lock(ctx); err != nil {
		return stats, err
	}
	defer m.mu.Unlock()
	records := map[string]bool{}
	for _, c := range m.stored {
		records[c.RecordName] = true
		stats.Values++
		stats.ValueBytes += uint64(len(c.Value))
	}
	stats.Records, stats.LastSequence = uint64(len(records)), m.sequence
	stats.LastCursor = m.cursor(m.sequence)
	stats.ValuesDeleted = m.deleted
	stats.Store, stats.Epoch, stats.Holds = m.id, m.epoch, m.holdStatsLocked()
	m.health.Lock()
	defer m.health.Unlock()
	stats.StoreFailures = m.failures
	return stats.Clone(), nil
}

// yieldAll yields elements until the loop or ctx ends. After them it yields err, or ctx's error.
func yieldAll[T any](ctx context.Context, elements []T, err error, yield func(T, error) bool) {
	for _, element := range elements {
		if err = ctx.Err(); err != nil {
			break
		}
		if !yield(element, nil) {
			return
		}
	}
	if err != nil {
		var none T
		yield(none, err)
	}
}

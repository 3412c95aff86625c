// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/daybook-db/daybook"
)

// Memory is the reference model of a backend: a slice in the order of insertion, behind a mutex. It has
// every optional ability, and is made to be obviously right rather than fast: each call looks at every
// value. It holds every uint64 timestamp, returns values byte for byte, and keeps nothing after Close.
// Make one with NewMemory.
type Memory struct {
	// mu guards what follows.
	mu       sync.Mutex
	closed   bool
	stored   []entry // in the order of insertion
	sequence uint64  // of the last insertion
	watchers []*memoryWatcher
	told     []daybook.Change // what was stored since there are watchers
}

type entry struct {
	daybook.StoredValue
	sequence uint64
}

var (
	_ daybook.Backend      = (*Memory)(nil)
	_ daybook.BatchStorer  = (*Memory)(nil)
	_ daybook.Scanner      = (*Memory)(nil)
	_ daybook.RecordLister = (*Memory)(nil)
	_ daybook.Pruner       = (*Memory)(nil)
	_ daybook.Watcher      = (*Memory)(nil)
	_ daybook.ChangeSource = (*Memory)(nil)
)

// NewMemory returns an empty backend.
func NewMemory() *Memory { return &Memory{} }

// lock begins a call. When it returns nil, the caller holds mu.
func (m *Memory) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
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

// Close forgets everything. From then on every method returns daybook.ErrClosed, but Close itself nil.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.stored = true, nil
	m.wakeLocked()
	return nil
}

// Store implements daybook.Backend.
func (m *Memory) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
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
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for i, v := range values {
		if err := validate(v); err != nil {
			return fmt.Errorf("batch element %d of %d: %w", i, len(values), err)
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
	return daybook.ValidateValue(v.Value)
}

func (m *Memory) insertLocked(v daybook.StoredValue) {
	m.sequence++
	v.Value = bytes.Clone(v.Value)
	m.stored = append(m.stored, entry{v, m.sequence})
	if len(m.watchers) > 0 {
		m.told = append(m.told, daybook.Change{StoredValue: v, Sequence: m.sequence})
		m.wakeLocked()
	}
}

func (m *Memory) wakeLocked() {
	for _, w := range m.watchers {
		w.changed.Broadcast()
	}
}

// Query implements daybook.Backend.
func (m *Memory) Query(ctx context.Context, recordPattern string, params daybook.QueryParams) ([]daybook.StoredValue, error) {
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
	var values []daybook.StoredValue
	for _, e := range m.selectLocked(matches, params) {
		e.Value = bytes.Clone(e.Value)
		values = append(values, e.StoredValue)
	}
	return values, nil
}

// selectLocked returns the entries that a query asks for, in its order.
func (m *Memory) selectLocked(matches func(name string) bool, params daybook.QueryParams) []entry {
	var selected []entry
	matches = onceEach(matches)
	for _, e := range m.stored {
		after := params.StartTime == nil || e.StoredAt >= *params.StartTime
		before := params.EndTime == nil || e.StoredAt <= *params.EndTime
		if matches(e.RecordName) && after && before {
			selected = append(selected, e)
		}
	}
	slices.SortFunc(selected, func(a, b entry) int {
		order := cmp.Or(cmp.Compare(a.StoredAt, b.StoredAt), cmp.Compare(a.sequence, b.sequence))
		if params.Order == daybook.NewestFirst {
			order = -order
		}
		return cmp.Or(cmp.Compare(a.RecordName, b.RecordName), order)
	})
	return limit(selected, params.LimitPerRecord)
}

// onceEach remembers what matches says of a name, since records have many values.
func onceEach(matches func(name string) bool) func(name string) bool {
	said := map[string]bool{}
	return func(name string) bool {
		says, asked := said[name]
		if !asked {
			says = matches(name)
			said[name] = says
		}
		return says
	}
}

// limit keeps the first most entries of each record; all of them when most is 0.
func limit(ordered []entry, most int) []entry {
	var kept []entry
	count := map[string]int{}
	for _, e := range ordered {
		if count[e.RecordName]++; most == 0 || count[e.RecordName] <= most {
			kept = append(kept, e)
		}
	}
	return kept
}

// Scan implements daybook.Scanner. It does hold the whole result, so that it need not hold the lock.
func (m *Memory) Scan(ctx context.Context, recordPattern string, params daybook.QueryParams) iter.Seq2[daybook.StoredValue, error] {
	return func(yield func(daybook.StoredValue, error) bool) {
		values, err := m.Query(ctx, recordPattern, params)
		yieldAll(ctx, values, err, yield)
	}
}

// Records implements daybook.RecordLister.
func (m *Memory) Records(ctx context.Context, recordPattern string, syntax daybook.PatternSyntax) iter.Seq2[daybook.RecordInfo, error] {
	return func(yield func(daybook.RecordInfo, error) bool) {
		values, err := m.Query(ctx, recordPattern, daybook.QueryParams{Syntax: syntax, Order: daybook.OldestFirst})
		yieldAll(ctx, summarize(values), err, yield)
	}
}

// Changes implements daybook.ChangeSource. It copies all changes when the loop begins.
func (m *Memory) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return func(yield func(daybook.Change, error) bool) {
		changes, err := m.changesAfter(ctx, params.After)
		yieldAll(ctx, changes, err, yield)
	}
}

func (m *Memory) changesAfter(ctx context.Context, after uint64) (changes []daybook.Change, err error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	for _, e := range m.stored {
		if e.sequence > after {
			e.Value = bytes.Clone(e.Value)
			changes = append(changes, daybook.Change{StoredValue: e.StoredValue, Sequence: e.sequence})
		}
	}
	return changes, nil
}

// yieldAll yields elements until the loop or ctx ends, and then the error, if there is one.
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

// Cleanup implements daybook.Backend.
func (m *Memory) Cleanup(ctx context.Context, olderThan uint64) (deleted uint64, err error) {
	return m.Prune(ctx, "*", daybook.PruneParams{OlderThan: olderThan})
}

// Prune implements daybook.Pruner.
func (m *Memory) Prune(ctx context.Context, recordPattern string, params daybook.PruneParams) (deleted uint64, err error) {
	if err := m.lock(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	if err := params.Validate(); err != nil {
		return 0, err
	}
	matches, err := compile(recordPattern, params.Syntax)
	if err != nil {
		return 0, err
	}
	spares := make([]func(string) bool, len(params.Except))
	for i, except := range params.Except {
		if spares[i], err = compile(except.Text, except.Syntax); err != nil {
			return 0, err
		}
	}
	goes := func(name string) bool {
		return matches(name) && !slices.ContainsFunc(spares, func(spare func(string) bool) bool { return spare(name) })
	}
	before := len(m.stored)
	m.pruneLocked(goes, func(e entry) bool { return e.StoredAt < params.OlderThan }, params.KeepNewest, params.MaxPerRecord)
	if params.MaxBytes > 0 {
		beyond := m.beyondLocked(goes, params.MaxBytes)
		m.pruneLocked(goes, func(e entry) bool { return beyond[e.sequence] }, params.KeepNewest, 0)
	}
	return uint64(before - len(m.stored)), nil
}

// pruneLocked deletes what is old but for each record's newest keep values, and all but its newest most, unless that is 0.
func (m *Memory) pruneLocked(goes func(name string) bool, old func(entry) bool, keep, most int) {
	doomed, newer := map[uint64]bool{}, map[string]int{}
	for _, e := range m.selectLocked(goes, daybook.QueryParams{}) { // newest first
		tooOld := old(e) && newer[e.RecordName] >= keep
		tooMany := most > 0 && newer[e.RecordName] >= most
		doomed[e.sequence] = tooOld || tooMany
		newer[e.RecordName]++
	}
	m.stored = slices.DeleteFunc(m.stored, func(e entry) bool { return doomed[e.sequence] })
}

// beyondLocked returns the sequence numbers of the values that go for the others to take at most keep bytes.
func (m *Memory) beyondLocked(goes func(name string) bool, keep uint64) map[uint64]bool {
	selected := m.selectLocked(goes, daybook.QueryParams{})
	slices.SortFunc(selected, func(a, b entry) int {
		return cmp.Or(cmp.Compare(b.StoredAt, a.StoredAt), cmp.Compare(b.sequence, a.sequence))
	})
	beyond, size := map[uint64]bool{}, uint64(0)
	for _, e := range selected { // newest first
		size += uint64(len(e.Value))
		beyond[e.sequence] = size > keep
	}
	return beyond
}

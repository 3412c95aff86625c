// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/daybook-db/daybook"
)

// Mistakes of storing.

func storeCorrectly(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	return m.Store(ctx, v.RecordName, v.Value, v.StoredAt)
}

// storeAnything stores any name and value.
func storeAnything(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.insertLocked(v)
	return nil
}

func overwrite(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	if err := storeCorrectly(ctx, m, v); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	last := m.stored[len(m.stored)-1]
	m.stored = slices.DeleteFunc(m.stored, func(e daybook.Change) bool {
		return e.RecordName == last.RecordName && e.StoredAt == last.StoredAt && e.Cursor != last.Cursor
	})
	return nil
}

func compact(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	var compacted bytes.Buffer
	if daybook.ValidateValue(v.Value) == nil && json.Compact(&compacted, v.Value) == nil {
		v.Value = compacted.Bytes()
	}
	return storeCorrectly(ctx, m, v)
}

func keepSlice(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	if err := storeCorrectly(ctx, m, v); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.stored {
		c := &m.stored[i]
		if c.RecordName == v.RecordName && c.StoredAt == v.StoredAt && bytes.Equal(c.Value, v.Value) {
			c.Value = v.Value
		}
	}
	return nil
}

func roundTimestamp(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	if v.StoredAt < 1<<62 { // greater ones could round up beyond uint64
		v.StoredAt = uint64(float64(v.StoredAt))
	}
	return storeCorrectly(ctx, m, v)
}

func advanceTimestamp(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	m.mu.Lock()
	for _, e := range m.stored {
		if e.RecordName == v.RecordName {
			v.StoredAt = max(v.StoredAt, e.StoredAt)
		}
	}
	m.mu.Unlock()
	return storeCorrectly(ctx, m, v)
}

func advanceZero(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	v.StoredAt = max(v.StoredAt, 1)
	return storeCorrectly(ctx, m, v)
}

func acceptAnyName(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	if err := daybook.ValidateValue(v.Value); err != nil {
		return err
	}
	return storeAnything(ctx, m, v)
}

func acceptAnyValue(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	if err := daybook.ValidateRecordName(v.RecordName); err != nil {
		return err
	}
	return storeAnything(ctx, m, v)
}

func trimName(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	v.RecordName = strings.TrimSpace(v.RecordName)
	return storeCorrectly(ctx, m, v)
}

// letOthersIn waits until a concurrent call has changed the stored values. It gives up when there
// seems to be none.
func letOthersIn(m *Memory) {
	state := func() [2]uint64 {
		m.mu.Lock()
		defer m.mu.Unlock()
		return [2]uint64{m.sequence, uint64(len(m.stored))}
	}
	// On one CPU, a busy goroutine may keep the processor for ten milliseconds at each yield.
	const minYields, minWait = 10, 2 * time.Millisecond
	before := state()
	for i, began := 0, time.Now(); (i < minYields || time.Since(began) < minWait) && state() == before; i++ {
		runtime.Gosched()
	}
}

// loseUpdate reads all values, and writes them back with the new one in a second step.
func loseUpdate(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	m.mu.Lock()
	before := slices.Clone(m.stored)
	m.mu.Unlock()
	letOthersIn(m)
	if err := storeCorrectly(ctx, m, v); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stored = append(before, m.stored[len(m.stored)-1])
	return nil
}

func backwards(values []daybook.StoredValue) ([]daybook.StoredValue, error) {
	slices.Reverse(values)
	return values, nil
}

func thousand(values []daybook.StoredValue) ([]daybook.StoredValue, error) {
	return values[:min(len(values), 1000)], nil
}

func notEmpty(values []daybook.StoredValue) ([]daybook.StoredValue, error) {
	if len(values) == 0 {
		return nil, errors.New("an empty batch")
	}
	return values, nil
}

// partialBatches stores the elements before the invalid one.
type partialBatches struct{ *Memory }

func (p partialBatches) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	for i := range values {
		if validate(values[i]) != nil {
			return errors.Join(p.Memory.StoreBatch(ctx, values[:i]), p.Memory.StoreBatch(ctx, values))
		}
	}
	return p.Memory.StoreBatch(ctx, values)
}

// slowBatches stores a batch element by element.
type slowBatches struct{ *Memory }

func (s slowBatches) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	if err := NewMemory().StoreBatch(ctx, values); err != nil { // an element is invalid
		return err
	}
	if err := s.Initialize(ctx); err != nil {
		return err
	}
	for _, v := range values {
		if err := storeCorrectly(ctx, s.Memory, v); err != nil {
			return err
		}
		letOthersIn(s.Memory)
	}
	return nil
}

// bareErrors returns ErrInvalidName without details.
type bareErrors struct{ *Memory }

func (b bareErrors) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	err := b.Memory.Store(ctx, recordName, value, timestamp)
	if errors.Is(err, daybook.ErrInvalidName) {
		return daybook.ErrInvalidName
	}
	return err
}

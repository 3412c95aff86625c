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

// Faults of storing.

func storeRight(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	return m.Store(ctx, v.RecordName, v.Value, v.StoredAt)
}

// storeAnything stores without looking at name and value.
func storeAnything(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.insertLocked(v)
	return nil
}

func overwrite(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	if err := storeRight(ctx, m, v); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	last := m.stored[len(m.stored)-1]
	m.stored = slices.DeleteFunc(m.stored, func(e daybook.Change) bool {
		return e.RecordName == last.RecordName && e.StoredAt == last.StoredAt && e.Sequence != last.Sequence
	})
	return nil
}

func compact(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	var compacted bytes.Buffer
	if daybook.ValidateValue(v.Value) == nil && json.Compact(&compacted, v.Value) == nil {
		v.Value = compacted.Bytes()
	}
	return storeRight(ctx, m, v)
}

func keepSlice(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	if err := storeRight(ctx, m, v); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.stored {
		if e := &m.stored[i]; e.RecordName == v.RecordName && e.StoredAt == v.StoredAt && bytes.Equal(e.Value, v.Value) {
			e.Value = v.Value
		}
	}
	return nil
}

func roundTimestamp(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	if v.StoredAt < 1<<62 { // where a float's bounds are no matter
		v.StoredAt = uint64(float64(v.StoredAt))
	}
	return storeRight(ctx, m, v)
}

func advanceTimestamp(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	m.mu.Lock()
	for _, e := range m.stored {
		if e.RecordName == v.RecordName {
			v.StoredAt = max(v.StoredAt, e.StoredAt)
		}
	}
	m.mu.Unlock()
	return storeRight(ctx, m, v)
}

func advanceZero(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	v.StoredAt = max(v.StoredAt, 1)
	return storeRight(ctx, m, v)
}

func anyName(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	if err := daybook.ValidateValue(v.Value); err != nil {
		return err
	}
	return storeAnything(ctx, m, v)
}

func anyValue(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	if err := daybook.ValidateRecordName(v.RecordName); err != nil {
		return err
	}
	return storeAnything(ctx, m, v)
}

func trimName(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	v.RecordName = strings.TrimSpace(v.RecordName)
	return storeRight(ctx, m, v)
}

// letOthersIn waits until another call has changed what is stored, or for so long that there is
// none.
func letOthersIn(m *Memory) {
	state := func() [2]uint64 {
		m.mu.Lock()
		defer m.mu.Unlock()
		return [2]uint64{m.sequence, uint64(len(m.stored))}
	}
	const turns, long = 10, 2 * time.Millisecond // on one CPU a turn of somebody busy takes ten milliseconds
	before := state()
	for i, began := 0, time.Now(); (i < turns || time.Since(began) < long) && state() == before; i++ {
		runtime.Gosched()
	}
}

// loseUpdate reads everything, adds to it, and writes it back, as two steps.
func loseUpdate(ctx context.Context, m *Memory, v daybook.StoredValue) error {
	m.mu.Lock()
	before := slices.Clone(m.stored)
	m.mu.Unlock()
	letOthersIn(m)
	if err := storeRight(ctx, m, v); err != nil {
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

// halfBatches stores the elements before the one that is wrong.
type halfBatches struct{ *Memory }

func (h halfBatches) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	for i := range values {
		if validate(values[i]) != nil {
			return errors.Join(h.Memory.StoreBatch(ctx, values[:i]), h.Memory.StoreBatch(ctx, values))
		}
	}
	return h.Memory.StoreBatch(ctx, values)
}

// slowBatches stores element by element.
type slowBatches struct{ *Memory }

func (s slowBatches) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	if err := NewMemory().StoreBatch(ctx, values); err != nil { // none of them is wrong
		return err
	}
	if err := s.Initialize(ctx); err != nil {
		return err
	}
	for _, v := range values {
		if err := storeRight(ctx, s.Memory, v); err != nil {
			return err
		}
		letOthersIn(s.Memory)
	}
	return nil
}

// terse returns the sentinels as they are.
type terse struct{ *Memory }

func (t terse) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	err := t.Memory.Store(ctx, recordName, value, timestamp)
	if errors.Is(err, daybook.ErrInvalidName) {
		return daybook.ErrInvalidName
	}
	return err
}

// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/daybook-db/daybook"
)

// memoryHold is a hold and what it has lost.
type memoryHold struct {
	daybook.Hold
	matches func(name string) bool
	lost    uint64
}

// SetHold implements daybook.Holder.
func (m *Memory) SetHold(ctx context.Context, h daybook.Hold) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if err := h.Validate(); err != nil {
		return err
	}
	matches, err := compileOrAll(h.Pattern)
	if err == nil {
		err = m.resolveLocked(h.At)
	}
	if err != nil {
		return err
	}
	set := &memoryHold{h, matches, 0}
	if old := m.holds[h.Name]; old != nil && old.Pattern == h.Pattern {
		set.lost, set.At = old.lost, later(old.At, h.At)
	}
	if m.holds == nil {
		m.holds = map[string]*memoryHold{}
	}
	m.holds[h.Name] = set
	return nil
}

// AdvanceHold implements daybook.Holder.
func (m *Memory) AdvanceHold(ctx context.Context, name string, at daybook.Cursor) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	h, err := m.holdLocked(name)
	if err == nil {
		err = m.resolveLocked(at)
	}
	if err == nil {
		h.At = later(h.At, at)
	}
	return err
}

// ReleaseHold implements daybook.Holder.
func (m *Memory) ReleaseHold(ctx context.Context, name string) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	_, err := m.holdLocked(name)
	delete(m.holds, name)
	return err
}

// Holds implements daybook.Holder.
func (m *Memory) Holds(ctx context.Context) (infos []daybook.HoldInfo, err error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	for _, h := range m.holds {
		info := daybook.HoldInfo{Hold: h.Hold, Lost: h.lost}
		for _, c := range m.heldBy(ctx, h) {
			info.Values++
			info.Bytes += uint64(len(c.Value))
		}
		infos = append(infos, info)
	}
	slices.SortFunc(infos, func(a, b daybook.HoldInfo) int { return cmp.Compare(a.Name, b.Name) })
	return infos, ctx.Err()
}

// holdStatsLocked returns what Stats says of the holds, by name.
func (m *Memory) holdStatsLocked() (holds []daybook.HoldStats) {
	for _, name := range slices.Sorted(maps.Keys(m.holds)) {
		h := m.holds[name]
		holds = append(holds, daybook.HoldStats{
			Name: name, At: h.At, Pending: m.sequence - h.At.Sequence, Lost: h.lost,
		})
	}
	return holds
}

func (m *Memory) holdLocked(name string) (*memoryHold, error) {
	if h := m.holds[name]; h != nil {
		return h, nil
	}
	return nil, fmt.Errorf("%w: %q", daybook.ErrNoHold, name)
}

// later returns the later of two places of one history.
func later(a, b daybook.Cursor) daybook.Cursor {
	if a.Sequence > b.Sequence {
		return a
	}
	return b
}

// heldBy returns the values that a hold spares: from the last one back, until a bound is exceeded.
// When ctx ends, the result is a part.
func (m *Memory) heldBy(ctx context.Context, h *memoryHold) (held []daybook.Change) {
	size, matches := uint64(0), whileRunning(ctx, h.matches)
	for _, c := range slices.Backward(m.stored) {
		if c.Cursor.Sequence <= h.At.Sequence {
			break
		}
		if !matches(c.RecordName) {
			continue
		}
		size += uint64(len(c.Value))
		tooMuch := h.MaxBytes > 0 && size > h.MaxBytes
		tooOld := h.MaxAge > 0 && time.Since(m.times[c.Cursor.Sequence]) > h.MaxAge
		if tooMuch || tooOld {
			break
		}
		held = append(held, c)
	}
	return held
}

// heldLocked returns the numbers of the values that any hold spares. When ctx ends, the result is a
// part.
func (m *Memory) heldLocked(ctx context.Context) map[uint64]bool {
	held := map[uint64]bool{}
	for _, h := range m.holds {
		for _, c := range m.heldBy(ctx, h) {
			held[c.Cursor.Sequence] = true
		}
	}
	return held
}

// lostLocked returns how many of the values that are to be deleted each hold loses. When ctx ends,
// the result is a part.
func (m *Memory) lostLocked(ctx context.Context, doomed map[uint64]bool) map[*memoryHold]uint64 {
	lost := map[*memoryHold]uint64{}
	for _, h := range m.holds {
		matches := memoized(whileRunning(ctx, h.matches))
		for _, c := range m.stored {
			if doomed[c.Cursor.Sequence] && c.Cursor.Sequence > h.At.Sequence && matches(c.RecordName) {
				lost[h]++
			}
		}
	}
	return lost
}

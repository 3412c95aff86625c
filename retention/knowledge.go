// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-db/daybook"
)

const (
	knowledgeVersion = 1
	// saveInterval is how often a clock saves what it knows while it believes the wall clock. In
	// doubt it saves at each look, because uptime ends doubts.
	saveInterval = time.Hour
	// A mark is made after minMarkInterval of uptime, or after one part in maxMarks of the longest
	// age if that is more.
	minMarkInterval = 6 * time.Hour
	maxMarks        = 400
)

// knowledge is what a clock knows of the time. A daybook.ClockMemory keeps it as JSON.
type knowledge struct {
	Version int           `json:"version"`
	Known   time.Time     `json:"known"`           // surely passed, as far as the evidence goes; zero: unknown
	Alone   bool          `json:"alone,omitempty"` // Known is the clock's, and no records have agreed
	Latest  time.Time     `json:"latest"`          // the latest time that anything has claimed, plus uptime
	Uptime  time.Duration `json:"uptime"`          // time that the keepers have surely seen pass
	Steady  time.Duration `json:"steady"`          // the steady clock at the last look

	Wall       time.Time     `json:"wall"`        // the wall clock when it was last read and set
	WallUptime time.Duration `json:"wall_uptime"` // Uptime then
	Settled    time.Duration `json:"settled"`     // uptime for which the wall clock has run without a jump

	Marks []mark `json:"marks,omitempty"` // by uptime
}

// mark says which values were stored when. A value that was stored up to At is at least as old as
// the uptime after it.
type mark struct {
	Uptime time.Duration  `json:"uptime"`
	At     daybook.Cursor `json:"at"`
}

// load reads what an earlier clock has saved, at the first look.
func (c *clock) load(ctx context.Context, backend daybook.Backend) error {
	if c.loaded {
		return nil
	}
	if memory, ok := daybook.As[daybook.ClockMemory](backend); ok {
		state, err := memory.ClockState(ctx)
		if err != nil {
			return err
		}
		if c.knowledge, err = decodeKnowledge(state); err != nil {
			return err
		}
	}
	c.resumed = c.Uptime > 0 || c.Steady > 0
	if !c.resumed { // nothing was saved
		c.Steady = c.steady()
	}
	c.saved, c.loaded = c.knowledge, true
	c.slack = 2 * c.jumpLimit() // the device may have been off
	return nil
}

// decodeKnowledge reads JSON. It returns nothing known for no state, and for that of a later
// version.
func decodeKnowledge(state []byte) (k knowledge, err error) {
	if len(state) == 0 {
		return k, nil
	}
	if err := json.Unmarshal(state, &k); err != nil {
		return k, fmt.Errorf("%w: what a keeper knew of the time: %w", daybook.ErrCorrupt, err)
	}
	if k.Version != knowledgeVersion {
		return knowledge{}, nil
	}
	return k, nil
}

// save makes what is known durable, if enough of it has changed.
func (c *clock) save(ctx context.Context, backend daybook.Backend, judgementChanged bool) error {
	memory, ok := daybook.As[daybook.ClockMemory](backend)
	moved := max(c.Uptime-c.saved.Uptime, c.Wall.Sub(c.saved.Wall).Abs())
	isSaved := c.saved.Version > 0 && (moved == 0 || !c.doubted && moved < saveInterval)
	if !ok || isSaved && !judgementChanged {
		return nil
	}
	c.Version = knowledgeVersion
	state, err := json.Marshal(c.knowledge)
	if err == nil {
		err = memory.SetClockState(ctx, state)
	}
	if errors.Is(err, daybook.ErrNoSpace) { // the sweep makes room, and the next look tries again
		return nil
	}
	if err == nil {
		c.saved = c.knowledge
	}
	return err
}

// mark notes now and then which value was stored last, and forgets marks that no age needs.
func (c *clock) mark(ctx context.Context, backend daybook.Backend) error {
	statser, ok := daybook.As[daybook.Statser](backend)
	interval := max(minMarkInterval, c.maxAge/maxMarks)
	if n := len(c.Marks); !ok || n > 0 && c.Uptime-c.Marks[n-1].Uptime < interval {
		return nil
	}
	stats, err := statser.Stats(ctx)
	if err != nil {
		return err
	}
	c.Marks = append(c.Marks[:len(c.Marks):len(c.Marks)], mark{c.Uptime, stats.LastCursor})
	for len(c.Marks) > 1 && c.Uptime-c.Marks[1].Uptime >= c.maxAge {
		c.Marks = c.Marks[1:]
	}
	if len(c.Marks) > maxMarks+2 { // they were made for a shorter age
		c.Marks = thinned(c.Marks, interval)
	}
	return nil
}

// thinned returns the marks without those that are closer than an interval to the one before.
func thinned(marks []mark, interval time.Duration) (kept []mark) {
	for _, m := range marks {
		if n := len(kept); n == 0 || m.Uptime-kept[n-1].Uptime >= interval {
			kept = append(kept, m)
		}
	}
	return kept
}

// storedBefore returns the place up to which all values were stored at least age of uptime ago, and
// whether any were.
func (c *clock) storedBefore(age time.Duration) (at daybook.Cursor, ok bool) {
	for _, m := range c.Marks {
		if c.Uptime-m.Uptime < age {
			break
		}
		at = m.At
	}
	return at, !at.IsZero()
}

// commonPlace returns the last place of a backend's history that it shares with the history of a
// cursor, if err says that the cursor is no place in it.
func commonPlace(err error) (common daybook.Cursor, isForked bool) {
	var fork *daybook.ForkedError
	if errors.As(err, &fork) {
		return fork.Common, true
	}
	return common, false
}

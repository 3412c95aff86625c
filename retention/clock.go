// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"context"
	"fmt"
	"time"

	"github.com/daybook-db/daybook"
)

// tolerated is how far values may be ahead of the clock that are stamped by others.
const tolerated = time.Minute

// clock tells the time, and whether that can be believed. A device without a clock of its own starts in some year, and
// finds out what time it is when it has a network; until then, or when that is wrong, the time jumps.
type clock struct {
	wall    func() time.Time     // by the clock that people set
	elapsed func() time.Duration // by one that nobody can set, since some moment
	maxJump time.Duration        // negative: any jump is believed
	settle  time.Duration        // for how long a clock goes on steadily until it is believed, whatever it was before

	last     moment        // the last time it was looked at
	steady   time.Duration // since when, by elapsed, it has not jumped
	believed moment        // the last; zero: none yet
	unsteady bool          // it has jumped since it was believed
}

// moment is a time by both clocks.
type moment struct {
	wall    time.Time
	elapsed time.Duration
}

func newClock(maxJump time.Duration) *clock {
	start := time.Now()
	c := &clock{
		wall:    func() time.Time { return time.Now().Round(0) },
		elapsed: func() time.Duration { return time.Since(start) },
		maxJump: maxJump,
		settle:  maxJump,
	}
	if maxJump < 0 {
		c.settle = DefaultMaxJump
	}
	return c
}

// now returns the time, and why it cannot be believed; "": it can. What has gone on for as long as settle is: a device
// may have been asleep, or have been wrong before, or have stored values while it was.
func (c *clock) now(ctx context.Context, backend daybook.Backend) (now time.Time, doubt string, err error) {
	m := moment{c.wall(), c.elapsed()}
	c.look(m)
	if doubt, err = isBehind(ctx, backend, m.wall); err != nil {
		return m.wall, "", err
	}
	if doubt == "" {
		doubt = c.jumped(m)
	}
	settled := m.elapsed-c.steady >= c.settle
	if doubt != "" && !settled {
		return m.wall, doubt, nil
	}
	// One that was set back deletes less, and may be set right again: what was believed before still is, for a while.
	if settled || c.believed == (moment{}) || m.ahead(c.believed) > 0 {
		c.believed, c.unsteady = m, false
	}
	return m.wall, "", nil
}

// look notices a jump, ahead or back.
func (c *clock) look(m moment) {
	if c.last == (moment{}) {
		c.steady = m.elapsed
	} else if m.ahead(c.last).Abs() > c.settle {
		c.steady, c.unsteady = m.elapsed, true
	}
	c.last = m
}

// jumped says that the clock has jumped ahead of what was believed, or has jumped and never was.
func (c *clock) jumped(m moment) (doubt string) {
	switch {
	case c.maxJump < 0:
	case c.believed == (moment{}) && c.unsteady:
		return "it has jumped, and could not be believed before"
	case c.believed != (moment{}) && m.ahead(c.believed) > c.maxJump:
		return fmt.Sprintf("since %s it has jumped ahead by %s", c.believed.wall.Format(time.RFC3339), m.ahead(c.believed).Round(time.Second))
	}
	return ""
}

// ahead is by how much the wall clock is ahead of where it would be had it gone on steadily since another moment.
func (m moment) ahead(since moment) time.Duration {
	return m.wall.Sub(since.wall) - (m.elapsed - since.elapsed)
}

// isBehind says how the clock is earlier than what has been stored, if it is so for most records. A single one may have
// values from the future; of a backend that does not know its records, nobody knows.
func isBehind(ctx context.Context, backend daybook.Backend, now time.Time) (doubt string, err error) {
	lister, ok := backend.(daybook.RecordLister)
	if !ok {
		return "", nil
	}
	records, ahead, newest := 0, 0, uint64(0)
	limit := uint64(max(now.Add(tolerated).UnixMilli(), 0))
	for info, err := range lister.Records(ctx, "*", daybook.Glob) {
		if err != nil {
			return "", err
		}
		if records++; info.Newest > limit {
			ahead++
			newest = max(newest, info.Newest)
		}
	}
	if 2*ahead <= records {
		return "", nil
	}
	return fmt.Sprintf("it is earlier than the newest values of %d of %d records, up to %s", ahead, records, formatted(newest)), nil
}

// formatted writes Unix ms as RFC 3339, which ends with the year 9999.
func formatted(ms uint64) string {
	const last = 253_402_300_799_999
	if ms > last {
		return fmt.Sprintf("%d (Unix ms)", ms)
	}
	return time.UnixMilli(int64(ms)).Format(time.RFC3339)
}

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
	maxJump time.Duration

	believed moment // the last; the clock is held against it
	jumped   moment // the first after a jump; zero: there was none
}

// moment is a time by both clocks.
type moment struct {
	wall    time.Time
	elapsed time.Duration
}

func newClock(maxJump time.Duration) *clock {
	start := time.Now()
	return &clock{
		wall:    func() time.Time { return time.Now().Round(0) },
		elapsed: func() time.Duration { return time.Since(start) },
		maxJump: maxJump,
	}
}

// now returns the time, and why it cannot be believed; "": it can.
func (c *clock) now(ctx context.Context, backend daybook.Backend) (now time.Time, doubt string, err error) {
	m := moment{c.wall(), c.elapsed()}
	if doubt, err := isBehind(ctx, backend, m.wall); doubt != "" || err != nil {
		return m.wall, doubt, err
	}
	return m.wall, c.jump(m), nil
}

// jump says by how much the clock has jumped ahead, if it is by too much. A clock that has then gone on for as long as
// maxJump without another jump is believed: a device may have been asleep, or was wrong before.
func (c *clock) jump(m moment) (doubt string) {
	switch {
	case c.maxJump < 0 || c.believed == moment{}:
	case m.ahead(c.believed) <= 0: // set back, which deletes less; what was believed before still is
		c.jumped = moment{}
		return ""
	case m.ahead(c.believed) <= c.maxJump:
	case c.jumped == moment{} || m.ahead(c.jumped).Abs() > c.maxJump:
		c.jumped = m
		fallthrough
	case m.elapsed-c.jumped.elapsed < c.maxJump:
		return fmt.Sprintf("since %s it has jumped ahead by %s, and is believed once it has gone on for %s without another jump",
			c.believed.wall.Format(time.RFC3339), m.ahead(c.believed).Round(time.Second), c.maxJump)
	}
	c.believed, c.jumped = m, moment{}
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
	return fmt.Sprintf("it is earlier than the newest values of %d of %d records, up to %d (Unix ms)", ahead, records, newest), nil
}

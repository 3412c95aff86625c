// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"context"
	"fmt"
	"time"

	"github.com/daybook-db/daybook"
)

// tolerance is how far the timestamps of values may be ahead of the clock. Other machines may have
// stamped them.
const tolerance = time.Minute

// clock tells the time, and whether the time can be believed. A device without a battery for its
// clock starts in some past year, and learns the time when it has a network. Until then the time is
// wrong, and when it is set it jumps.
//
// An example, with maxJump and settleTime of a day:
//
//	steady clock   wall clock   reading
//	0 h            1 May 10:00  the first one: believed
//	1 h            1 May 11:00  believed
//	2 h            9 May 12:00  doubted: it is eight days ahead of the believed reading
//	3 h            9 May 13:00  doubted: still
//	26 h           10 May 12:00 believed: it has run for a day without a jump
//
// If the wall clock is set back to 1 May 13:00 at 3 h, that reading is believed, because it is not
// ahead of the believed one. But it is doubted if most records have later values by then.
type clock struct {
	wall       func() time.Time     // the clock that can be set
	steady     func() time.Duration // the time since newClock; nothing can set it
	maxJump    time.Duration        // a jump ahead by more is doubted; negative: none is
	settleTime time.Duration        // a wall clock without a jump for this time is believed in any case

	last       moment        // the last reading; zero: there was none
	steadyFrom time.Duration // the steady clock at the last jump, or at the first reading
	believed   moment        // the last reading that was believed; zero: there was none
	unsteady   bool          // the wall clock has jumped, and believed has not changed after that
}

// moment is one reading of both clocks.
type moment struct {
	wall   time.Time
	steady time.Duration
}

func newClock(maxJump time.Duration) *clock {
	start := time.Now()
	c := &clock{
		wall:       func() time.Time { return time.Now().Round(0) }, // without Go's own steady clock
		steady:     func() time.Duration { return time.Since(start) },
		maxJump:    maxJump,
		settleTime: maxJump,
	}
	if maxJump < 0 { // no jump is doubted, but a clock that is too early has to settle, too
		c.settleTime = DefaultMaxJump
	}
	return c
}

// read returns the wall clock's time, and in doubt the reason why it cannot be believed. "" means
// that it can.
//
// Every doubt ends when the wall clock has run for settleTime without a jump, because a doubt can
// be wrong. The device may have been asleep when its clock seemed to jump. Or the jump set a wrong
// clock right. Or the values that are later than the clock got a wrong time.
func (c *clock) read(ctx context.Context, backend daybook.Backend) (now time.Time, doubt string, err error) {
	m := moment{c.wall(), c.steady()}
	c.noticeJump(m)
	if doubt, err = doubtEarly(ctx, backend, m.wall); err != nil {
		return m.wall, "", err
	}
	if doubt == "" {
		doubt = c.doubtJump(m)
	}
	settled := m.steady-c.steadyFrom >= c.settleTime
	if doubt != "" && !settled {
		return m.wall, doubt, nil
	}
	// A clock that was set back is believed, because it deletes less. But it may be set forward
	// again, and that is no jump ahead of the earlier believed reading. So that reading stays until
	// the clock has settled.
	if settled || c.believed == (moment{}) || m.aheadOf(c.believed) > 0 {
		c.believed, c.unsteady = m, false
	}
	return m.wall, "", nil
}

// noticeJump compares a reading with the last one, and begins to wait for settleTime after a jump
// in either direction.
func (c *clock) noticeJump(m moment) {
	if c.last == (moment{}) {
		c.steadyFrom = m.steady
	} else if m.aheadOf(c.last).Abs() > c.settleTime {
		c.steadyFrom, c.unsteady = m.steady, true
	}
	c.last = m
}

// doubtJump returns a doubt for a clock that is ahead of the believed reading by more than maxJump,
// and for a clock that has jumped and was never believed.
func (c *clock) doubtJump(m moment) (doubt string) {
	switch {
	case c.maxJump < 0:
	case c.believed == (moment{}) && c.unsteady:
		return "it has jumped, and could not be believed before"
	case c.believed != (moment{}) && m.aheadOf(c.believed) > c.maxJump:
		return fmt.Sprintf("it has jumped ahead by %s since %s",
			m.aheadOf(c.believed).Round(time.Second), c.believed.wall.Format(time.RFC3339))
	}
	return ""
}

// aheadOf returns how far the wall clock is ahead of the time that it would show without any jump
// after an earlier moment.
func (m moment) aheadOf(earlier moment) time.Duration {
	return m.wall.Sub(earlier.wall) - (m.steady - earlier.steady)
}

// doubtEarly doubts a clock that is earlier than the newest values of most records. It asks for
// most records because a single one may have values from the future. It doubts nothing if the
// backend cannot list its records.
func doubtEarly(ctx context.Context, backend daybook.Backend, now time.Time) (doubt string, err error) {
	lister, ok := backend.(daybook.RecordLister)
	if !ok {
		return "", nil
	}
	records, ahead, newest := 0, 0, uint64(0)
	limit := uint64(max(now.Add(tolerance).UnixMilli(), 0))
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
	return fmt.Sprintf("it is earlier than the newest values of %d of %d records, up to %s",
		ahead, records, formatMillis(newest)), nil
}

// formatMillis writes Unix ms as RFC 3339, which ends with the year 9999. Later times stay numbers.
func formatMillis(ms uint64) string {
	const maxRFC3339 = 253_402_300_799_999
	if ms > maxRFC3339 {
		return fmt.Sprintf("%d (Unix ms)", ms)
	}
	return time.UnixMilli(int64(ms)).Format(time.RFC3339)
}
